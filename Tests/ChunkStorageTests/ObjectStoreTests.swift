import Cryptography
import Foundation
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ChunkStorage

@Suite("A directory as a store (store.md §2)") struct DirectoryObjectStoreTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func put(
    _ name: String, _ bytes: [UInt8], digest: Digest? = nil, isStopped: Bool = false
  ) throws -> PutOutcome {
    let store = try DirectoryObjectStore(directory.path + "/deep/store")
    return try store.put(
      OutgoingObject(name, .bytes(bytes), digest: digest ?? SHA256.hash(bytes)),
      progress: { _ in }, isStopped: { isStopped })
  }

  @Test("an object is put once and never replaced") func once() throws {
    #expect(try put("packs/a", [1, 2]) == .stored)
    #expect(try put("packs/a", [3]) == .present)
    let store = try DirectoryObjectStore(directory.path + "/deep/store")
    #expect(try store.source.readWhole("packs/a", limit: 9) == [1, 2])
    #expect(try store.names() == ["packs/a"])
    let same = OutgoingObject("packs/a", .bytes([1, 2]), digest: SHA256.hash([UInt8]([1, 2])))
    #expect(try store.holds(same) == true)
    let other = OutgoingObject("packs/a", .bytes([1, 3]), digest: SHA256.hash([UInt8]([1, 3])))
    #expect(try store.holds(other) == false)
    let absent = OutgoingObject("packs/b", .bytes([1, 3]), digest: other.digest)
    #expect(try store.holds(absent) == nil)
  }

  @Test("nothing is left of an object that is wrong, or that is stopped") func wrong() throws {
    #expect(failure { _ = try put("a", [1], digest: .zero) }?.code == .damaged)
    #expect(failure { _ = try put("a", [1], isStopped: true) }?.code == .io)
    let store = try DirectoryObjectStore(directory.path + "/deep/store")
    #expect(try store.names() == [])
    #expect(try DirectoryObjectSource(directory.path + "/deep/store").names() == [])
  }

  @Test("a file goes whole, in blocks") func file() throws {
    try directory.file("big", pattern(2_500_000))
    let file = try #require(try DirectoryObjectSource(directory.path).outgoing("big"))
    let store = try DirectoryObjectStore(directory.path + "/store")
    var sent = 0
    let object = OutgoingObject("big", .file(file), digest: try file.digest())
    #expect(try store.put(object, progress: { sent += $0 }, isStopped: { false }) == .stored)
    #expect(sent == 2_500_000)
    #expect(try store.source.readWhole("big", limit: 3_000_000) == pattern(2_500_000))
  }
}

@Suite("A file that is being fetched (store.md §5)") struct PartialFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }
  let bytes = pattern(3_000)

  private func part(limit: Int = 3_000) throws -> PartialFile {
    try PartialFile("packs/a", in: DirectoryObjectSource(directory.path), limit: limit)
  }

  @Test("what an earlier run left is gone on with") func resumed() throws {
    try part().append(Array(bytes[..<1000]))
    let second = try part()
    #expect(second.byteCount == 1000)
    try second.append(Array(bytes[1000...]))
    #expect(try second.finish(SHA256.hash(bytes)))
    let source = try DirectoryObjectSource(directory.path)
    #expect(try source.readWhole("packs/a", limit: 3_000) == bytes)
    #expect(try source.names() == ["packs/a"])
  }

  @Test("a wrong beginning gets no name") func wrong() throws {
    try directory.file("packs/a.part", [UInt8](repeating: 0, count: 1000))
    let file = try part()
    try file.append(Array(bytes[1000...]))
    #expect(try !file.finish(SHA256.hash(bytes)))
    #expect(file.byteCount == 0)
    try file.append(bytes)
    #expect(try file.finish(SHA256.hash(bytes)))
  }

  @Test("one that is too long is begun anew, and a link is not followed") func refused() throws {
    try directory.file("packs/a.part", pattern(4_000))
    #expect(try part().byteCount == 0)
    try FileManager.default.removeItem(atPath: directory.path + "/packs/a.part")
    try directory.file("victim", pattern(10))
    try FileManager.default.createSymbolicLink(
      atPath: directory.path + "/packs/a.part", withDestinationPath: directory.path + "/victim")
    #expect(failure { _ = try part() }?.code == .malformed)
    #expect(try DirectoryObjectSource(directory.path).readWhole("victim", limit: 10) == pattern(10))
  }

  @Test("what stands under the name is not replaced") func present() throws {
    try directory.file("packs/a", [7])
    let file = try part()
    try file.append(bytes)
    #expect(failure { _ = try file.finish(SHA256.hash(bytes)) }?.code == .present)
  }
}
