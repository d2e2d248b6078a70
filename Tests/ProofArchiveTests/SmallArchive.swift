import ChunkStorage
import Cryptography
import Foundation
import ProofPrimitives

@testable import ProofArchive

/// A run of a few bytes whose every part is fixed, so that two of them have the same root.
enum SmallArchive {
  static let settings = Array(#"{"algorithm":"test","steps":8}"#.utf8)
  static let policy = Policy.proverDefault(every: 2, algorithm: "test").encoded

  static func digest(_ byte: UInt8) -> Digest {
    Digest([UInt8](repeating: byte, count: 32)) ?? .zero
  }

  static func key() throws -> SigningKey { try SigningKey(seed: [UInt8](repeating: 3, count: 32)) }

  static func dataset() throws -> DatasetManifest {
    let points = try (0..<4).map { index in
      try unwrap(
        DataPoint(type: .u8, shape: [2], bytes: [UInt8(index), 9], label: Int64(index)))
    }
    return DatasetManifest(points: points, secret: .open)
  }

  static func opening() throws -> OpeningRecord {
    let dataset = try dataset()
    return OpeningRecord(
      archiveID: digest(1), proverKey: try key().verifyingKey, datasetRoot: dataset.root,
      datasetCount: dataset.count, settingsDigest: SHA256.hash(.settings, settings),
      policyDigest: SHA256.hash(.policy, policy), runSecret: digest(4), salt: digest(5),
      commitment: nil)
  }

  static func create(at path: String) throws -> ArchiveWriter {
    try ArchiveWriter.create(
      at: path, opening: opening(), settings: settings, policy: policy, dataset: dataset())
  }

  /// The state after `step` steps: weights that move, a buffer that never does, a counter.
  static func state(_ step: Int) throws -> TrainingState {
    let base = Float(step) * 0.5
    let weights = (0..<6).flatMap { littleEndian(base + Float($0)) }
    return try unwrap(
      TrainingState([
        tensor("w", .weight, .f32, [2, 3], weights),
        tensor("b", .buffer, .u8, [4], [1, 2, 3, 4]),
        tensor("step", .counter, .u8, [1], [UInt8(step)]),
      ]))
  }

  static func tensor(
    _ name: String, _ role: TensorRole, _ type: ElementType, _ shape: [Int], _ bytes: [UInt8]
  ) throws -> Tensor {
    let spec = try unwrap(TensorSpec(name: name, role: role, type: type, shape: shape))
    return try unwrap(Tensor(spec, bytes: bytes))
  }

  /// Appends the checkpoints that are missing up to `last`, one every two steps.
  static func record(_ writer: ArchiveWriter, to last: Int) throws {
    if !writer.hasCheckpoint { try writer.append(state(0), steps: []) }
    while writer.lastStep < last {
      let first = writer.lastStep
      var steps: [CheckpointRecord.Step] = []
      for step in first..<first + 2 {
        let batch = [UInt32(step % 4), UInt32((step + 1) % 4)]
        steps.append(
          CheckpointRecord.Step(
            learningRate: Float(0.1).bitPattern, loss: Float(step).bitPattern, batch: batch))
      }
      try writer.append(state(first + 2), steps: steps)
    }
  }

  private static func littleEndian(_ value: Float) -> [UInt8] {
    withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
  }

  struct Missing: Error {}

  static func unwrap<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
  }

  static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  static func copy(_ path: String, to other: String) throws {
    try? FileManager.default.removeItem(atPath: other)
    try FileManager.default.copyItem(atPath: path, toPath: other)
  }
}

func removeFile(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }
