internal import Foundation
internal import Glibc

/// A real nginx that serves a directory on a free loopback port while the object lives.
package final class NginxServer: @unchecked Sendable {
  // Unchecked: `Process` is only touched by init and deinit.
  private let process: Process
  private let work: String
  package let url: String

  package static let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].first
  {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  package init(serving root: String) throws {
    guard let program = Self.program, let socket = LoopbackSocket() else {
      throw ServerFailure(message: "nginx or a free port is missing")
    }
    // The port is free again for a moment; nothing else asks for fixed ports here.
    close(socket.descriptor)
    let work = NSTemporaryDirectory() + "pol-nginx-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    self.work = work
    url = "http://127.0.0.1:\(socket.port)"
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
      "\($0)_temp_path \(work)/\($0);"
    }.joined(separator: " ")
    let configuration = """
      \(getuid() == 0 ? "user root;" : "")
      worker_processes 1;
      pid \(work)/pid;
      error_log \(work)/error.log;
      events { worker_connections 64; }
      http {
        \(temporary)
        log_format test '$request_method $uri $status $connection';
        access_log \(work)/access.log test;
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

      """
    try Data(configuration.utf8).write(to: URL(fileURLWithPath: work + "/nginx.conf"))
    process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["-c", work + "/nginx.conf", "-p", work, "-g", "daemon off;"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    for _ in 0..<100 {
      if answers(port: socket.port) { return }
      usleep(50_000)
    }
    throw ServerFailure(message: "nginx does not answer")
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: work)
  }

  /// Method, path, status and connection number of the requests for `path` so far.
  package func log(of path: String, atLeast count: Int) throws -> [[String]] {
    var lines: [[String]] = []
    for _ in 0..<100 {
      let text = try String(contentsOfFile: work + "/access.log", encoding: .utf8)
      lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        .filter { $0.count == 4 && $0[1] == path }
      if lines.count >= count { break }
      usleep(20_000)
    }
    return lines
  }
}

/// Whether something accepts connections on a port of 127.0.0.1.
private func answers(port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  address.sin_port = in_port_t(UInt16(port)).bigEndian
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}
