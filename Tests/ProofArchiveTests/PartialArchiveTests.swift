import ChunkStorage
import Foundation
import ProofPrimitives
import ProofTestSupport
import Synchronization
import Testing

@testable import ProofArchive

@Suite("A folder of some segments (store.md §5.1)", .serialized) struct PartialArchiveTests {
  private func select(_ segments: [Int]) -> ArchivePull.Selection {
    ArchivePull.Selection(segments: segments)
  }

  /// An archive of three segments, and a place for a folder.
  private func withLarge(
    isEncrypted: Bool = false, _ body: (_ path: String, _ place: String) throws -> Void
  ) throws {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol", isEncrypted: isEncrypted)
      try body("\(folder)/a.pol", "\(folder)/part")
    }
  }

  private func withSmall(_ body: (_ path: String, _ place: String) throws -> Void) throws {
    try withTemporaryDirectory { folder in
      let writer = try SmallArchive.create(at: "\(folder)/a.pol")
      try SmallArchive.record(writer, to: 8)
      _ = try writer.seal(with: SmallArchive.key())
      try body("\(folder)/a.pol", "\(folder)/part")
    }
  }

  private func expectSame(_ one: String, _ other: String) throws {
    func names(_ path: String) throws -> Set<String> {
      try SmallArchive.unwrap(try DirectoryObjectStore(path).names())
    }
    #expect(try names(one) == names(other))
    for name in try names(one) {
      #expect(try SmallArchive.bytes("\(one)/\(name)") == SmallArchive.bytes("\(other)/\(name)"))
    }
  }

  private func refusal(_ body: () throws -> Void) -> ArchiveError? {
    do {
      try body()
      return nil
    } catch { return error as? ArchiveError }
  }

  private func flip(_ path: String, at offset: Int) throws {
    var bytes = try SmallArchive.bytes(path)
    bytes[offset] ^= 4
    try SmallArchive.write(bytes, to: path)
  }

  private func open(_ place: String) throws -> PartialArchive {
    try SmallArchive.unwrap(try openArchiveSource(place) as? PartialArchive)
  }

  /// Everything that re-executing the segment takes, read as a verifier reads it.
  private func read(
    _ place: String, _ segment: Int, _ access: ArchiveAccess = .none
  ) throws {
    let reader = try ArchiveReader(open(place), access: access, ahead: .tables)
    _ = try reader.normsTable()
    _ = try reader.claims()
    let material = try reader.segment(segment)
    #expect(
      try Set(material.points().keys) == Set(material.after.steps.flatMap(\.batch)))
    #expect(try material.startState() == LargeArchive.state(segment * 2))
  }

  @Test(
    "what is fetched is a twentieth more than what the segment takes, and is read without the source"
  )
  func counted() throws {
    try withLarge { path, place in
      let far = try FarSource(path)
      let report = try ArchivePull.pull(far, select([1]), to: place)
      let reader = try ArchiveReader(DirectoryObjectSource(path))
      let stored = try LargeArchive.storedByteCount(reader, segment: 1)
      #expect(far.transfer.bytes * 100 <= stored * 105)
      #expect(report.partial?.segments == RangeSet(1..<2))
      let held = try SmallArchive.unwrap(report.partial?.heldByteCount)
      #expect(held * 100 <= stored * 105)
      #expect(try held == open(place).heldByteCount())
      print("a pull of a segment: \(far.transfer.bytes) bytes, \(held) held, for \(stored) stored")
      try read(place, 1)
      #expect(!FileManager.default.fileExists(atPath: "\(place)/seal"))
      // Again: all is there, and checked.
      let again = try FarSource(path)
      _ = try ArchivePull.pull(again, select([1]), to: place)
      #expect(again.requests.map(\.name) == ["seal", "objects"])
      // Another segment shares ancestors, tables and tiles.
      let more = try FarSource(path)
      _ = try ArchivePull.pull(more, select([2]), to: place)
      let both = try LargeArchive.storedByteCount(reader, segment: 2)
      #expect(more.transfer.bytes * 2 < both)
      try read(place, 1)
      try read(place, 2)
      // The rest: nothing that is there is fetched again.
      let rest = try FarSource(path)
      let total = try ArchivePull.pull(rest, to: place).byteCount
      #expect(rest.transfer.bytes + far.transfer.bytes + more.transfer.bytes <= total + total / 20)
      try expectSame(path, place)
      #expect(try openArchiveSource(place) is DirectoryObjectSource)
    }
  }

  @Test("of an encrypted archive with a grant of the segment; without a key nothing is fetched")
  func encrypted() throws {
    try withLarge(isEncrypted: true) { path, place in
      let key = ArchiveAccess.epochKey(LargeArchive.epochKey)
      let grant = ArchiveAccess.grant(
        try ArchiveReader(DirectoryObjectSource(path), access: key).grant(segments: [2]))
      let source = try DirectoryObjectSource(path)
      #expect(
        refusal { _ = try ArchivePull.pull(source, select([2]), to: place) }?.code == .outsideGrant)
      #expect(!FileManager.default.fileExists(atPath: place))
      #expect(
        refusal { _ = try ArchivePull.pull(source, select([1]), access: grant, to: place) }?.code
          == .outsideGrant)
      _ = try ArchivePull.pull(source, select([2]), access: grant, to: place)
      try read(place, 2, grant)
      #expect(try ArchiveChecker.check(place, access: grant).findings.isEmpty)
      // Checksums take no key.
      let open = try ArchiveChecker.check(place, depth: .publicBytes)
      #expect(open.findings.isEmpty)
      #expect(open.chunks > 20)
      let frame = try SmallArchive.unwrap(
        try self.open(place).held("packs/00000000.pack").ranges.first)
      try flip("\(place)/packs/00000000.pack.part", at: frame.upperBound - 1)
      #expect(
        try ArchiveChecker.check(place, depth: .publicBytes).findings.map(\.error.code) == [
          .damaged
        ])
      #expect(
        try ArchiveChecker.check(place, access: grant).findings.map(\.error.code) == [.damaged])
    }
  }

  @Test("what is not there is refused with the command that fetches it, and never read as zeros")
  func holes() throws {
    try withSmall { path, place in
      _ = try ArchivePull.pull(DirectoryObjectSource(path), select([0, 2]), to: place)
      let partial = try open(place)
      let reader = try ArchiveReader(partial)
      let error = refusal { _ = try reader.segment(1) }
      #expect(error?.code == .notHeld)
      #expect(
        error?.message == "segment 1 is not in this folder, which holds segments 0,2 of the archive"
      )
      #expect(error?.remedy == "`pol pull SOURCE \(place) --segments 1` fetches it")
      let record = reader.index.rows[5].range
      #expect(throws: StorageError.self) { try partial.read("records", range: record) }
      #expect(throws: StorageError.self) {
        try partial.read("records", range: record.lowerBound - 1..<record.lowerBound + 1)
      }
      #expect(refusal { _ = try reader.checkpoint(5) }?.code == .notHeld)
      #expect(refusal { _ = try reader.state(5) }?.code == .notHeld)
      #expect(partial.lacking([0, 2]) == nil)
      #expect(refusal { _ = try ArchivePush(place) }?.code == .notHeld)
      // A glance shows what is there.
      #expect(try ArchiveSummary(reader).segments.map(\.endStep) == [2, 4, 6])
      try removeFile("\(place)/norms")
      #expect(refusal { _ = try reader.normsTable() }?.code == .notHeld)
      // No claims were made, and that is known here.
      #expect(try reader.claims() == nil)
      #expect(
        refusal { _ = try ArchivePull.pull(DirectoryObjectSource(path), select([9]), to: place) }?
          .code == .missing)
    }
  }

  @Test("a check looks at what is there, and never calls it whole")
  func checked() throws {
    try withSmall { path, place in
      let source = try DirectoryObjectSource(path)
      _ = try ArchivePull.pull(source, select([1, 2]), to: place)
      for depth in [ArchiveChecker.Depth.everything, .quick, .publicBytes] {
        let report = try ArchiveChecker.check(place, depth: depth)
        #expect(report.findings.isEmpty)
        #expect(!report.isWhole)
        #expect(report.partial?.segments == RangeSet(1..<3))
        #expect(report.partial?.allSegments == 4)
        #expect(report.records > 0)
        #expect(report.chunks > 0)
      }
      let partial = try open(place)
      let pack = try SmallArchive.unwrap(partial.held("packs/00000000.pack").ranges.first)
      let record = try SmallArchive.unwrap(partial.held("records").ranges.last)
      for (name, offset) in [
        ("packs/00000000.pack.part", pack.lowerBound + 16), ("records.part", record.upperBound - 1),
        ("policy.json", 3), ("packs/00000000.index", 30),
      ] {
        try flip("\(place)/\(name)", at: offset)
        for depth in [ArchiveChecker.Depth.everything, .quick] {
          let report = try ArchiveChecker.check(place, depth: depth)
          #expect(report.findings.contains { $0.error.code == .damaged }, "\(name)")
        }
        try flip("\(place)/\(name)", at: offset)
      }
      try SmallArchive.write([1], to: "\(place)/stray")
      #expect(
        try ArchiveChecker.check(place).findings.map(\.error.place) == ["\(place)/stray"])
    }
  }

  @Test("a wrong byte is found before it is listed, and server and object are named")
  func lies() throws {
    try withLarge { path, place in
      let reader = try ArchiveReader(DirectoryObjectSource(path))
      let row = try PackCatalog(reader.source, rawLimit: 1 << 18).row(
        try reader.envelope(2).rows[3].place, for: "a chunk")
      let record = reader.index.rows[3]
      let index = try SmallArchive.unwrap(reader.checkpoint(3).steps.flatMap(\.batch).min())
      for (name, byte) in [
        ("packs/00000000.pack", row.offset + 20), ("records", record.offset + 70),
        ("dataset/points", Int(index) * 146 + 40), ("dataset/tree.0", (Int(index) ^ 1) * 32),
        ("packs/00000000.index", 40), ("settings.json", 2),
      ] {
        if FileManager.default.fileExists(atPath: place) { try removeFile(place) }
        let lying = try FarSource(path, lie: FarSource.Lie(name: name, byte: byte))
        let error = refusal { _ = try ArchivePull.pull(lying, select([1]), to: place) }
        #expect(error?.code == .damaged, "\(name)")
        #expect(error?.place.hasPrefix("https://far.example/run.pol/\(name)") == true, "\(name)")
        let partial = try open(place)
        #expect(!partial.held(name).holds(byte..<byte + 1))
        #expect(partial.segments.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: "\(place)/\(name)"))
      }
      _ = try ArchivePull.pull(DirectoryObjectSource(path), select([1]), to: place)
      try read(place, 1)
    }
  }

  @Test("a byte that changed in the folder is fetched anew, and little else")
  func mended() throws {
    try withLarge { path, place in
      let first = try FarSource(path)
      _ = try ArchivePull.pull(first, select([1]), to: place)
      let held = try open(place).held("packs/00000000.pack")
      let range = try SmallArchive.unwrap(held.ranges.first)
      try flip("\(place)/packs/00000000.pack.part", at: range.lowerBound + 1000)
      #expect(throws: ArchiveError.self) { try read(place, 1) }
      let second = try FarSource(path)
      _ = try ArchivePull.pull(second, select([1]), to: place)
      try read(place, 1)
      #expect(second.transfer.bytes > 0)
      #expect(second.transfer.bytes * 3 < first.transfer.bytes * 2)
      // The same in a pull of the rest, which learns it at the file's end.
      try flip("\(place)/packs/00000000.pack.part", at: range.lowerBound + 1000)
      _ = try ArchivePull.pull(DirectoryObjectSource(path), to: place)
      try expectSame(path, place)
    }
  }

  @Test(
    "a source that ends anywhere is gone on with, and what was checked is not fetched again",
    arguments: [3, 6, 9, 12])
  func cut(after: Int) throws {
    try withLarge { path, place in
      let whole = try FarSource(path)
      _ = try ArchivePull.pull(whole, select([0, 1]), to: place + "2")
      let first = try EndingSource(path, after: after)
      let error = refusal { _ = try ArchivePull.pull(first, select([0, 1]), to: place) }
      #expect(error?.code == .io)
      let second = try FarSource(path)
      _ = try ArchivePull.pull(second, select([0, 1]), to: place)
      try read(place, 0)
      try read(place, 1)
      // A group that was not checked yet comes once more.
      #expect(
        first.byteCount + second.transfer.bytes <= whole.transfer.bytes + (18 << 20))
      if after > 6 { #expect(second.transfer.bytes < whole.transfer.bytes) }
      let third = try EndingSource(path, after: after)
      _ = refusal { _ = try ArchivePull.pull(third, to: place) }
      _ = try ArchivePull.pull(DirectoryObjectSource(path), to: place)
      try expectSame(path, place)
    }
  }

  @Test("a pull of the rest that is cut lists what it fetched") func restCut() throws {
    try withLarge { path, place in
      _ = try ArchivePull.pull(DirectoryObjectSource(path), select([0]), to: place)
      let before = try open(place).heldByteCount()
      let first = try EndingSource(path, after: 8)
      #expect(refusal { _ = try ArchivePull.pull(first, to: place) }?.code == .io)
      #expect(!FileManager.default.fileExists(atPath: "\(place)/seal"))
      let between = try open(place).heldByteCount()
      #expect(between > before)
      let second = try FarSource(path)
      let total = try ArchivePull.pull(second, to: place).byteCount
      #expect(second.transfer.bytes <= total - between + 1_000_000)
      try expectSame(path, place)
    }
  }

  @Test("training does not go on in a folder of segments") func notOpened() throws {
    try withSmall { path, place in
      _ = try ArchivePull.pull(DirectoryObjectSource(path), select([0]), to: place)
      let error = refusal { _ = try ArchiveWriter.open(at: place) }
      #expect(error?.message.contains("segments of a sealed archive") == true)
    }
  }

  @Test("nothing is listed before it is on the disk: a list that is behind costs a fetch, no more")
  func killed() throws {
    try withSmall { path, place in
      let source = try DirectoryObjectSource(path)
      _ = try ArchivePull.pull(source, select([0]), to: place)
      let list = try SmallArchive.bytes("\(place)/partial")
      _ = try ArchivePull.pull(source, select([3]), to: place)
      // As after a kill between the data and the list.
      try SmallArchive.write(list, to: "\(place)/partial")
      #expect(try open(place).segments == RangeSet(0..<1))
      #expect(refusal { _ = try ArchiveReader(open(place)).segment(3) }?.code == .notHeld)
      #expect(try ArchiveChecker.check(place).findings.isEmpty)
      _ = try ArchivePull.pull(source, select([3]), to: place)
      #expect(try ArchiveChecker.check(place).partial?.segments.list == "0,3")
      _ = try ArchivePull.pull(source, to: place)
      try expectSame(path, place)
      // A whole archive has all segments.
      #expect(try ArchivePull.pull(source, select([1]), to: place).partial == nil)
      try expectSame(path, place)
    }
  }

  @Test("further points are fetched where the dataset has them") func points() throws {
    try withSmall { path, place in
      let source = try DirectoryObjectSource(path)
      let beyond = ArchivePull.Selection(segments: [0]) { _ in 2..<5 }
      let error = refusal { _ = try ArchivePull.pull(source, beyond, to: place) }
      #expect(error?.code == .malformed)
      #expect(error?.isSigned == true)
      let three = ArchivePull.Selection(segments: []) { settings in
        #expect(settings == SmallArchive.settings)
        return 1..<4
      }
      try removeFile(place)
      _ = try ArchivePull.pull(source, three, to: place)
      let reader = try ArchiveReader(open(place))
      #expect(try reader.dataset.points(at: [1, 2, 3]).count == 3)
      #expect(refusal { _ = try reader.dataset.points(at: [0]) }?.code == .notHeld)
    }
  }

  @Test("a pull that is stopped lists what it checked, and goes on later") func stopped() throws {
    try withLarge { path, place in
      let source = try FarSource(path)
      let supervision = ArchiveTransfer.Supervision(isStopped: { source.transfer.bytes > 12 << 20 })
      let error = refusal { _ = try ArchivePull.pull(source, select([1]), to: place, supervision) }
      #expect(error?.code == .io)
      #expect(try open(place).heldByteCount() > 4 << 20)
      let rest = try FarSource(path)
      _ = try ArchivePull.pull(rest, select([1]), to: place)
      #expect(rest.transfer.bytes < 20 << 20)
      try read(place, 1)
    }
  }

  @Test("a whole pull that was cut short goes on with segments, and they with it") func mixed()
    throws
  {
    try withLarge { path, place in
      _ = refusal { _ = try ArchivePull.pull(EndingSource(path, after: 6), to: place) }
      _ = try ArchivePull.pull(DirectoryObjectSource(path), select([2]), to: place)
      try read(place, 2)
      _ = try ArchivePull.pull(DirectoryObjectSource(path), to: place)
      try expectSame(path, place)
    }
  }

  @Test("parts of another archive, and a list that says more than is there, are refused")
  func foreign() throws {
    try withSmall { path, place in
      let source = try DirectoryObjectSource(path)
      _ = try ArchivePull.pull(source, select([0]), to: place)
      let list = try SmallArchive.bytes("\(place)/partial")
      var claimed = try PartialManifest(parsing: list)
      claimed.segments = RangeSet(0..<3)
      claimed.ranges["dataset/points"] = RangeSet(0..<1 << 40)
      try SmallArchive.write(claimed.encoded, to: "\(place)/partial")
      #expect(try ArchiveChecker.check(place).findings.contains { $0.error.code == .notHeld })
      claimed.segments = RangeSet([0..<1, 1000..<Int(UInt32.max)])
      try SmallArchive.write(claimed.encoded, to: "\(place)/partial")
      #expect(try ArchiveChecker.check(place).findings.contains { $0.error.code == .malformed })
      try SmallArchive.write(list, to: "\(place)/partial")
      // The seal of another archive stands in the list.
      let writer = try SmallArchive.create(at: "\(path)2")
      try SmallArchive.record(writer, to: 6)
      _ = try writer.seal(with: SmallArchive.key())
      let other = try DirectoryObjectSource("\(path)2")
      #expect(refusal { _ = try ArchivePull.pull(other, select([0]), to: place) }?.code == .present)
      #expect(refusal { _ = try ArchivePull.pull(other, to: place) }?.code == .present)
      try removeFile("\(place)/objects")
      let error = refusal { _ = try ArchivePull.pull(other, select([0]), to: place) }
      #expect(error?.place == "\(place)/partial")
      #expect(!FileManager.default.fileExists(atPath: "\(place)/objects"))
      // Beside a seal it says nothing.
      try SmallArchive.write(list, to: "\(path)/partial")
      #expect(try openArchiveSource(path) is DirectoryObjectSource)
      #expect(try SmallArchive.bytes("\(place)/partial") == list)
    }
  }
}

