import ChunkStorage
import Foundation
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import CheckpointFiles

@Suite("series of checkpoints (conversion.md §5)") struct SeriesTests {
  @Test(
    "the step is the number in the name",
    arguments: [
      ("model_step_400", 400), ("checkpoint-500", 500), ("step12.safetensors", 12),
      ("global_step7", 7), ("Model-Step-3.pt", 3), ("step1_of_step2.npz", 2), ("step.pt", -1),
      ("model.pt", -1), ("checkpoint-9999999999999999", -1), ("500", -1), ("step", -1),
    ])
  func steps(name: String, step: Int) {
    #expect(CheckpointSeries.step(in: name) == (step < 0 ? nil : step))
  }

  @Test("checkpoints go by their steps, or one by one") func order() throws {
    let series = try CheckpointSeries(["a/step10.pt", "a/step9.pt"])
    #expect(series.items.map(\.step) == [9, 10])
    let plain = try CheckpointSeries(["b.pt", "step5.pt"])
    #expect(plain.items.map(\.step) == [0, 1])
    #expect(plain.items.map(\.path) == ["b.pt", "step5.pt"])
    #expect(!plain.notes.isEmpty)
    #expect(throws: CheckpointFileError.self) {
      try CheckpointSeries(["a/step1.pt", "b/step01.pt"])
    }
  }

  @Test("a Trainer's output folder is the series of its checkpoints") func trainer() throws {
    let item = try #require(ConversionCase.accepted.first { $0.id == "folder" })
    try withTemporaryDirectory { folder in
      for step in [20, 100] {
        let inner = "\(folder)/checkpoint-\(step)"
        try FileManager.default.createDirectory(
          atPath: inner, withIntermediateDirectories: false)
        for (name, content) in item.files { try write(content.bytes, "\(inner)/\(name)") }
      }
      let series = try CheckpointSeries([folder])
      #expect(series.items.map(\.step) == [20, 100])
      #expect(try series.open(1).specs.contains { $0.name == "state/0/m" && $0.role == .optimizer })
    }
  }

  @Test("a proof folder of the reference implementation is taken over") func reference() throws {
    let item = try #require(ConversionCase.accepted.first { $0.id == "torch-training" })
    let checkpoint = try #require(item.files.values.first).bytes
    try withTemporaryDirectory { folder in
      for name in ["model_step_0", "model_step_100", "model_step_20", "model_step_007"] {
        try write(checkpoint, "\(folder)/\(name)")
      }
      let indices = NumpyHeader.encode("<i8", [100, 2]) + [UInt8](repeating: 3, count: 1600)
      try write(indices, folder + "/indices.npy")
      try write(Array("ab".utf8), folder + "/hash.txt")
      try write([1], folder + "/notes.txt")
      let series = try CheckpointSeries([folder])
      #expect(series.items.map(\.step) == [0, 20, 100])
      #expect(series.notes.count == 2)
      let first = try series.open(0)
      #expect(first.notes.contains { $0.contains("notes.txt") })
      let index = try #require(first.specs.firstIndex { $0.name == "indices" })
      #expect(first.specs[index].role == .counter && first.specs[index].shape == [100, 2])
      #expect(try bytes(of: first, index, step: 512) == [UInt8](repeating: 3, count: 1600))
      #expect(
        Set(try CheckpointWriter(first).skeletons().map(\.fileName))
          == ["model_step_0", "indices.npy", "hash.txt"])
      try withTemporaryDirectory { out in
        try CheckpointWriter(first).restore(to: out)
        #expect(try contents(out + "/indices.npy") == indices)
        #expect(try contents(out + "/model_step_0") == checkpoint)
      }
      #expect(try series.open(2).specs.map(\.name) == ["w", "m", "ema", "source/0"])
    }
  }

  @Test("indices that do not fit are said, and broken ones refused") func badIndices() throws {
    let item = try #require(ConversionCase.accepted.first { $0.id == "torch-training" })
    try withTemporaryDirectory { folder in
      try write(try #require(item.files.values.first).bytes, folder + "/model_step_5")
      try write(
        NumpyHeader.encode("<i8", [3]) + [UInt8](repeating: 0, count: 24), folder + "/indices.npy")
      #expect(
        try CheckpointSeries([folder]).open(0).notes.contains { $0.contains("3 rows") })
      try write(
        NumpyHeader.encode("|O", [3]) + [UInt8](repeating: 0, count: 24), folder + "/indices.npy")
      #expect(throws: CheckpointFileError.self) { try CheckpointSeries([folder]).open(0) }
    }
  }
}
