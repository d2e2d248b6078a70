import Foundation
import ProofTestSupport
import Testing

@testable import ChunkStorage

@Suite("Cached objects (store.md §6)") struct CachingObjectSourceTests {
  let directory: TemporaryDirectory
  let folder: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    folder = try TemporaryDirectory()
    try directory.file("seal", [1])
    try directory.file("top", pattern(1000))
  }

  private func source(limit: Int = 1 << 20) throws -> CachingObjectSource {
    CachingObjectSource(
      try DirectoryObjectSource(directory.path),
      in: try CacheFolder(folder.path, byteLimit: limit), anchor: "seal")
  }

  private func read(_ source: CachingObjectSource) throws -> [UInt8] {
    _ = try source.readWhole("seal", limit: 10)
    return try source.read("top", range: 10..<20)
  }

  @Test("what was read once is read here the next time") func hit() throws {
    #expect(try read(source()) == Array(pattern(1000)[10..<20]))
    let again = try source()
    #expect(try read(again) == Array(pattern(1000)[10..<20]))
    #expect(again.transfer.requests == 1)
    let together = try again.readTogether([
      ObjectRequest("top", .range(10..<20)), ObjectRequest("absent", .whole(limit: 9)),
      ObjectRequest("top", .whole(limit: 1000)),
    ])
    #expect(together == [Array(pattern(1000)[10..<20]), nil, pattern(1000)])
    #expect(again.transfer.requests == 3)
    #expect(try again.readWhole("top", limit: 1000) == pattern(1000))
    #expect(again.transfer.requests == 3)
    // The limit holds for what is kept too.
    #expect(failure { _ = try again.readWhole("top", limit: 999) }?.code == .limit)
  }

  @Test("nothing is kept before the anchor was read, nor the anchor") func anchor() throws {
    let source = try source()
    _ = try source.read("top", range: 10..<20)
    #expect(try folder.names() == [])
    _ = try source.readWhole("seal", limit: 10)
    #expect(try folder.names() == [])
  }

  @Test("the anchor may come with the rest; what is kept counts only under the same one")
  func anchorTogether() throws {
    let requests = [
      ObjectRequest("top", .range(10..<20)), ObjectRequest("seal", .whole(limit: 10)),
      ObjectRequest("absent", .whole(limit: 10)),
    ]
    #expect(try source().readTogether(requests) == [Array(pattern(1000)[10..<20]), [1], nil])
    let again = try source()
    #expect(try again.readTogether(requests) == [Array(pattern(1000)[10..<20]), [1], nil])
    #expect(again.transfer.requests == 2)
    try directory.file("seal", [2])
    try directory.file("top", [UInt8](repeating: 9, count: 1000))
    let other = try source()
    #expect(try other.readTogether(requests) == [[UInt8](repeating: 9, count: 10), [2], nil])
    #expect(other.transfer.requests == 3)
    #expect(try other.read("top", range: 10..<20) == [UInt8](repeating: 9, count: 10))
    #expect(other.transfer.requests == 3)
    // A seal that is gone has nothing kept under it.
    try FileManager.default.removeItem(atPath: directory.path + "/seal")
    let without = try source()
    #expect(try without.readTogether(requests)[1] == nil)
    #expect(without.transfer.requests == 3)
    other.forget()
    #expect(try folder.names() == [])
  }

  @Test("another seal means other objects") func otherSeal() throws {
    _ = try read(source())
    try directory.file("seal", [2])
    try directory.file("top", [UInt8](repeating: 9, count: 1000))
    #expect(try read(source()) == [UInt8](repeating: 9, count: 10))
  }

  @Test("a damaged entry is none, wherever it is damaged", arguments: [0, 31, 32, 41])
  func damage(position: Int) throws {
    _ = try read(source())
    let name = try #require(try folder.names().first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name))
    bytes[position] ^= 1
    try bytes.write(to: URL(fileURLWithPath: folder.path + "/" + name))
    let again = try source()
    #expect(try read(again) == Array(pattern(1000)[10..<20]))
    #expect(again.transfer.requests == 2)
    // Cut short, empty, and a link elsewhere.
    for length in [0, 31, 40] {
      try bytes.prefix(length).write(to: URL(fileURLWithPath: folder.path + "/" + name))
      #expect(try read(source()) == Array(pattern(1000)[10..<20]))
    }
    try FileManager.default.removeItem(atPath: folder.path + "/" + name)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/" + name, withDestinationPath: "/dev/zero")
    #expect(try read(source()) == Array(pattern(1000)[10..<20]))
  }

  @Test("what proved wrong is forgotten") func forget() throws {
    _ = try read(source())
    let second = try source()
    _ = try read(second)
    second.forget()
    #expect(try folder.names() == [])
  }

  @Test("entries are the user's own") func permissions() throws {
    _ = try read(source())
    let name = try #require(try folder.names().first)
    let mode =
      try FileManager.default.attributesOfItem(atPath: folder.path + "/" + name)[
        .posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test("the size is held, and what was used last stays") func size() throws {
    try FileManager.default.createDirectory(
      atPath: folder.path + "/keep", withIntermediateDirectories: false)
    try folder.file("notes.txt", pattern(5000))
    // Entries of 132 bytes; a limit of 1,320 keeps ten.
    let source = try source(limit: 1320)
    _ = try source.readWhole("seal", limit: 10)
    for start in 0..<40 {
      _ = try source.read("top", range: start..<start + 100)
      _ = try source.read("top", range: 0..<100)
      usleep(2000)
    }
    let entries = try folder.names().filter { $0.utf8.count == 64 }
    #expect((7...10).contains(entries.count))
    #expect(try folder.names().contains("notes.txt"))
    let requests = source.transfer.requests
    _ = try source.read("top", range: 0..<100)
    #expect(source.transfer.requests == requests)
    // A single object of more than an eighth is not kept.
    _ = try source.read("top", range: 0..<200)
    #expect(try folder.names().filter { $0.utf8.count == 64 }.sorted() == entries.sorted())
    // A smaller limit is held at once.
    _ = try CacheFolder(folder.path, byteLimit: 400)
    #expect(try folder.names().filter { $0.utf8.count == 64 }.count <= 3)
  }
}