@Suite("The list of what a folder holds (store.md §5.1)") struct PartialManifestTests {
  private func manifest() -> PartialManifest {
    var manifest = PartialManifest(seal: [UInt8](repeating: 7, count: Seal.byteCount))
    manifest.segments = RangeSet([3..<4, 7..<10])
    manifest.ranges["records"] = RangeSet([0..<48, 100..<200])
    manifest.ranges["packs/00000000.pack"] = RangeSet(16..<1 << 40)
    return manifest
  }

  /// With the checksum made right again.
  private func changed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes = Array(manifest().encoded.dropLast(4))
    change(&bytes)
    var writer = ByteWriter()
    writer.raw(bytes)
    writer.u32(crc32c(bytes))
    return writer.bytes
  }

  @Test("it has one form") func form() throws {
    let bytes = manifest().encoded
    #expect(try PartialManifest(parsing: bytes) == manifest())
    #expect(bytes.count == 400 + 4 + 16 + 4 + (2 + 19 + 4 + 16) + (2 + 7 + 4 + 32) + 4)
    #expect(
      Array(bytes[400..<420]) == [2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 10, 0, 0, 0])
    #expect(manifest().segments.list == "3,7-9")
    #expect(try PartialManifest(parsing: changed { _ in }) == manifest())
    let empty = PartialManifest(seal: manifest().seal).encoded
    #expect(Array(empty[400..<408]) == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(empty.count == 412)
  }

  @Test("any flipped bit and any cut is refused") func damaged() {
    let bytes = manifest().encoded
    for position in bytes.indices {
      var flipped = bytes
      flipped[position] ^= 1 << (position % 8)
      #expect(throws: ParsingError.self) { try PartialManifest(parsing: flipped) }
      #expect(throws: ParsingError.self) { try PartialManifest(parsing: Array(bytes[..<position])) }
    }
  }

  @Test("another form with a right checksum is refused") func otherForms() {
    let file = 400 + 4 + 16 + 4
    let refused: [[UInt8]] = [
      changed { $0[0] = 0 },
      // Runs that touch, are empty, go back, or are more than there is room for.
      changed { $0[412] = 4 }, changed { $0[408] = 3 }, changed { $0[412] = 2 },
      changed { $0[403] = 255 }, changed { $0[423] = 255 },
      // Names out of order, or twice; no ranges.
      changed { $0[file + 2] = 0x7a },
      changed {
        $0[file + 21] = 0
        $0.removeSubrange(file + 25..<file + 41)
      },
      // A range beyond every file, and one that touches the one before.
      changed { $0[file + 40] = 0x7f }, changed { $0[$0.count - 16] = 48 },
      changed { $0.append(0) },
    ]
    for bytes in refused {
      #expect(throws: ParsingError.self) { try PartialManifest(parsing: bytes) }
    }
  }

  @Test("a damaged list is refused with what to do, by readers and by a pull") func remedy() throws
  {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let writer = try SmallArchive.create(at: path)
      try SmallArchive.record(writer, to: 4)
      _ = try writer.seal(with: SmallArchive.key())
      let source = try DirectoryObjectSource(path)
      let selection = ArchivePull.Selection(segments: [0])
      _ = try ArchivePull.pull(source, selection, to: "\(folder)/part")
      var bytes = try SmallArchive.bytes("\(folder)/part/partial")
      bytes[410] ^= 1
      try SmallArchive.write(bytes, to: "\(folder)/part/partial")
      for body in [
        { _ = try openArchiveSource("\(folder)/part") },
        { _ = try ArchivePull.pull(source, selection, to: "\(folder)/part") },
        { _ = try ArchivePull.pull(source, to: "\(folder)/part") },
      ] {
        let error = #expect(throws: ArchiveError.self, performing: body)
        #expect(error?.code == .damaged)
        #expect(error?.remedy.contains("remove this file") == true)
      }
      // Longer than any list: refused before it is read.
      #expect(truncate("\(folder)/part/partial", (64 << 20) + 1) == 0)
      let error = #expect(throws: ArchiveError.self) {
        _ = try openArchiveSource("\(folder)/part")
      }
      #expect(error?.code == .limit)
      try removeFile("\(folder)/part/partial")
      _ = try ArchivePull.pull(source, selection, to: "\(folder)/part")
      #expect(try ArchiveChecker.check("\(folder)/part").findings.isEmpty)
    }
  }
}

/// A server that is gone after some answers.
private final class EndingSource: ObjectSource {
  private struct State {
    var left: Int
    var byteCount = 0
  }

  private let folder: DirectoryObjectSource
  private let state: Mutex<State>
  let location = "https://far.example/run.pol"

  init(_ path: String, after: Int) throws {
    folder = try DirectoryObjectSource(path)
    state = Mutex(State(left: after))
  }

  var transfer: TransferCount { folder.transfer }
  var byteCount: Int { state.withLock { $0.byteCount } }

  private func take<Value>(
    _ count: (Value) -> Int, _ body: () throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    let isOver = state.withLock { state in
      state.left -= 1
      return state.left < 0
    }
    guard !isOver else { throw StorageError(.io, at: location, "cut", remedy: "none") }
    let value = try body()
    state.withLock { $0.byteCount += count(value) }
    return value
  }

  func byteCount(of name: String) throws(StorageError) -> Int? { try folder.byteCount(of: name) }

  func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    try take({ $0.count }) { () throws(StorageError) in try folder.read(name, range: range) }
  }

  func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    try take({ $0?.count ?? 0 }) { () throws(StorageError) in
      try folder.readWhole(name, limit: limit)
    }
  }
}
