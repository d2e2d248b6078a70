import ChunkStorage
import Foundation
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("Reading a segment from far away (store.md §2.1)", .serialized) struct SegmentMaterialTests {
  /// The second: its start is a delta of the first state.
  private static let segment = 1

  private func read(
    _ source: any ObjectSource, _ access: ArchiveAccess = .none
  ) throws -> (ArchiveReader, TransferCount) {
    let ahead = ReadAhead(segment: Self.segment)
    let reader = try ArchiveReader(source, access: access, ahead: ahead)
    let material = try reader.segment(Self.segment)
    #expect(material.before.step == 2)
    #expect(material.after.step == 4)
    let points = try material.points()
    #expect(Set(points.keys) == Set(material.after.steps.flatMap(\.batch)))
    for (index, point) in points { #expect(point.point.label == Int64(index)) }
    #expect(try material.startState() == LargeArchive.state(2))
    let transfer = source.transfer
    #expect(try !reader.envelope(Self.segment + 1).ancestors.isEmpty)
    return (reader, transfer)
  }

  private func expectCheap(_ found: (reader: ArchiveReader, transfer: TransferCount)) throws {
    #expect(found.transfer.roundTrips == 4)
    let stored = try LargeArchive.storedByteCount(found.reader, segment: Self.segment)
    #expect(stored > 20 << 20)
    #expect(found.transfer.bytes * 100 <= stored * 105)
    print(
      "a segment from far away: \(found.transfer.roundTrips) round trips, "
        + "\(found.transfer.requests) requests, \(found.transfer.bytes) bytes for \(stored) stored")
  }

  @Test("a cold open and a segment are four round trips and a twentieth more than what is stored")
  func counted() throws {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol")
      try expectCheap(try read(try FarSource("\(folder)/a.pol")))
    }
  }

  @Test(
    "the same over HTTP",
    .enabled(if: NginxServer.program != nil, "nginx is not installed"))
  func overHTTP() throws {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol")
      let server = try NginxServer(serving: folder)
      try expectCheap(try read(try HTTPObjectSource("\(server.url)/a.pol")))
    }
  }

  @Test("the same of an encrypted archive, with the key and with a grant of the segment")
  func encrypted() throws {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol", isEncrypted: true)
      let access = ArchiveAccess.epochKey(LargeArchive.epochKey)
      let found = try read(try FarSource("\(folder)/a.pol"), access)
      try expectCheap(found)
      let grant = try found.0.grant(segments: [Self.segment])
      try expectCheap(try read(try FarSource("\(folder)/a.pol"), .grant(grant)))
      let other = try ArchiveReader(
        FarSource("\(folder)/a.pol"), access: .grant(grant), ahead: ReadAhead(segment: 2))
      let refusal = #expect(throws: ArchiveError.self) { try other.segment(2) }
      #expect(refusal?.code == .outsideGrant)
    }
  }

  @Test("a second segment is three round trips, and one that there is not is none") func more()
    throws
  {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol")
      let source = try FarSource("\(folder)/a.pol")
      let reader = try ArchiveReader(source, ahead: .tables)
      _ = try reader.normsTable()
      _ = try reader.storedByteCount()
      #expect(source.transfer.roundTrips == 2)
      for (segment, trips) in [(0, 5), (2, 8)] {
        let material = try reader.segment(segment)
        _ = try material.startState()
        _ = try material.points()
        #expect(source.transfer.roundTrips == trips)
      }
      // A tile that is here is not fetched again.
      let tiles = source.requests.filter { $0.name.hasPrefix("dataset/tree.") }
      let fetched = tiles.reduce(0) {
        if case .range(let range) = $1.part { $0 + range.count } else { $0 }
      }
      #expect(fetched <= (LargeArchive.pointCount + 11) * 32)
      for number in [-1, 3, Int.max] {
        #expect(throws: ArchiveError.self) { try reader.segment(number) }
      }
      #expect(source.transfer.roundTrips == 8)
      // What cannot be is asked for by nobody.
      _ = try ArchiveReader(FarSource("\(folder)/a.pol"), ahead: ReadAhead(segment: Int.max))
    }
  }

  @Test("a slice of a tensor is three ranges and two MiB, plain or delta", arguments: [1, 2])
  func slice(record: Int) throws {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol")
      let source = try FarSource("\(folder)/a.pol")
      let reader = try ArchiveReader(source)
      let opened = (source.requests.count, source.transfer.bytes)
      let state = try reader.source(record, readsAhead: false)
      let position = try #require(state.specs.firstIndex { $0.name == "w" })
      var slice = [UInt8](repeating: 0, count: 1 << 20)
      let offset = 3 << 20
      try slice.withUnsafeMutableBytes { try state.read(tensor: position, at: offset, into: $0) }
      let expected = try LargeArchive.state((record - 1) * 2).tensors[position].bytes
      #expect(slice == Array(expected[offset..<offset + slice.count]))
      let ranges = source.requests[opened.0...].filter {
        if case .range = $0.part { true } else { false }
      }
      #expect(ranges.count <= 3)
      #expect(source.transfer.bytes - opened.1 <= 2 << 20)
      // What follows is not fetched before it is asked for.
      let before = source.transfer.bytes
      try slice.withUnsafeMutableBytes {
        try state.read(
          tensor: position, at: offset + $0.count,
          into: UnsafeMutableRawBufferPointer(rebasing: $0[..<(1 << 18)]))
      }
      #expect(source.transfer.bytes - before <= 1 << 19)
    }
  }
}

