import ChunkStorage
import Cryptography
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("Repacking (archive.md §7)") struct RepackTests {
  private static let firstKey = EpochKey(secret: SmallArchive.digest(0x42))
  private static let secondKey = EpochKey(secret: SmallArchive.digest(0x43))

  /// The state after `step` steps: large weights of which each moves a little, a frozen buffer, and from
  /// step 8 on an optimizer tensor that was not there before.
  static func state(_ step: Int, shift: UInt32 = 0) throws -> TrainingState {
    func moving(_ seed: UInt32, by amount: UInt32) -> [UInt8] {
      var bits = seed
      var bytes: [UInt8] = []
      bytes.reserveCapacity(90_000 * 4)
      for _ in 0..<90_000 {
        bits = bits &* 1_664_525 &+ 1_013_904_223
        let value = 0x3f00_0000 + bits >> 10 &+ amount &* (1 + bits >> 30)
        for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))) }
      }
      return bytes
    }
    let moved = UInt32(step) &* 3 &+ shift
    var tensors = [
      try SmallArchive.tensor("w", .weight, .f32, [90_000], moving(1, by: moved)),
      // They differ from their parents by the same amounts, not from each other.
      try SmallArchive.tensor("m", .optimizer, .f32, [90_000], moving(2, by: moved)),
      try SmallArchive.tensor("b", .buffer, .f32, [90_000], moving(3, by: 0)),
      try SmallArchive.tensor("step", .counter, .u8, [1], [UInt8(step)]),
    ]
    if step >= 8 {
      tensors.append(
        try SmallArchive.tensor("v", .optimizer, .f32, [90_000], moving(4, by: moved)))
    }
    return try SmallArchive.unwrap(TrainingState(tensors))
  }

  static func step(_ number: Int) -> CheckpointRecord.Step {
    CheckpointRecord.Step(
      learningRate: Float(0.1).bitPattern, loss: Float(number).bitPattern,
      batch: [UInt32(number % 4)])
  }

  /// Twelve checkpoints, one of them after a gap, and a frame that no record names where there is none
  /// of encryption.
  static func record(
    at path: String, key: EpochKey?, deltas: Bool = true, count: Int = 12
  ) throws -> Seal {
    var options = ArchiveWriter.Options()
    options.epochKey = key
    options.usesDeltas = deltas
    let writer = try ArchiveWriter.create(
      at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
      policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options)
    try writer.note([("event", .string("begun"))])
    try writer.append(state(0), steps: [])
    for number in 1..<count {
      if number == 5, key == nil {
        let raw = [UInt8](repeating: 7, count: 40)
        let frame = raw.withUnsafeBytes { ChunkFrame.encode($0) }
        _ = try writer.opened().packs.append(frame, storedID: SmallArchive.digest(0x77))
      }
      let gap = number == 6 ? CheckpointRecord.Gap(lostSteps: 1, cause: "a crash") : nil
      try writer.append(
        state(number), steps: gap == nil ? [step(number - 1)] : [], gap: gap)
    }
    return try writer.seal(
      with: SmallArchive.key(), claims: .map([("heldOut", .string("all"))]))
  }

  private func open(_ path: String, _ key: EpochKey?) throws -> ArchiveReader {
    try openArchive(path, access: key.map { .epochKey($0) } ?? .none)
  }

  private func repack(
    _ path: String, _ key: EpochKey?, to copy: String, _ pattern: DeltaPattern,
    newKey: EpochKey? = nil, workers: Int = 2
  ) throws -> ArchiveRepack.Report {
    var options = ArchiveRepack.Options()
    options.pattern = pattern
    options.workers = workers
    options.epochKey = newKey
    return try ArchiveRepack.run(
      open(path, key), to: copy, options: options, key: SmallArchive.key())
  }

  private func expectSame(
    _ path: String, _ key: EpochKey?, _ copy: String, _ newKey: EpochKey?
  ) throws {
    let (old, new) = (try open(path, key), try open(copy, newKey))
    #expect(new.index.rows.map(\.hash) == old.index.rows.map(\.hash))
    #expect(new.seal?.archiveRoot == old.seal?.archiveRoot)
    #expect(new.seal?.modelDigest == old.seal?.modelDigest)
    #expect(new.seal?.normsDigest == old.seal?.normsDigest)
    #expect(try new.claims() == old.claims())
    for number in 1..<old.index.rows.count {
      #expect(try new.state(number) == old.state(number))
      #expect(
        try new.envelope(number).rows.allSatisfy {
          try new.envelope(number).chain(of: $0).count <= new.header.depth
        })
    }
    let report = try ArchiveChecker.check(
      copy, access: newKey.map { .epochKey($0) } ?? .none)
    #expect(report.findings.map { "\($0.error)" } == [])
  }

  /// All bytes under a folder, to see that none of them changes.
  private func contents(_ path: String) throws -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for name in try DirectoryListing.names(path) {
      found[name] = try SmallArchive.bytes("\(path)/\(name)")
    }
    return found
  }

  @Test(
    "root, records and digests stay; the old archive too", arguments: DeltaPattern.allCases,
    [false, true])
  func same(pattern: DeltaPattern, isEncrypted: Bool) throws {
    try withTemporaryDirectory { folder in
      let (path, copy) = ("\(folder)/a.pol", "\(folder)/b.pol")
      let key = isEncrypted ? RepackTests.firstKey : nil
      let seal = try RepackTests.record(at: path, key: key)
      let before = try contents(path)
      let report = try repack(path, key, to: copy, pattern)
      #expect(report.root == seal.archiveRoot)
      #expect(report.records == 13)
      #expect((report.deltas == 0) == (pattern == .intra))
      try expectSame(path, key, copy, key)
      #expect(try contents(path) == before)
      #expect(try RecordsHeader.load(DirectoryObjectSource(copy)).depth == pattern.depth)
      let journal = try? SmallArchive.bytes("\(copy)/journal")
      #expect(journal == before["journal"])
    }
  }

  @Test("a tree is smaller than a star, and a star than no deltas; frames nobody names are gone")
  func sizes() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      // One key frame each: how a tree and a star compare over longer runs is the run's affair.
      _ = try RepackTests.record(at: path, key: nil, deltas: false, count: 8)
      var sizes: [DeltaPattern: Int] = [:]
      for pattern in DeltaPattern.allCases {
        let copy = "\(folder)/\(pattern.rawValue).pol"
        sizes[pattern] = try repack(path, nil, to: copy, pattern).newPackByteCount
        let costs = try ArchiveCosts(open(copy, nil))
        #expect(costs.unnamed.count == 0)
      }
      let old = try ArchiveCosts(open(path, nil))
      #expect(old.unnamed.count == 1)
      #expect(old.unnamed.storedByteCount == ChunkFrame.headerByteCount + 1)
      let (intra, star, tree) = (sizes[.intra] ?? 0, sizes[.star] ?? 0, sizes[.tree] ?? 0)
      #expect(star < intra)
      #expect(tree < star)
    }
  }

  @Test("the result does not depend on the number of threads") func threads() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      _ = try RepackTests.record(at: path, key: nil)
      _ = try repack(path, nil, to: "\(folder)/b.pol", .tree, workers: 1)
      _ = try repack(path, nil, to: "\(folder)/c.pol", .tree, workers: 3)
      #expect(try contents("\(folder)/b.pol") == contents("\(folder)/c.pol"))
    }
  }

  @Test("a new content key takes the next epoch; an archive in clear can be encrypted")
  func newKey() throws {
    try withTemporaryDirectory { folder in
      for (number, key) in [nil, RepackTests.firstKey].enumerated() {
        let (path, copy) = ("\(folder)/a\(number)", "\(folder)/b\(number)")
        _ = try RepackTests.record(at: path, key: key)
        _ = try repack(path, key, to: copy, .tree, newKey: RepackTests.secondKey)
        try expectSame(path, key, copy, RepackTests.secondKey)
        let seal = try SmallArchive.unwrap(try open(copy, RepackTests.secondKey).seal)
        #expect(seal.keyEpoch == UInt32(number + 1))
        #expect(throws: ArchiveError.self) { try open(copy, RepackTests.firstKey) }
        #expect(throws: (any Error).self) { try SmallArchive.bytes("\(copy)/journal") }
      }
      let error = #expect(throws: ArchiveError.self) {
        try repack(
          "\(folder)/a1", RepackTests.firstKey, to: "\(folder)/c", .tree,
          newKey: RepackTests.firstKey)
      }
      #expect(error?.message == "it is the archive's own key")
    }
  }

  @Test(
    "archives of another implementation: imported, with gaps, with deltas, on a ledger, encrypted, a chunk stored twice",
    arguments: ["minimal", "ledger", "rich", "gaps", "imported", "delta", "encrypted", "twice"])
  func vectors(name: String) throws {
    let path = try TestVectors.path("archive/valid/\(name).pol")
    let isEncrypted = name == "encrypted"
    let seed = SHA256.hash(Array("pol test vectors: \(name) prover key".utf8))
    let text = String(
      decoding: try TestVectors.bytes("archive/valid/\(name).expect.json"), as: UTF8.self)
    let hex = isEncrypted ? text.split(separator: "\"epochKey\": \"").last?.prefix(64) : nil
    let key = hex.flatMap { Digest(hex: String($0)) }.map { EpochKey(secret: $0) }
    try withTemporaryDirectory { folder in
      for pattern in DeltaPattern.allCases {
        var options = ArchiveRepack.Options()
        options.pattern = pattern
        let copy = "\(folder)/\(pattern.rawValue)"
        _ = try ArchiveRepack.run(
          open(path, key), to: copy, options: options, key: SigningKey(seed: seed.bytes))
        try expectSame(path, key, copy, key)
      }
    }
  }

  @Test("an archive that is not sealed stays so, and goes on") func unsealed() throws {
    try withTemporaryDirectory { folder in
      let (path, copy) = ("\(folder)/a.pol", "\(folder)/b.pol")
      do {
        let writer = try SmallArchive.create(at: path)
        try SmallArchive.record(writer, to: 6)
        try writer.sync()
        let busy = #expect(throws: ArchiveError.self) { try repackOpen(path, to: copy) }
        #expect(busy?.code == .locked)
      }
      #expect(try repackOpen(path, to: copy).seal == nil)
      let error = #expect(throws: ArchiveError.self) { try repack(path, nil, to: copy, .tree) }
      #expect(error?.message.contains("is not sealed") == true)
      for place in [path, copy] {
        let writer = try ArchiveWriter.open(at: place)
        try SmallArchive.record(writer, to: 8)
        _ = try writer.seal(with: SmallArchive.key())
      }
      #expect(try open(path, nil).seal?.archiveRoot == open(copy, nil).seal?.archiveRoot)
      #expect(try ArchiveChecker.check(copy).isWhole)
    }
  }

  private func repackOpen(_ path: String, to copy: String) throws -> ArchiveRepack.Report {
    try ArchiveRepack.run(
      open(path, nil), to: copy, options: ArchiveRepack.Options(), key: nil)
  }

  @Test("refusals come before anything is written") func refusals() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      _ = try RepackTests.record(at: path, key: nil)
      let before = try contents(path)
      let other = try SigningKey(seed: [UInt8](repeating: 9, count: 32))
      let reader = try open(path, nil)
      for (copy, key, message) in [
        ("\(folder)/b", nil, "the archive is sealed, and a repacked one needs a new seal"),
        ("\(folder)/b", other, "the key is not the one that record 0 names"),
        (path, try SmallArchive.key(), "the folder is not empty"),
        ("\(path)/b", try SmallArchive.key(), "this is inside of the archive that is read"),
      ] {
        let error = #expect(throws: ArchiveError.self) {
          try ArchiveRepack.run(reader, to: copy, options: ArchiveRepack.Options(), key: key)
        }
        #expect(error?.message == message)
      }
      #expect(try !DirectoryListing.exists("\(folder)/b"))
      #expect(try contents(path) == before)
    }
  }

  @Test("a damaged chunk ends a repack without a seal, and without records") func damaged() throws {
    try withTemporaryDirectory { folder in
      let (path, copy) = ("\(folder)/a.pol", "\(folder)/b.pol")
      _ = try RepackTests.record(at: path, key: nil)
      let name = "\(path)/packs/00000000.pack"
      var bytes = try SmallArchive.bytes(name)
      bytes[bytes.count / 2] ^= 1
      try SmallArchive.write(bytes, to: name)
      let error = #expect(throws: ArchiveError.self) { try repack(path, nil, to: copy, .tree) }
      #expect(error?.code == .damaged)
      let names = try DirectoryListing.names(copy)
      #expect(!names.contains("records") && !names.contains("seal"))
      let again = #expect(throws: ArchiveError.self) { try repack(path, nil, to: copy, .tree) }
      #expect(again?.code == .present)
    }
  }
}
