import Foundation
import Testing

@testable import ChunkStorage

@Suite("Objects in a directory") struct DirectoryObjectSourceTests {
  let directory: TemporaryDirectory
  let source: DirectoryObjectSource

  init() throws {
    directory = try TemporaryDirectory()
    try directory.file("top", pattern(1000))
    try directory.file("a/b/deep", pattern(10))
    try directory.file("empty", [])
    source = try DirectoryObjectSource(directory.path)
  }

  private func code(_ body: () throws(StorageError) -> Void) -> StorageError.Code? {
    do throws(StorageError) {
      try body()
      return nil
    } catch { return error.code }
  }

  @Test("objects are read whole, in ranges, and counted") func reads() throws {
    #expect(try source.byteCount(of: "top") == 1000)
    #expect(try source.read("top", range: 10..<20) == Array(pattern(1000)[10..<20]))
    #expect(try source.readWhole("a/b/deep", limit: 10) == pattern(10))
    #expect(try source.readWhole("empty", limit: 0) == [])
    #expect(try source.read("empty", range: 0..<0) == [])
    #expect(source.transfer == TransferCount(requests: 5, bytes: 20))
  }

  @Test("what is not there is nil or missing", arguments: ["no", "a/no", "no/no", "a/b/no"])
  func missing(name: String) throws {
    #expect(try source.byteCount(of: name) == nil)
    #expect(try source.readWhole(name, limit: 10) == nil)
    #expect(code { () throws(StorageError) in _ = try source.read(name, range: 0..<1) } == .missing)
  }

  @Test(
    "a range past the end is missing, never short", arguments: [999..<1001, 1000..<1001, -1..<1])
  func shortRange(range: Range<Int>) {
    #expect(
      code { () throws(StorageError) in _ = try source.read("top", range: range) } == .missing)
  }

  @Test("an object beyond the limit is refused") func limit() {
    #expect(
      code { () throws(StorageError) in _ = try source.readWhole("top", limit: 999) } == .limit)
  }

  @Test(
    "names that leave the directory are refused",
    arguments: [
      "", "/", "/etc/passwd", "..", "../top", "a/../top", "a//b", "a/", ".", "./top", "top\0x",
      "a\nb", "1/2/3/4/5/6/7/8/9", String(repeating: "n", count: 256),
    ])
  func traversal(name: String) {
    #expect(code { () throws(StorageError) in _ = try source.byteCount(of: name) } == .malformed)
  }

  @Test("links, FIFOs, devices and directories are refused without waiting") func specialFiles()
    throws
  {
    let manager = FileManager.default
    try manager.createSymbolicLink(
      atPath: directory.path + "/link", withDestinationPath: directory.path + "/top")
    try manager.createSymbolicLink(
      atPath: directory.path + "/folder", withDestinationPath: directory.path + "/a")
    #expect(mkfifo(directory.path + "/fifo", 0o644) == 0)
    let names = ["link", "folder/b/deep", "fifo", "a", "top/below"]
    for name in names {
      let found = code { () throws(StorageError) in _ = try source.readWhole(name, limit: 5000) }
      #expect(found == .malformed, "\(name)")
      #expect(
        code { () throws(StorageError) in _ = try source.read(name, range: 0..<1) } == .malformed)
    }
    let devices = try DirectoryObjectSource("/dev")
    #expect(
      code { () throws(StorageError) in _ = try devices.readWhole("null", limit: 5) } == .malformed)
  }

  @Test("a root that is absent or a file is refused") func roots() {
    #expect(
      code { () throws(StorageError) in _ = try DirectoryObjectSource("/no/such") } == .missing)
    #expect(
      code { () throws(StorageError) in
        _ = try DirectoryObjectSource(directory.path + "/top")
      } == .malformed)
    #expect(code { () throws(StorageError) in _ = try openObjectSource("") } == .malformed)
    #expect(
      code { () throws(StorageError) in _ = try openObjectSource("ftp://host/") } == .unsupported)
  }
}
