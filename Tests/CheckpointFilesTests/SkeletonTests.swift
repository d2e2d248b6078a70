import ChunkStorage
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import CheckpointFiles

@Suite("skeletons (conversion.md §4)") struct SkeletonTests {
  /// The worked bytes of the specification.
  private let worked =
    "706f6c736b656c310d006d2e7361666574656e736f72730a0000000000000002"
    + "0000000006000000010203040506010001007700000000000000000400000000"
    + "000000"

  @Test("the worked bytes are read and written") func workedBytes() throws {
    let bytes = try #require(Hex.decode(worked))
    let skeleton = try FileSkeleton(parsing: bytes)
    #expect(skeleton.fileName == "m.safetensors")
    #expect(
      skeleton.segments == [
        .literal([1, 2, 3, 4, 5, 6]), .tensor(role: .weight, name: "w", range: 0..<4),
      ])
    #expect(skeleton.byteCount == 10)
    #expect(skeleton.encoded == bytes)
  }

  @Test("a skeleton cut at any byte is refused") func cut() throws {
    let bytes = try #require(Hex.decode(worked))
    for count in bytes.indices {
      #expect(throws: ParsingError.self) { try FileSkeleton(parsing: Array(bytes[..<count])) }
    }
    #expect(throws: ParsingError.self) { try FileSkeleton(parsing: bytes + [0]) }
  }

  private func skeleton(
    name: String = "f", byteCount: UInt64, _ segments: [[UInt8]]
  ) -> [UInt8] {
    var writer = ByteWriter()
    writer.raw("polskel1".utf8)
    writer.string(name)
    writer.u64(byteCount)
    writer.u32(UInt32(segments.count))
    for segment in segments { writer.raw(segment) }
    return writer.bytes
  }

  private func reference(
    _ name: String, role: UInt8 = 0, offset: UInt64 = 0, count: UInt64
  ) -> [UInt8] {
    var writer = ByteWriter()
    writer.raw([1, role])
    writer.string(name)
    writer.u64(offset)
    writer.u64(count)
    return writer.bytes
  }

  private let literal: [UInt8] = [0, 1, 0, 0, 0, 9]

  @Test(
    "skeletons that break a rule are refused",
    arguments: [
      "literals", "empty literal", "empty range", "role", "kind", "length", "name", "slash",
      "huge offset", "huge length",
    ])
  func refuses(fault: String) throws {
    let bytes =
      switch fault {
      case "literals": skeleton(byteCount: 2, [literal, literal])
      case "empty literal": skeleton(byteCount: 0, [[0, 0, 0, 0, 0, 0]])
      case "empty range": skeleton(byteCount: 0, [reference("w", count: 0)])
      case "role": skeleton(byteCount: 1, [reference("w", role: 9, count: 1)])
      case "kind": skeleton(byteCount: 1, [[2, 1, 0, 0, 0, 9]])
      case "length": skeleton(byteCount: 2, [literal])
      case "name": skeleton(name: "..", byteCount: 1, [literal])
      case "slash": skeleton(name: "../f", byteCount: 1, [literal])
      case "huge offset": skeleton(byteCount: 1, [reference("w", offset: .max, count: 1)])
      default: skeleton(byteCount: .max, [reference("w", count: .max)])
      }
    #expect(throws: ParsingError.self) { try FileSkeleton(parsing: bytes) }
    _ = try FileSkeleton(
      parsing: skeleton(byteCount: 3, [literal, reference("w", offset: 1, count: 2)]))
  }

  private func checkpoint(_ skeletons: [[UInt8]]) throws -> TrainingState {
    let w = try #require(TensorSpec(name: "w", role: .weight, type: .u8, shape: [4]))
    var tensors = [try #require(Tensor(w, bytes: [1, 2, 3, 4]))]
    for (number, bytes) in skeletons.enumerated() {
      let spec = try #require(
        TensorSpec(name: "source/\(number)", role: .counter, type: .u8, shape: [bytes.count]))
      tensors.append(try #require(Tensor(spec, bytes: bytes)))
    }
    return try #require(TrainingState(tensors))
  }

  @Test("a checkpoint's skeletons name each file and each tensor once") func once() throws {
    let whole = reference("w", count: 4)
    let one = skeleton(name: "a", byteCount: 4, [whole])
    for bad in [
      [one, skeleton(name: "b", byteCount: 4, [whole])],
      [skeleton(name: "a", byteCount: 8, [whole, whole])],
      [skeleton(name: "a", byteCount: 1, [literal]), skeleton(name: "a", byteCount: 1, [literal])],
      [[1, 2, 3]],
    ] {
      let writer = CheckpointWriter(try checkpoint(bad))
      #expect(throws: CheckpointFileError.self) { try writer.skeletons() }
    }
    #expect(try CheckpointWriter(try checkpoint([one])).skeletons().count == 1)
  }

  @Test("a tensor that is not there, or is shorter, leaves no file") func missing() throws {
    for segment in [reference("v", count: 4), reference("w", offset: 1, count: 4)] {
      let writer = CheckpointWriter(try checkpoint([skeleton(byteCount: 4, [segment])]))
      try withTemporaryDirectory { folder in
        #expect(throws: CheckpointFileError.self) { try writer.restore(to: folder) }
        let left = try FileFolder(folder).names
        #expect(left.isEmpty)
      }
    }
  }

  @Test("only tensors of the right kind are skeletons") func kinds() throws {
    let state = try state([
      (.counter, "source/00", .u8, [3]), (.counter, "source/-1", .u8, [3]),
      (.weight, "source/0", .u8, [3]), (.counter, "source/1", .f32, [3]),
      (.counter, "source/2", .u8, [3, 1]),
    ])
    #expect(try CheckpointWriter(state).skeletons().isEmpty)
  }
}
