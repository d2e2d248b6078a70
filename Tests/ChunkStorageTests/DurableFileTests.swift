import Foundation
import Testing

@testable import ChunkStorage

@Suite("Durable files") struct DurableFileTests {
  let directory: TemporaryDirectory
  var path: String { directory.path + "/file" }

  init() throws { directory = try TemporaryDirectory() }

  @Test("a file is replaced whole and leaves nothing beside it") func replaces() throws {
    try DurableFile.write(pattern(100_000), to: path)
    try DurableFile.write(pattern(10), to: path, mode: 0o600)
    #expect(try DurableFile.readWhole(path, limit: 10) == pattern(10))
    #expect(try directory.names() == ["file"])
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
  }

  @Test("nothing is replaced when that is asked") func exclusive() throws {
    try DurableFile.write([1], to: path, replaces: false)
    #expect(failure { try DurableFile.write([2], to: path, replaces: false) }?.code == .present)
    #expect(try DurableFile.readWhole(path, limit: 1) == [1])
    #expect(try directory.names() == ["file"])
  }

  @Test("a link at the path is replaced, not written through") func link() throws {
    try directory.file("other", [7])
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: directory.path + "/other")
    try DurableFile.write([1], to: path)
    #expect(try DurableFile.readWhole(directory.path + "/other", limit: 1) == [7])
    #expect(try DurableFile.readWhole(path, limit: 1) == [1])
  }

  @Test("a write that cannot be finished leaves nothing behind") func failedWrite() throws {
    try directory.file("file/inside", [1])
    #expect(failure { try DurableFile.write([1], to: path) } != nil)
    #expect(try directory.names() == ["file"])
    #expect(
      failure { try DurableFile.write([1], to: directory.path + "/no/file") }?.code == .missing)
    #expect(failure { try DurableFile.write([1], to: "a\0b") }?.code == .malformed)
  }

  @Test("reading refuses links unless allowed, FIFOs, directories and excess") func reading() throws
  {
    try directory.file("file", pattern(10))
    let link = directory.path + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    #expect(failure { _ = try DurableFile.readWhole(link, limit: 10) }?.code == .malformed)
    #expect(try DurableFile.readWhole(link, limit: 10, followsSymlinks: true) == pattern(10))
    #expect(failure { _ = try DurableFile.readWhole(path, limit: 9) }?.code == .limit)
    #expect(failure { _ = try DurableFile.readWhole(path + "x", limit: 9) }?.code == .missing)
    #expect(mkfifo(directory.path + "/fifo", 0o644) == 0)
    for name in ["/fifo", ""] {
      let found = failure { _ = try DurableFile.readWhole(directory.path + name, limit: 9) }
      #expect(found?.code == .malformed)
    }
  }

  @Test("a directory is made once and a file in its place refused") func directories() throws {
    #expect(try DurableFile.createDirectory(directory.path + "/new/"))
    #expect(try !DurableFile.createDirectory(directory.path + "/new"))
    try directory.file("file", [])
    #expect(failure { try DurableFile.createDirectory(path) }?.code == .malformed)
    #expect(failure { try DurableFile.createDirectory(path + "x/y") }?.code == .missing)
  }

  @Test(
    "a path splits into its directory and name",
    arguments: [
      ("a", ".", "a"), ("/a", "/", "a"), ("a/b/", "a", "b"), ("/a//b", "/a/", "b"), ("/", "/", ""),
    ])
  func split(path: String, folder: String, name: String) {
    #expect(DurableFile.split(path).folder == folder)
    #expect(DurableFile.split(path).name == name)
  }

  @Test("a lock keeps others out until it goes") func lock() throws {
    var first: DirectoryLock? = try DirectoryLock(directory.path)
    #expect(first?.path == directory.path)
    #expect(failure { _ = try DirectoryLock(directory.path + "/") }?.code == .locked)
    first = nil
    _ = try DirectoryLock(directory.path)
    #expect(failure { _ = try DirectoryLock(directory.path + "/no") }?.code == .missing)
  }
}

@Suite("Append file") struct AppendFileTests {
  let directory: TemporaryDirectory
  var path: String { directory.path + "/log" }

  init() throws { directory = try TemporaryDirectory() }

  @Test("what is appended is there after opening again") func appends() throws {
    let file = try AppendFile(path)
    #expect(try file.append(pattern(10)) == 0)
    #expect(try file.append([1, 2]) == 10)
    #expect(try file.append([]) == 12)
    try file.sync()
    let again = try AppendFile(path)
    #expect(try again.byteCount == 12)
    #expect(try again.read(9..<12) == [pattern(10)[9], 1, 2])
    #expect(try again.append([3]) == 12)
  }

