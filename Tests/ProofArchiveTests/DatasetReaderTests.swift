import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("Fetching single data points (dataset.md §4)") struct DatasetReaderTests {
  private func dataset(
    _ archive: ForgedArchive, root: Digest? = nil, count: Int = 4
  ) throws -> DatasetReader {
    DatasetReader(
      source: try archive.source(), root: try root ?? SmallArchive.dataset().root, count: count,
      keys: nil)
  }

  private func code(_ body: () throws -> Void) -> ArchiveError.Code? {
    #expect(throws: ArchiveError.self) { try body() }?.code
  }

  @Test("an index beyond the dataset is refused before anything is read") func beyond() throws {
    try withForgedArchive { archive in
      for index in [4, 5, UInt32.max] {
        let dataset = try dataset(archive)
        #expect(dataset.requests(for: [0, index]).tables.isEmpty)
        #expect(code { _ = try dataset.points(at: [0, index]) } == .malformed)
        #expect(code { try dataset.check([index]) } == .malformed)
      }
      #expect(try dataset(archive).points(at: [0, 3]).count == 2)
      #expect(try !dataset(archive).requests(for: [0, 3]).tables.isEmpty)
    }
    try withForgedArchive(isEncrypted: true) { archive in
      let reader = try ArchiveReader(archive.source(), access: ForgedArchive.access)
      #expect(try reader.dataset.objectIDs(of: [0, 3]).map(\.index) == [0, 3])
      for index in [4, UInt32.max] {
        #expect(code { _ = try reader.dataset.objectIDs(of: [index]) } == .malformed)
      }
    }
  }

  @Test("points of another root or count are not the committed ones") func otherTree() throws {
    try withForgedArchive { archive in
      for (root, count) in [(SmallArchive.digest(1), 4), (nil, 3), (nil, 5)] {
        let dataset = try dataset(archive, root: root, count: count)
        #expect(code { _ = try dataset.points(at: [2]) } == .damaged)
      }
    }
  }

  @Test("offsets that do not increase, or hold more than a point may") func offsets() throws {
    try withForgedArchive { archive in
      func expectRefusal(_ expected: ArchiveError.Code, _ start: UInt64, _ end: UInt64) throws {
        try archive.edit("dataset/offsets") { bytes in
          var writer = ByteWriter()
          writer.u64(start)
          writer.u64(end)
          bytes.replaceSubrange(8..<24, with: writer.bytes)
        }
        #expect(code { _ = try dataset(archive).points(at: [1]) } == expected)
      }
      try expectRefusal(.malformed, 9, 9)
      try expectRefusal(.malformed, 9, 8)
      try expectRefusal(.malformed, 1 << 62 - 1, 1 << 62)
      try expectRefusal(.malformed, 1 << 63, .max)
      try expectRefusal(.limit, 0, UInt64(SaltedPoint.byteLimit) + 1)
      try expectRefusal(.damaged, 0, UInt64(SaltedPoint.byteLimit))
    }
  }
}
