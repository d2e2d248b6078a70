import ChunkStorage
import Foundation
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import CheckpointFiles

@Suite("writing checkpoint files (conversion.md §6)") struct WritingTests {
  private func sample() throws -> TrainingState {
    try state([
      (.weight, "layer.0.w", .f32, [3, 5]), (.weight, "layer.0.b", .f64, []),
      (.weight, "e", .i64, [0, 2]), (.buffer, "mean", .f16, [7]),
      (.optimizer, "layer.0.w", .f32, [3, 5]), (.counter, "step", .u8, [1]),
    ])
  }

  @Test("safetensors are the bytes that the encoder in memory gives") func safetensors() throws {
    try withTemporaryDirectory { folder in
      let state = try sample()
      let path = folder + "/m.safetensors"
      let count = try CheckpointWriter(state).writeSafetensors(
        to: path, metadata: [("format", "pt")])
      let expected = SafetensorsFile.encode(
        state.tensors.filter { $0.spec.role < .optimizer }, metadata: [("format", "pt")])
      #expect(try contents(path) == expected)
      #expect(count == expected.count)
    }
  }

  @Test("all roles in one file need their roles in the names") func roles() throws {
    try withTemporaryDirectory { folder in
      let state = try sample()
      let writer = CheckpointWriter(state, roles: Set(TensorRole.allCases))
      let error = #expect(throws: CheckpointFileError.self) {
        try writer.writeSafetensors(to: folder + "/a")
      }
      #expect(error?.message.contains("two tensors are named") == true)
      try writer.writeSafetensors(to: folder + "/b", prefixesRoles: true)
      let source = try CheckpointSource(opening: folder + "/b")
      let specs = source.specs.filter { CheckpointWriter.skeletonNumber($0) == nil }
      #expect(specs == state.specs)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["b"])
    }
  }

  @Test("a name that is too long with its role is refused") func longName() throws {
    try withTemporaryDirectory { folder in
      let name = String(repeating: "n", count: TensorSpec.nameLimit)
      let writer = CheckpointWriter(try state([(.weight, name, .u8, [1])]))
      #expect(throws: CheckpointFileError.self) {
        try writer.writeSafetensors(to: folder + "/a", prefixesRoles: true)
      }
    }
  }

  @Test("shards and their index are read again", arguments: [1, 30, 60, 1000])
  func shards(limit: Int) throws {
    try withTemporaryDirectory { folder in
      let state = try sample()
      let names = try CheckpointWriter(state).writeShards(
        to: folder + "/out", shardByteLimit: limit)
      #expect(names.count == [1: 5, 30: 4, 60: 4, 1000: 2][limit])
      #expect(names.last == "model.safetensors.index.json")
      let source = try CheckpointSource(opening: folder + "/out")
      let model = state.tensors.filter { $0.spec.role < .optimizer }
      for tensor in model {
        let index = try #require(source.specs.firstIndex { $0.name == tensor.spec.name })
        #expect(try bytes(of: source, index) == tensor.bytes)
      }
      #expect(source.specs.filter { $0.role == .weight }.count == model.count)
    }
  }

  @Test("arrays are read again, with zip64's fields and without", arguments: [UInt64(1), 1 << 32])
  func numpy(wideFrom: UInt64) throws {
    try withTemporaryDirectory { folder in
      let state = try sample()
      let path = folder + "/a.npz"
      let count = try CheckpointWriter(state).writeNumpyArchive(to: path, wideFrom: wideFrom)
      #expect(try contents(path).count == count)
      let source = try CheckpointSource(opening: path)
      for tensor in state.tensors where tensor.spec.role < .optimizer {
        let index = try #require(source.specs.firstIndex { $0.name == tensor.spec.name })
        #expect(source.specs[index].type == tensor.spec.type)
        #expect(source.specs[index].shape == tensor.spec.shape)
        #expect(try bytes(of: source, index) == tensor.bytes)
      }
      let check = try runProgram("python3", ["-m", "zipfile", "-t", path])
      #expect(check.outputText.contains("Done testing") && check.errorText.isEmpty)
    }
  }

  @Test(
    "what NumPy has no type for, and names that could be paths, are refused",
    arguments: ["../x", "a/../b", "/a", "a//b", ".", "a\\b", "bf16"])
  func numpyRefusals(name: String) throws {
    try withTemporaryDirectory { folder in
      let writer = CheckpointWriter(
        try state([(.weight, name, name == "bf16" ? .bf16 : .f32, [2])]))
      let error = #expect(throws: CheckpointFileError.self) {
        try writer.writeNumpyArchive(to: folder + "/a.npz")
      }
      #expect(error?.code == .unsupported)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
  }

  @Test("nothing is replaced unasked, and a failed file leaves nothing") func replaces() throws {
    try withTemporaryDirectory { folder in
      let path = folder + "/m"
      try write([1], path)
      let state = try sample()
      #expect(throws: CheckpointFileError.self) {
        try CheckpointWriter(state).writeSafetensors(to: path)
      }
      #expect(try contents(path) == [1])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["m"])
      try CheckpointWriter(state, replaces: true).writeSafetensors(to: path)
      #expect(try contents(path).count > 100)
      let failing = CheckpointWriter(FailingSource(specs: state.specs))
      let error = #expect(throws: CheckpointFileError.self) {
        try failing.writeSafetensors(to: folder + "/n")
      }
      #expect(error?.code == .damaged)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["m"])
    }
  }
}

/// A state whose bytes cannot be had.
private struct FailingSource: StateSource {
  let specs: [TensorSpec]

  func read(
    tensor index: Int, at offset: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    throw ArchiveError(.damaged, at: "pack", "the bytes changed")
  }
}