  @Test("cutting back moves the end") func truncates() throws {
    let file = try AppendFile(path)
    try file.append(pattern(10))
    try file.truncate(to: 4)
    #expect(try file.append([9]) == 4)
    #expect(try file.read(0..<5) == Array(pattern(4)) + [9])
    #expect(failure { try file.truncate(to: 6) }?.code == .missing)
    #expect(failure { try file.truncate(to: -1) }?.code == .missing)
    #expect(failure { _ = try file.read(0..<6) }?.code == .missing)
    #expect(try DurableFile.readWhole(path, limit: 5).count == 5)
  }

  @Test("after a failed sync every use is refused") func failedSync() throws {
    let file = try AppendFile(
      path,
      syncCall: { _ in
        errno = EIO
        return -1
      })
    try file.append([1])
    #expect(failure { try file.sync() }?.code == .io)
    #expect(failure { try file.sync() }?.code == .io)
    #expect(failure { try file.append([1]) }?.code == .io)
    #expect(failure { _ = try file.read(0..<1) }?.code == .io)
    #expect(failure { _ = try file.byteCount }?.code == .io)
    #expect(failure { try file.truncate(to: 0) }?.code == .io)
  }

  @Test("many buffers stand one behind the other") func buffers() throws {
    let file = try AppendFile(path)
    try file.append([7])
    // More than one call takes, and some of them empty.
    let bytes = pattern(5000)
    let ends = (0...40).map { $0 * $0 * 3 } + [4800, 4800, 5000]
    let starts = try bytes.withUnsafeBytes { all in
      let pieces = zip(ends, ends.dropFirst()).map {
        UnsafeRawBufferPointer(rebasing: all[$0..<$1])
      }
      return [try file.append(buffers: pieces), try file.append(buffers: [])]
    }
    #expect(starts == [1, 5001])
    #expect(try file.append([8]) == 5001)
    #expect(try DurableFile.readWhole(path, limit: 6000) == [7] + bytes + [8])
  }

  @Test(
    "a system that writes less than it is asked to is asked for the rest",
    arguments: [1, 3, 10, 64, 65, 4096])
  func shortWrites(most: Int) throws {
    let bytes = pattern(300)
    let ends = [0, 1, 11, 11, 21, 85, 100, 300]
    let file = try SystemCalls.open(path, O_RDWR | O_CREAT, mode: 0o644)
    var calls = 0
    try bytes.withUnsafeBytes { all in
      try SystemCalls.write(
        zip(ends, ends.dropFirst()).map { UnsafeRawBufferPointer(rebasing: all[$0..<$1]) },
        file, offset: 5, place: path,
        call: { descriptor, vectors, count, offset in
          calls += 1
          if calls % 3 == 1 {
            errno = EINTR
            return -1
          }
          var left = most
          var short: [iovec] = []
          for vector in UnsafeBufferPointer(start: vectors, count: Int(count)) where left > 0 {
            let taken = min(left, vector.iov_len)
            short.append(iovec(iov_base: vector.iov_base, iov_len: taken))
            left -= taken
          }
          return pwritev(descriptor, short, Int32(short.count), offset)
        })
    }
    #expect(try DurableFile.readWhole(path, limit: 400) == [0, 0, 0, 0, 0] + bytes)
    let nothing = failure {
      try bytes.withUnsafeBytes { all in
        try SystemCalls.write([all], file, offset: 0, place: path, call: { _, _, _, _ in 0 })
      }
    }
    #expect(nothing?.code == .io)
  }

  @Test("links and FIFOs are refused") func specialFiles() throws {
    try directory.file("other", [])
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: directory.path + "/other")
    #expect(failure { _ = try AppendFile(path) }?.code == .malformed)
    #expect(mkfifo(directory.path + "/fifo", 0o644) == 0)
    #expect(failure { _ = try AppendFile(directory.path + "/fifo") }?.code == .malformed)
  }

  @Test(
    "a full disk leaves the file as it was and says so",
    .enabled(if: TinyDisk.isPossible, "mounting a small tmpfs wants root and the right to mount"))
  func fullDisk() throws {
    let disk = try #require(TinyDisk(at: directory.path))
    defer { disk.unmount() }
    let file = try AppendFile(path)
    try file.append(pattern(5000))
    let found = failure { try file.append(pattern(200_000)) }
    #expect(found?.code == .io)
    #expect(found?.text.contains("no space left") == true)
    #expect(try file.byteCount == 5000)
    #expect(try DurableFile.readWhole(path, limit: 5000) == pattern(5000))
    try file.append(pattern(100))

    let second = directory.path + "/second"
    #expect(failure { try DurableFile.write(pattern(200_000), to: second) }?.code == .io)
    #expect(try directory.names() == ["log"])
  }
}

/// A tmpfs of 64 KiB.
struct TinyDisk {
  let path: String

  static let isPossible: Bool = {
    guard getuid() == 0, let directory = try? TemporaryDirectory() else { return false }
    guard let disk = TinyDisk(at: directory.path) else { return false }
    disk.unmount()
    return true
  }()

  init?(at path: String) {
    guard mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0 else { return nil }
    self.path = path
  }

  func unmount() { umount2(path, Int32(MNT_DETACH)) }
}
