import ChunkStorage
import Foundation

/// A real nginx that serves a directory on a free loopback port while the object lives.
final class NginxServer: @unchecked Sendable {
  // Unchecked: `Process` is only touched by init and deinit.
  private let process: Process
  private let work: TemporaryDirectory
  let url: String

  static let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  init(serving root: String) throws {
    guard let program = Self.program, let socket = LoopbackSocket() else {
      throw ServerFailure(message: "nginx or a free port is missing")
    }
    // The port is free again for a moment; nothing else asks for fixed ports here.
    close(socket.descriptor)
    let work = try TemporaryDirectory()
    self.work = work
    url = "http://127.0.0.1:\(socket.port)"
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
      "\($0)_temp_path \(work.path)/\($0);"
    }.joined(separator: " ")
    try work.file(
      "nginx.conf",
      Array(
        """
        \(getuid() == 0 ? "user root;" : "")
        worker_processes 1;
        pid \(work.path)/pid;
        error_log \(work.path)/error.log;
        events { worker_connections 64; }
        http {
          \(temporary)
          log_format test '$request_method $uri $status $connection';
          access_log \(work.path)/access.log test;
          default_type application/octet-stream;
          gzip on; gzip_types *; gzip_min_length 1;
          server {
            listen 127.0.0.1:\(socket.port);
            location / { root \(root); }
            location /nohead/ {
              alias \(root)/;
              if ($request_method = HEAD) { return 405; }
            }
            location /moved/ { return 302 http://127.0.0.1:1/elsewhere; }
          }
        }

        """.utf8))
    process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["-c", work.path + "/nginx.conf", "-p", work.path, "-g", "daemon off;"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    for _ in 0..<100 {
      do {
        _ = try openObjectSource(url).byteCount(of: "absent")
        return
      } catch { usleep(50_000) }
    }
    throw ServerFailure(message: "nginx does not answer")
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
  }

  /// Method, path, status and connection number of the requests for `path` so far.
  func log(of path: String, atLeast count: Int) throws -> [[String]] {
    var lines: [[String]] = []
    for _ in 0..<100 {
      let text = try String(contentsOfFile: work.path + "/access.log", encoding: .utf8)
      lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        .filter { $0.count == 4 && $0[1] == path }
      if lines.count >= count { break }
      usleep(20_000)
    }
    return lines
  }
}
