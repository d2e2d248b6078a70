import ChunkStorage
import Cryptography
import ProofPrimitives

@testable import ProofArchive

/// A run with a state of some tens of MB that changes a little at each step, and a dataset of several
/// tiles: what segments of it cost to read is what segments of large ones cost.
enum LargeArchive {
  static let pointCount = 3000
  private static let weightCount = 5 << 20
  static let epochKey = EpochKey(secret: SmallArchive.digest(6))

  /// Four checkpoints, three segments of two steps.
  static func make(at path: String, isEncrypted: Bool = false) throws {
    let points = try (0..<pointCount).map { index in
      let bytes = (0..<100).map { UInt8(truncatingIfNeeded: index &* 31 &+ $0) }
      return try SmallArchive.unwrap(
        DataPoint(type: .u8, shape: [100], bytes: bytes, label: Int64(index)))
    }
    let dataset = DatasetManifest(points: points, secret: .open)
    let base = try SmallArchive.opening()
    let opening = OpeningRecord(
      archiveID: base.archiveID, proverKey: base.proverKey, datasetRoot: dataset.root,
      datasetCount: dataset.count, settingsDigest: base.settingsDigest,
      policyDigest: base.policyDigest, runSecret: base.runSecret, salt: base.salt, commitment: nil)
    var options = ArchiveWriter.Options()
    options.epochKey = isEncrypted ? epochKey : nil
    let writer = try ArchiveWriter.create(
      at: path, opening: opening, settings: SmallArchive.settings, policy: SmallArchive.policy,
      dataset: dataset, options: options)
    try writer.append(state(0), steps: [])
    for first in stride(from: 0, to: 6, by: 2) {
      let steps = (first..<first + 2).map { step in
        CheckpointRecord.Step(
          learningRate: 0, loss: 0,
          batch: (0..<32).map { UInt32((step &* 977 &+ $0 &* 389) % pointCount) })
      }
      try writer.append(state(first + 2), steps: steps)
    }
    _ = try writer.seal(with: SmallArchive.key())
  }

  static func state(_ step: Int) throws -> TrainingState {
    let weights = [UInt8](unsafeUninitializedCapacity: weightCount * 4) { out, count in
      let bytes = UnsafeMutableRawBufferPointer(out)
      var random: UInt64 = 88_172_645_463_325_252
      for index in 0..<weightCount {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        let value = Float(Int32(truncatingIfNeeded: random)) * (1 + Float(step) * 1e-5)
        bytes.storeBytes(
          of: value.bitPattern.littleEndian, toByteOffset: index * 4, as: UInt32.self)
      }
      count = weightCount * 4
    }
    return try SmallArchive.unwrap(
      TrainingState([
        SmallArchive.tensor("w", .weight, .f32, [weightCount], weights),
        SmallArchive.tensor("b", .buffer, .u8, [4], [1, 2, 3, 4]),
      ]))
  }

  /// What the state before segment `number` and its points take where they are stored: frames with what
  /// they are deltas against, points, and the tiles of their proofs.
  static func storedByteCount(_ reader: ArchiveReader, segment number: Int) throws -> Int {
    let envelope = try reader.envelope(number + 1)
    let places = Set((envelope.rows + envelope.ancestors).map(\.place))
    let catalog = PackCatalog(reader.source, rawLimit: 1 << 18)
    var sum = 0
    for place in places { sum += try catalog.row(place, for: "a chunk").byteCount }
    let indices = Set(try reader.checkpoint(number + 2).steps.flatMap(\.batch))
    let offsets = try SmallArchive.unwrap(
      try reader.source.readWhole(ArchiveFiles.offsets, limit: 1 << 20))
    func offset(_ index: Int) -> Int {
      (0..<8).reduce(0) { $0 | Int(offsets[index * 8 + $1]) << (8 * $1) }
    }
    for index in indices { sum += offset(Int(index) + 1) - offset(Int(index)) }
    for request in reader.dataset.requests(for: indices).tables
    where request.name.hasPrefix("dataset/tree") {
      if case .range(let range) = request.part { sum += range.count }
    }
    return sum
  }
}
