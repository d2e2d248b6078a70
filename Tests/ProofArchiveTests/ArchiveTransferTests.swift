import ChunkStorage
import Foundation
import ProofPrimitives
import ProofTestSupport
import Synchronization
import Testing

@testable import ProofArchive

/// A server that ignores ranges: counts how many things are asked of it at a time.
private final class RangelessSource: ObjectSource {
  private let folder: DirectoryObjectSource
  private let count = Mutex((now: 0, most: 0, wasRead: false))

  init(_ path: String) throws { folder = try DirectoryObjectSource(path) }

  var mostAtOnce: Int { count.withLock { $0.most } }
  var location: String { "https://far.example/run.pol" }
  var transfer: TransferCount { folder.transfer }
  var ignoresRanges: Bool { count.withLock { $0.wasRead } }

  func byteCount(of name: String) throws(StorageError) -> Int? { try folder.byteCount(of: name) }

  func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    count.withLock {
      $0.now += 1
      $0.most = max($0.most, $0.now)
      $0.wasRead = true
    }
    defer { count.withLock { $0.now -= 1 } }
    usleep(2000)
    return try folder.read(name, range: range)
  }

  func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    try folder.readWhole(name, limit: limit)
  }
}

@Suite("Pushing and pulling an archive (store.md §4, §5)") struct ArchiveTransferTests {
  /// A sealed archive at `a.pol` in a folder of its own.
  private func withSealed(_ body: (_ folder: String, _ path: String) throws -> Void) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      try makeSealed(at: path)
      try body(folder, path)
    }
  }

  private func makeSealed(at path: String, to last: Int = 8) throws {
    let writer = try SmallArchive.create(at: path)
    try SmallArchive.record(writer, to: last)
    _ = try writer.seal(with: SmallArchive.key())
  }

  @discardableResult
  private func push(
    _ path: String, _ target: any ObjectStore
  ) throws -> ArchiveTransfer { try ArchivePush(path).run(to: target) }

  @Test("of a server that ignores ranges one file after another is fetched")
  func oneAfterAnother() throws {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol")
      let source = try RangelessSource("\(folder)/a.pol")
      _ = try ArchivePull.pull(source, to: "\(folder)/b.pol")
      #expect(source.mostAtOnce == 1)
      try expectSame("\(folder)/a.pol", "\(folder)/b.pol")
    }
  }

  private func names(_ path: String) throws -> Set<String> {
    try #require(try DirectoryObjectStore(path).names())
  }

  private func expectSame(_ one: String, _ other: String) throws {
    #expect(try names(one) == names(other))
    for name in try names(one) {
      #expect(try SmallArchive.bytes("\(one)/\(name)") == SmallArchive.bytes("\(other)/\(name)"))
    }
  }

  private func code(_ body: () throws -> Void) -> ArchiveError.Code? {
    do {
      try body()
      return nil
    } catch { return (error as? ArchiveError)?.code }
  }

  @Test("what was pushed and pulled is the archive, and a second run copies nothing")
  func thereAndBack() throws {
    try withSealed { folder, path in
      let (there, back) = ("\(folder)/there", "\(folder)/back")
      let first = try push(path, DirectoryObjectStore(there))
      #expect(first.copiedFileCount == first.fileCount)
      #expect(first.copiedByteCount == first.byteCount)
      #expect(try push(path, DirectoryObjectStore(there)).copiedFileCount == 0)
      let pulled = try ArchivePull.pull(DirectoryObjectSource(there), to: back)
      #expect(pulled.copiedByteCount == first.byteCount)
      #expect(try ArchivePull.pull(DirectoryObjectSource(there), to: back).copiedFileCount == 0)
      try expectSame(path, back)
      #expect(try ArchiveChecker.check(back).isWhole)
    }
  }

  @Test("the table comes after all files and the seal after all") func order() throws {
    try withSealed { folder, path in
      let store = WatchedStore(try DirectoryObjectStore("\(folder)/there"))
      try push(path, store)
      #expect(store.order.suffix(2) == ["objects", "seal"])
      #expect(Set(store.order) == (try names(path)))
    }
  }

  @Test("a push that fails anywhere leaves no seal and goes on later", arguments: 0..<8)
  func interruptedPush(failing: Int) throws {
    try withSealed { folder, path in
      let inner = try DirectoryObjectStore("\(folder)/there")
      let store = WatchedStore(inner, failingAt: failing)
      #expect(code { try push(path, store) } == .io)
      #expect(try !names("\(folder)/there").contains("seal"))
      let rest = try push(path, inner)
      // Four go at once: the others of the failing one's four may not have arrived.
      #expect(rest.copiedFileCount < rest.fileCount || failing < 4)
      try expectSame(path, "\(folder)/there")
    }
  }

  @Test("an archive without a seal, or with a damaged file, is not pushed") func refusedPush()
    throws
  {
    try withSealed { folder, path in
      let copy = "\(folder)/b.pol"
      for name in ["records", "packs/00000000.pack", "dataset/points"] {
        try SmallArchive.copy(path, to: copy)
        var bytes = try SmallArchive.bytes("\(copy)/\(name)")
        bytes[bytes.count - 1] ^= 1
        try SmallArchive.write(bytes, to: "\(copy)/\(name)")
        let store = try DirectoryObjectStore("\(folder)/there.\(name.utf8.count)")
        #expect(code { try push(copy, store) } == .damaged)
        #expect(try store.names()?.contains(name) == false)
        #expect(try store.names()?.contains("seal") == false)
      }
      try SmallArchive.copy(path, to: copy)
      try removeFile("\(copy)/seal")
      #expect(code { _ = try ArchivePush(copy) } == .missing)
    }
  }

  @Test(
    "nothing of another archive is replaced, at the target or in the folder",
    arguments: ["seal", "objects", "records", "packs/00000007.pack"])
  func another(name: String) throws {
    try withSealed { folder, path in
      let place = "\(folder)/taken"
      let bytes = [UInt8](repeating: 7, count: 10)
      _ = try DirectoryObjectStore(place)
      try RootedFiles(place).replace(name, with: bytes)
      #expect(code { try push(path, DirectoryObjectStore(place)) } == .present)
      #expect(try SmallArchive.bytes("\(place)/\(name)") == bytes)
      // A pull leaves a stray pack to `pol check`: no file of this archive has that name.
      guard name != "packs/00000007.pack" else { return }
      let source = try DirectoryObjectSource(path)
      let other = "\(folder)/other"
      _ = try DirectoryObjectStore(other)
      try RootedFiles(other).replace(name, with: bytes)
      #expect(code { _ = try ArchivePull.pull(source, to: other) } == .present)
      #expect(try SmallArchive.bytes("\(other)/\(name)") == bytes)
    }
  }

  @Test("a flipped byte is found before the file has its name") func flipped() throws {
    try withSealed { folder, path in
      for name in try names(path) where !["objects", "seal"].contains(name) {
        let source = FaultySource(try DirectoryObjectSource(path), flipping: name)
        let place = "\(folder)/back"
        do throws(ArchiveError) {
          _ = try ArchivePull.pull(source, to: place)
          Issue.record("\(name) was believed")
        } catch {
          #expect(error.code == .damaged)
          #expect(error.place == "\(path)/\(name)")
        }
        #expect(try names(place).isDisjoint(with: [name, name + ".part", "seal"]))
        try removeFile(place)
      }
    }
  }

  @Test("a pull that was cut goes on behind what is there") func resumedPull() throws {
    try withSealed { folder, path in
      let place = "\(folder)/back"
      let points = try SmallArchive.bytes("\(path)/records")
      _ = try DirectoryObjectStore(place)
      try RootedFiles(place).replace("records.part", with: Array(points.prefix(100)))
      // This one does not begin as it should, and is fetched again.
      try RootedFiles(place).replace("policy.json.part", with: [0, 0])
      let pulled = try ArchivePull.pull(DirectoryObjectSource(path), to: place)
      #expect(pulled.copiedFileCount == pulled.fileCount)
      try expectSame(path, place)
    }
  }

  @Test("a pull that is stopped leaves no seal and goes on later") func stopped() throws {
    try withSealed { folder, path in
      let calls = Mutex(0)
      let supervision = ArchiveTransfer.Supervision(isStopped: {
        calls.withLock {
          $0 += 1
          return $0 > 3
        }
      })
      let source = try DirectoryObjectSource(path)
      let place = "\(folder)/back"
      #expect(code { _ = try ArchivePull.pull(source, to: place, supervision) } == .io)
      #expect(try !names(place).contains("seal"))
      _ = try ArchivePull.pull(source, to: place)
      try expectSame(path, place)
    }
  }

  @Test("a folder that somebody fills at the moment is not touched") func locked() throws {
    try withSealed { folder, path in
      let place = "\(folder)/back"
      _ = try DirectoryObjectStore(place)
      let lock = try DirectoryLock(place)
      #expect(
        code { _ = try ArchivePull.pull(DirectoryObjectSource(path), to: place) } == .locked)
      withExtendedLifetime(lock) {}
    }
  }
}

/// Notes the order of puts, and fails at one of them.
private final class WatchedStore: ObjectStore {
  private let inner: DirectoryObjectStore
  private let failingAt: Int?
  private let putNames = Mutex<[String]>([])

  init(_ inner: DirectoryObjectStore, failingAt: Int? = nil) {
    self.inner = inner
    self.failingAt = failingAt
  }

  var order: [String] { putNames.withLock { $0 } }
  var location: String { inner.location }
  var source: any ObjectSource { inner.source }
  func prepare(_ probe: OutgoingObject) -> StorePreparation {
    StorePreparation(isProbeStored: false, warnings: ["watched"])
  }
  func find(_ name: String) throws(StorageError) -> StoredObject? { try inner.find(name) }
  func names() throws(StorageError) -> Set<String>? { nil }

  func put(
    _ object: OutgoingObject, progress: (Int) -> Void, isStopped: () -> Bool
  ) throws(StorageError) -> PutOutcome {
    let turn = putNames.withLock {
      $0.append(object.name)
      return $0.count - 1
    }
    if turn == failingAt { throw StorageError(.io, at: "store", "cut", remedy: "none") }
    return try inner.put(object, progress: progress, isStopped: isStopped)
  }
}

/// Gives one bit of one object wrong.
private final class FaultySource: ObjectSource {
  private let inner: DirectoryObjectSource
  private let flipping: String

  init(_ inner: DirectoryObjectSource, flipping: String) {
    self.inner = inner
    self.flipping = flipping
  }

  var location: String { inner.location }
  var transfer: TransferCount { inner.transfer }

  func byteCount(of name: String) throws(StorageError) -> Int? { try inner.byteCount(of: name) }

  func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    var bytes = try inner.read(name, range: range)
    if name == flipping, let last = bytes.indices.last { bytes[last] ^= 1 }
    return bytes
  }

  func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    try inner.readWhole(name, limit: limit)
  }
}
