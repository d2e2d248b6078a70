internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// What the shorter checks read, and what they say that they left out.
extension ArchiveChecker {
  /// The checkpoints whose chunks were read.
  package struct Sample: Sendable {
    package let seed: UInt64
    package let checkpoints: [Int]
    package let allCheckpoints: Int
    /// Chunks that records name, read or not; one that stands in two records counts twice.
    package internal(set) var allChunks = 0
  }

  /// The checksum of every frame of `records`.
  mutating func recordFrames(_ seal: Seal?, _ header: RecordsHeader) {
    // A table in clear says where to go on after a damaged frame; its digest is compared elsewhere.
    var rows: [RecordIndex.Row] = []
    if let seal, seal.suite == 0 {
      rows = (try? ArchiveReader.index(source, seal, nil))?.rows ?? []
    }
    guard var walk = try? RecordWalk(source, keys: nil) else { return }
    var number = 0
    while walk.offset < walk.total {
      let position = number
      var isRead = false
      attempt(
        number == 0
          ? "nothing in the archive can be verified"
          : "checkpoint \(number) and the segments on both sides of it cannot be verified"
      ) { checker throws(ArchiveError) in
        try walk.skip()
        isRead = true
        if position > 0 { checker.report.records += 1 }
      }
      number += 1
      if !isRead {
        guard number < rows.count else { return }
        walk.offset = rows[number].offset
      }
    }
    guard let seal, number != seal.recordCount else { return }
    add(
      ArchiveError(
        .damaged, at: ArchiveFiles.records,
        "it has \(number) records, \(seal.recordCount) were sealed"),
      "the checkpoints that are missing cannot be verified")
  }

  /// Draws the checkpoints of a sample: those whose numbers hash lowest under the seed.
  mutating func draw(_ pass: RecordsPass) -> Set<Int>? {
    guard case .subset(let share, let seed) = depth else { return nil }
    let count =
      (pass.index?.rows.count ?? (try? RecordScan(source, access: access))?.rows.count ?? 1) - 1
    let wanted = min(count, max(1, Int((share * Double(count)).rounded(.up))))
    func rank(_ number: Int) -> Digest {
      var writer = ByteWriter()
      writer.u64(seed)
      writer.u64(UInt64(number))
      return SHA256.hash(writer.bytes)
    }
    let drawn = (0..<max(0, count)).map { (number: $0 + 1, rank: rank($0 + 1)) }
      .sorted { $0.rank < $1.rank }.prefix(max(0, wanted)).map(\.number)
    report.sample = Sample(seed: seed, checkpoints: drawn.sorted(), allCheckpoints: max(0, count))
    return Set(drawn)
  }

  /// Says what was not looked at, so that a short check is not taken for a long one.
  mutating func note(isListed: Bool) {
    switch depth {
    case .everything: break
    case .publicBytes:
      report.omissions = ["whether records, chunks and points say what was signed: no key was used"]
    case .quick:
      report.omissions = [
        "digests of chunks and records: bytes with a right checksum were believed",
        "what records, chunks and points say",
      ]
      if !report.isSealed { report.omissions.append("the dataset: nothing is sealed yet") }
    case .subset:
      let sample = report.sample
      let left = (sample?.allCheckpoints ?? 0) - (sample?.checkpoints.count ?? 0)
      report.omissions = [
        "chunks of \(left) of \(sample?.allCheckpoints ?? 0) checkpoints", "data points",
        "norms of updates, and the model digest", "frames that no drawn checkpoint names",
      ]
    }
    if !isListed {
      report.omissions.append("files that were not sealed: a server's folder is not listed")
    }
  }
}
