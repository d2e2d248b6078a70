import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("What a reader compares with the seal (archive.md §6, §9)") struct FalseRecordTests {
  private func sealed(_ path: String) throws -> ArchiveReader {
    let writer = try SmallArchive.create(at: path)
    try SmallArchive.record(writer, to: 6)
    _ = try writer.seal(with: SmallArchive.key())
    return try openArchive(path)
  }

  @Test(
    "a record with a right checksum that is not the one in the archive root is refused",
    arguments: [0, 2, 4])
  func otherRecord(number: Int) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let row = try sealed(path).index.rows[number]
      let original = try SmallArchive.bytes("\(path)/records")
      let frame = try RecordFrame(parsing: Array(original[row.range]), number: number, keys: nil)
      var tried = 0
      for position in frame.record.indices where tried < 20 {
        var record = frame.record
        record[position] ^= 1
        let other = RecordFrame.encode(record: record, envelope: frame.envelope)
        // One of another length is refused before.
        guard other.count == row.frameByteCount else { continue }
        tried += 1
        var changed = original
        changed.replaceSubrange(row.range, with: other)
        try SmallArchive.write(changed, to: "\(path)/records")
        let found = #expect(throws: ArchiveError.self) {
          let reader = try openArchive(path)
          _ = try reader.checkpoint(number)
        }
        #expect(found?.code == .damaged)
        #expect(found?.message.contains("not the one in the archive root") == true)
      }
      #expect(tried > 0)
    }
  }

  /// Three chunks: two are hashed as a pair, the last one alone.
  @Test("a chunk with a right checksum that is another is refused", arguments: 0..<3)
  func otherChunk(frame: Int) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let row = try PackCatalog.index(0, try sealed(path).source).rows[frame]
      let pack = "\(path)/\(ArchiveFiles.pack(0))"
      let original = try SmallArchive.bytes(pack)
      let content = try ChunkFrame.parse(original[row.range], at: "")
      var messages: [String] = []
      for position in content.storedPayload.indices {
        var payload = content.storedPayload
        payload[position] ^= 1
        let other = ChunkFrame.bytes(
          codec: content.codec, parameter: content.parameter, rawByteCount: content.rawByteCount,
          storedPayload: Array(payload))
        var changed = original
        changed.replaceSubrange(row.range, with: other)
        try SmallArchive.write(changed, to: pack)
        let found = #expect(throws: ArchiveError.self) { try openArchive(path).state(1) }
        messages.append(found?.message ?? "")
      }
      #expect(messages.contains { $0.hasPrefix("the chunk is not") })
    }
  }

  @Test("a model is held only if it has each tensor of the record, and no other") func models()
    throws
  {
    try withTemporaryDirectory { folder in
      let reader = try sealed("\(folder)/a.pol")
      let right = try SmallArchive.state(6).tensors.filter {
        $0.spec.role == .weight || $0.spec.role == .buffer
      }
      #expect(right.map(\.spec.name).sorted() == ["b", "w"])
      #expect(try reader.holds(model: right, at: 4))
      #expect(try reader.holds(model: right.reversed(), at: 4))
      #expect(try !reader.holds(model: right, at: 3))
      #expect(try !reader.holds(model: Array(right.dropFirst()), at: 4))
      #expect(try !reader.holds(model: right + [right[0]], at: 4))
      let weight = try SmallArchive.unwrap(right.first { $0.spec.name == "w" })
      let rest = right.filter { $0.spec.name != "w" }
      let others = [
        try SmallArchive.tensor("w", .weight, .f32, [3, 2], weight.bytes),
        try SmallArchive.tensor("w", .weight, .i32, [2, 3], weight.bytes),
        try SmallArchive.tensor("v", .weight, .f32, [2, 3], weight.bytes),
        try SmallArchive.tensor("w", .weight, .f32, [2, 3], weight.bytes.reversed()),
      ]
      for other in others { #expect(try !reader.holds(model: rest + [other], at: 4)) }
      let extra = try SmallArchive.tensor("x", .weight, .u8, [1], [1])
      #expect(try !reader.holds(model: right + [extra], at: 4))
    }
  }

  @Test("a state differs from a record in its tensors or in a chunk") func mismatches() throws {
    try withTemporaryDirectory { folder in
      let record = try sealed("\(folder)/a.pol").checkpoint(4)
      let state = try SmallArchive.state(6)
      #expect(state.firstMismatch(with: record) == nil)
      #expect(try SmallArchive.state(5).firstMismatch(with: record) != nil)
      let more = try SmallArchive.unwrap(
        TrainingState(
          state.tensors + [SmallArchive.tensor("zz", .counter, .u8, [1], [1])]))
      #expect(more.firstMismatch(with: record) == "the set of tensors")
    }
  }
}