@Suite("A server that lies (store.md §8)") struct LyingServerTests {
  private let far = "https://far.example/run.pol"

  private func refusal(_ path: String, _ name: String, _ byte: Int) throws -> ArchiveError? {
    let source = try FarSource(path, lie: FarSource.Lie(name: name, byte: byte))
    do throws(ArchiveError) {
      let material = try ArchiveReader(source, ahead: ReadAhead(segment: 1)).segment(1)
      _ = try material.points()
      _ = try material.startState()
      return nil
    } catch { return error }
  }

  @Test("a flipped byte is found, and server, object and byte are named") func flipped() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      try LargeArchive.make(at: path)
      let reader = try ArchiveReader(DirectoryObjectSource(path))
      let envelope = try reader.envelope(2)
      let catalog = PackCatalog(reader.source, rawLimit: 1 << 18)
      let delta = try #require(envelope.rows.first { $0.parent != nil })
      for place in [delta.place, try #require(envelope.chain(of: delta).first).place] {
        let row = try catalog.row(place, for: "a chunk")
        let name = ArchiveFiles.pack(place.pack)
        let error = try refusal(path, name, row.offset + row.byteCount / 2)
        #expect(error?.code == .damaged)
        #expect(error?.place == "\(far)/\(name), byte \(row.offset)")
      }
      for number in [0, 2, 3] {
        let row = reader.index.rows[number]
        let error = try refusal(path, "records", row.offset + row.frameByteCount - 1)
        #expect(error?.code == .damaged)
        #expect(
          error?.place.hasPrefix("\(far)/records, record \(number) at byte \(row.offset)") == true)
      }
    }
  }

  @Test("of a data point and its tree, the one that is wrong is named") func points() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      try LargeArchive.make(at: path)
      let reader = try ArchiveReader(DirectoryObjectSource(path))
      let index = try #require(
        try reader.checkpoint(3).steps.flatMap(\.batch).filter { $0 < 2816 }.min())
      // 32 of salt, then the canonical bytes: 2, one dimension, 100 elements, the label.
      let byteCount = 32 + 2 + 4 + 100 + 8
      let start = Int(index) * byteCount
      let point = try refusal(path, "dataset/points", start + 50)
      #expect(point?.code == .damaged)
      #expect(point?.place == "\(far)/dataset/points, byte \(start) (point \(index))")
      #expect(point?.message.contains("point \(index)") == true)
      // The leaf beside it is part of its proof; it stands in a full tile.
      let tile = Int(index) / 256 * 8192
      let leaf = try refusal(path, "dataset/tree.0", (Int(index) ^ 1) * 32)
      #expect(leaf?.code == .damaged)
      #expect(leaf?.place == "\(far)/dataset/tree.0, bytes \(tile) to \(tile + 8191)")
      // A tile that is not full is named by the root alone, with the others of the right edge.
      let above = try refusal(path, "dataset/tree.1", 10 * 32)
      #expect(above?.code == .damaged)
      #expect(above?.place.hasPrefix("\(far)/dataset/tree.1, bytes 0 to 351") == true)
      #expect(above?.place.contains("\(far)/dataset/tree.0, bytes 90112 to 95999") == true)
    }
  }

  @Test(
    "tables are named with their server",
    arguments: ["seal", "records.index", "settings.json", "policy.json", "packs/00000000.index"])
  func tables(name: String) throws {
    try withTemporaryDirectory { folder in
      try LargeArchive.make(at: "\(folder)/a.pol")
      let error = try refusal("\(folder)/a.pol", name, 20)
      #expect(error?.code == .damaged)
      #expect(error?.place.hasPrefix("\(far)/\(name)") == true)
    }
  }
}
