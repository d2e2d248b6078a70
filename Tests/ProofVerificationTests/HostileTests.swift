import ChunkStorage
import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification

/// Archives that are made to crash, hang or exhaust whoever reads them: one clear error each.
@Suite("Hostile archives", .timeLimit(.minutes(2))) struct HostileTests {
  /// What `change` makes of an honest archive, signed by its own prover.
  private func judge(
    _ answer: Answer, _ code: String? = nil, fraction: Share? = nil,
    _ change: (@Sendable (inout Forgery) throws -> Void)? = nil,
    files: (@Sendable (String) throws -> Void)? = nil
  ) throws {
    var plan = RunPlan()
    plan.hooks.reseal = change
    plan.hooks.files = files
    let run = try TestRun(plan, publishes: false)
    try expect(run, answer, code, fraction: fraction)
  }

  private func expect(
    _ run: TestRun, _ answer: Answer, _ code: String?, fraction: Share? = nil
  ) throws {
    var judge = Judge(usesLedger: false)
    judge.change = {
      $0.acceptsUnprovedStart = true
      if let fraction { $0.forgedFraction = fraction }
    }
    let verdict = try judge.verdict(run)
    #expect(verdict.answer == answer, "\(verdict.summary)")
    if let code { #expect(verdict.decisive?.code == code, "\(verdict.summary)") }
    let text = verdict.checks.flatMap(\.evidence).joined()
    #expect(text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 })
    // Whatever it finds, it comes back.
    _ = try? ArchiveChecker.check(run.archive)
    #expect(try peakMemory() < 2 << 30)
  }

  /// Bytes of `name` with a little-endian integer at `offset`; a table's checksum is made again.
  @Sendable private static func put(
    _ value: UInt64, at offset: Int, in path: String, checksum: Bool = false
  ) throws {
    var bytes = try readFile(path)
    for byte in 0..<8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (byte * 8)) }
    if checksum {
      let crc = crc32c(bytes[0..<bytes.count - 4])
      for byte in 0..<4 {
        bytes[bytes.count - 4 + byte] = UInt8(truncatingIfNeeded: crc >> (byte * 8))
      }
    }
    try writeFile(bytes, path)
  }

  private static let huge: [UInt64] = [1 << 63, .max, 1 << 62, 1 << 40]

  @Test("chunk frames that claim to grow", arguments: [UInt32.max, 1 << 31, 1 << 20, 262_144])
  func bomb(rawByteCount: UInt32) throws {
    try judge(
      .undecided,
      files: { path in
        let index = try PackIndex(parsing: try readFile("\(path)/packs/00000000.index"))
        var pack = try readFile("\(path)/packs/00000000.pack")
        for row in index.rows {
          for byte in 0..<4 {
            pack[row.offset + 8 + byte] = UInt8(truncatingIfNeeded: rawByteCount >> (byte * 8))
          }
          // LZ4 blocks of one long match each: as much growth as the format has.
          pack[row.offset + 2] = 1
          for byte in row.offset + 16..<row.offset + row.byteCount { pack[byte] = 0xff }
          let crc = crc32c(
            pack[row.offset + 16..<row.offset + row.byteCount],
            after: crc32c(pack[row.offset..<row.offset + 12]))
          for byte in 0..<4 {
            pack[row.offset + 12 + byte] = UInt8(truncatingIfNeeded: crc >> (byte * 8))
          }
        }
        try writeFile(pack, "\(path)/packs/00000000.pack")
      })
  }

  @Test("lengths near 2^63 in the tables", arguments: huge)
  func hugeLengths(value: UInt64) throws {
    // Record index: count, then the first row's offset. Written after signing, as a host would.
    for (name, offset, checksum) in [
      ("records.index", 8, true), ("records.index", 16 + 32, true),
      ("records.index", 16 + 56 * 5 + 32, true), ("packs/00000000.index", 16, true),
      ("norms", 8, false), ("objects", 8, false),
    ] {
      let run = try TestRun(publishes: false)
      try HostileTests.put(value, at: offset, in: "\(run.archive)/\(name)", checksum: checksum)
      try expect(run, .undecided, nil)
    }
    for offset in [0, 8, 8 * 50, 8 * 120] {
      let run = try TestRun(publishes: false)
      try HostileTests.put(value, at: offset, in: "\(run.archive)/dataset/offsets")
      try expect(run, .undecided, nil)
    }
  }

  @Test(
    "counts near 2^63 under the prover's own signature", arguments: [UInt64](huge.prefix(2)),
    [80, 88])
  func hugeSeal(value: UInt64, offset: Int) throws {
    let run = try TestRun(publishes: false)
    let path = "\(run.archive)/seal"
    try HostileTests.put(value, at: offset, in: path)
    let bytes = try readFile(path)
    let signature = try run.key.signature(over: DomainTag.seal.bytes + bytes[0..<328])
    try writeFile(Array(bytes[0..<328]) + signature, path)
    try expect(run, .refuted, nil)
  }

  @Test("norms whose steps fall, in numbers that overflow a sum")
  func fallingSteps() throws {
    try judge(.refuted, "false", fraction: 1.0) { forgery in
      let honest = forgery.records
      forgery.records += (0..<2020).map { honest[1 + $0 % 80] }
      let count = forgery.records.count - 1
      forgery.norms = (0..<count).map { row in
        .init(
          endStep: row == count - 1 ? 240 : row % 2 == 0 ? CheckpointRecord.stepLimit : 0,
          norms: honest[1].norms)
      }
      forgery.stepCount = 240
    }
  }

  /// A record with one more tensor before its first one, as no encoder would write it.
  private func extraTensor(
    name: [UInt8], shape: [UInt64]
  ) -> @Sendable (inout Forgery) -> Void {
    { forgery in
      let old = forgery.records[5]
      var steps = ByteWriter()
      for step in old.steps { for _ in 0..<3 + step.batch.count { steps.u32(0) } }
      let offset = 48 + 12 + steps.bytes.count + 32 + 32
      forgery.bend = { records in
        var row = ByteWriter()
        row.u16(UInt16(name.count))
        row.raw(name)
        for byte: UInt8 in [0, 12, UInt8(shape.count)] { row.u8(byte) }
        for dimension in shape { row.u64(dimension) }
        row.u32(0)
        row.u32(0)
        records[6].replaceSubrange(offset + 4..<offset + 4, with: row.bytes)
        records[6][offset] += 1
        let body = UInt32(records[6].count - 48)
        for byte in 0..<4 { records[6][4 + byte] = UInt8(truncatingIfNeeded: body >> (byte * 8)) }
        for number in 7..<records.count {
          let hash = RecordHeader.hash(records[number - 1][...])
          records[number].replaceSubrange(16..<48, with: hash.bytes)
        }
      }
    }
  }

  @Test(
    "signed tensor shapes that overflow",
    arguments: [
      [1 << 40, 1 << 40], [UInt64.max], [1 << 63, 2], [1 << 32, 1 << 32, 0], [1 << 40],
      [UInt64](repeating: 1 << 40, count: 16), [UInt64](repeating: 2, count: 17),
    ])
  func overflowingShapes(shape: [UInt64]) throws {
    // Over a stated maximum, a broken rule, or, for a product of zero, a state that does not fit.
    try judge(.refuted, nil, extraTensor(name: Array("a".utf8), shape: shape))
  }

  @Test(
    "signed tensor names that are paths or hold control characters",
    arguments: ["../../../etc/passwd", "/etc/passwd", "a\u{1b}[2J", "a\nb", "", "a\0b"])
  func names(name: String) throws {
    try judge(.refuted, nil, extraTensor(name: Array(name.utf8), shape: [0]))
  }

  @Test("a signed record that claims tensors larger than memory")
  func hugeState() throws {
    var plan = RunPlan()
    plan.hooks.reseal = { forgery in
      let count = 1 << 18  // 64 GiB in chunks that all have one digest.
      let old = forgery.records[40]
      guard
        let spec = TensorSpec(
          name: "w", role: .weight, type: .f32, shape: [count * 65_536]),
        let layout = ChunkLayout([spec], sizes: forgery.opening.sizes),
        let record = CheckpointRecord(
          sequence: old.sequence, previous: old.previous, step: old.step, steps: old.steps,
          signatureRoot: old.signatureRoot, norms: old.norms, layout: layout,
          chunks: [Digest](repeating: old.chunks[0], count: count))
      else { throw TestFailure("no record") }
      forgery.records[40] = record
    }
    let run = try TestRun(plan, publishes: false)
    let seal = try #require(try run.reader().seal)
    // Record 41 ends segment 39 and starts segment 40, whose start the verifier would have to hold.
    let nonce = try #require(
      (0..<500).first {
        let chosen = Judge.chosen(seal, nonce: $0).all
        return chosen.contains(40) && !chosen.contains(39)
      })
    let verdict = try Judge(isFull: false, nonceNumber: nonce, usesLedger: false).verdict(run)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.code == "badState")
    #expect(try Judge(usesLedger: false).verdict(run).answer == .refuted)
    #expect(try !ArchiveChecker.check(run.archive).isWhole)
    #expect(try peakMemory() < 2 << 30)
  }

  @Test(
    "object names that leave the archive",
    arguments: ["../secret", "/etc/passwd", "packs/../seal", "a\nb", "packs/0.pack", ""])
  func objectNames(name: String) throws {
    let run = try TestRun(publishes: false)
    let source = try DirectoryObjectSource(run.archive)
    let old = try ArchiveReader.seal(in: source)
    let rows =
      try ObjectTable.load(source, old).table.rows + [
        .init(name: name, byteCount: 3, digest: .zero)
      ]
    let table = ObjectTable(rows: rows)
    try writeFile(table.encoded, "\(run.archive)/objects")
    let seal = try Seal(
      archiveID: old.archiveID, archiveRoot: old.archiveRoot, recordCount: old.recordCount,
      stepCount: old.stepCount, modelDigest: old.modelDigest, objectRoot: table.root,
      objectCount: rows.count, normsDigest: old.normsDigest, finalRecord: old.finalRecord,
      signedBy: run.key)
    try writeFile(seal.encoded, "\(run.archive)/seal")
    try expect(run, .refuted, "malformed")
  }

  @Test(
    "links, pipes and folders where files belong",
    arguments: [
      "seal", "records", "records.index", "norms", "objects", "settings.json", "policy.json",
      "claims.json", "packs/00000000.pack", "packs/00000000.index", "dataset/points",
      "dataset/offsets", "dataset/tree.0",
    ])
  func notFiles(name: String) throws {
    for kind in 0..<3 {
      let run = try TestRun(publishes: false)
      let path = "\(run.archive)/\(name)"
      let aside = run.scratch.file("aside")
      try FileManager.default.moveItem(atPath: path, toPath: aside)
      switch kind {
      case 0: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: aside)
      case 1: #expect(mkfifo(path, 0o600) == 0)
      default:
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      }
      try expect(run, .undecided, nil)
      if let report = try? ArchiveChecker.check(run.archive) { #expect(!report.isWhole) }
    }
  }
}
