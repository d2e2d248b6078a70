import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Synchronization
import Testing

@testable import ProofArchive

/// The error number that a sync fails with, or 0.
private final class FailingSync: Sendable {
  private let value = Mutex<Int32>(0)
  var code: Int32 { value.withLock { $0 } }
  func set(_ code: Int32) { value.withLock { $0 = code } }
}

/// Copies of a folder as it stands before each operation: what a crash there would leave.
private final class Crashes: Sendable {
  let durableCount = Mutex(0)
  let found = Mutex<[(path: String, durableCount: Int)]>([])
  /// Frames that were about to be written, and the packs that had no index then.
  let frames = Mutex(0)
  let withoutIndex = Mutex<[String]>([])
  private let path: String
  private let folder: String

  init(_ path: String, _ folder: String) {
    self.path = path
    self.folder = folder
  }

  func come(at name: String) {
    // Before `records` there is no archive.
    guard (try? SmallArchive.bytes("\(path)/records")) != nil else { return }
    let count = durableCount.withLock { $0 }
    found.withLock { found in
      let copy = "\(folder)/\(found.count).pol"
      guard (try? SmallArchive.copy(path, to: copy)) != nil else { return }
      found.append((copy, count))
    }
    guard name.hasSuffix(".pack"), let pack = try? SmallArchive.bytes(name),
      pack.count >= PackIndex.packHeaderByteCount
    else { return }
    frames.withLock { $0 += 1 }
    let index = name.dropLast(5) + ".index"
    // The first sync of a new pack makes its header durable, and its index comes then.
    if pack.count > PackIndex.packHeaderByteCount, (try? SmallArchive.bytes(String(index))) == nil {
      withoutIndex.withLock { $0.append(name) }
    }
  }
}

@Suite("What no crash leaves is not cut (archive.md §7)") struct DamageOrCrashTests {
  private static let key = EpochKey(secret: SmallArchive.digest(0x42))
  private static let pack = "packs/00000000.pack"
  private static let index = "packs/00000000.index"

  private func options(_ isEncrypted: Bool) -> ArchiveWriter.Options {
    var options = ArchiveWriter.Options()
    options.epochKey = isEncrypted ? DamageOrCrashTests.key : nil
    return options
  }

  private func access(_ isEncrypted: Bool) -> ArchiveAccess {
    isEncrypted ? .epochKey(DamageOrCrashTests.key) : .none
  }

  private func create(_ path: String, _ options: ArchiveWriter.Options) throws -> ArchiveWriter {
    try ArchiveWriter.create(
      at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
      policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options)
  }

  /// Five checkpoints, all acknowledged.
  private func withArchive(
    _ isEncrypted: Bool, _ body: (_ path: String, _ copy: String) throws -> Void
  ) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      do {
        let writer = try create(path, options(isEncrypted))
        try SmallArchive.record(writer, to: 8)
        try writer.sync()
      }
      try body(path, "\(folder)/b.pol")
    }
  }

  private func snapshot(_ path: String) throws -> [String: [UInt8]] {
    try DirectoryListing.names(path).reduce(into: [:]) {
      $0[$1] = try SmallArchive.bytes("\(path)/\($1)")
    }
  }

  /// Opening says what is damaged and changes no byte; what is whole before it can be salvaged.
  private func expectRefusal(
    _ path: String, _ isEncrypted: Bool, at place: String, kept: Int, _ comment: Comment
  ) throws {
    let before = try snapshot(path)
    do throws(ArchiveError) {
      _ = try ArchiveWriter.open(at: path, options: options(isEncrypted))
      Issue.record("it was opened: \(comment)")
    } catch {
      #expect(error.code == .damaged, comment)
      #expect(error.place.hasPrefix(place), "\(error.place): \(comment)")
      #expect(error.remedy.contains("pol repair"), comment)
    }
    #expect(try snapshot(path) == before, comment)
    guard kept > 0 else { return }
    try withTemporaryDirectory { folder in
      let salvaged = try ArchiveSalvage.run(
        DirectoryObjectSource(path), to: "\(folder)/c.pol", access: access(isEncrypted))
      #expect(salvaged.checkpoints == kept, comment)
      let writer = try ArchiveWriter.open(at: "\(folder)/c.pol", options: options(isEncrypted))
      #expect(writer.checkpointCount == kept, comment)
    }
  }

  @Test("a damaged seal is made again from all else", arguments: [false, true])
  func seal(isEncrypted: Bool) throws {
    try withArchive(isEncrypted) { path, copy in
      let key = try SmallArchive.key()
      do {
        let writer = try ArchiveWriter.open(at: path, options: options(isEncrypted))
        _ = try writer.seal(with: key, claims: .map([("result", .int(3))]))
      }
      let whole = try SmallArchive.bytes("\(path)/seal")
      #expect(try ArchiveSalvage.sealDamage(of: DirectoryObjectSource(path)) == nil)
      var flipped = whole
      flipped[100] ^= 1
      for bytes in [flipped, [], Array(whole.dropLast())] {
        try SmallArchive.write(bytes, to: "\(path)/seal")
        let source = try DirectoryObjectSource(path)
        try? removeFile(copy)
        do throws(ArchiveError) {
          _ = try ArchiveRepair.run(source, from: [], to: copy)
          Issue.record("it was repaired without a seal")
        } catch {
          #expect(error.code == .missing)
          #expect(error.remedy.contains("pol seal"))
        }
        let kept = try ArchiveSalvage.run(source, to: copy, access: access(isEncrypted))
        #expect(kept.sealDamage != nil)
        #expect(kept.checkpoints == kept.foundCheckpoints)
        #expect(try !DirectoryListing.names(copy).contains("seal"))
        do {
          let writer = try ArchiveWriter.open(at: copy, options: options(isEncrypted))
          _ = try writer.seal(with: key)
        }
        #expect(try SmallArchive.bytes("\(copy)/seal") == whole)
      }
    }
  }

  @Test("a damaged record that whole ones follow", arguments: [false, true])
  func record(isEncrypted: Bool) throws {
    try withArchive(isEncrypted) { path, copy in
      let rows = try openArchive(
        DirectoryObjectSource(path), access: access(isEncrypted)
      ).index.rows
      let records = try SmallArchive.bytes("\(path)/records")
      for number in 1...4 {
        for offset in stride(from: 0, to: rows[number].frameByteCount, by: 37) {
          var changed = records
          changed[rows[number].offset + offset] ^= 0x10
          try SmallArchive.copy(path, to: copy)
          try SmallArchive.write(changed, to: "\(copy)/records")
          try expectRefusal(
            copy, isEncrypted, at: "records", kept: offset == 0 ? number - 1 : 0,
            "byte \(offset) of record \(number)")
        }
      }
      // A whole one that does not follow.
      try SmallArchive.copy(path, to: copy)
      try SmallArchive.write(
        Array(records[..<rows[5].offset] + records[rows[3].range]), to: "\(copy)/records")
      try expectRefusal(copy, isEncrypted, at: "records", kept: 4, "record 3 after record 4")
      // The last one cannot be told from one that a crash tore.
      var changed = records
      changed[rows[5].offset + 70] ^= 1
      try SmallArchive.write(changed, to: "\(path)/records")
      #expect(
        try ArchiveWriter.open(at: path, options: options(isEncrypted)).checkpointCount == 4)
    }
  }

  @Test("a damaged frame of the open pack that whole ones follow") func frame() throws {
    try withArchive(false) { path, copy in
      let header = RecordsHeader(suite: 0, depth: 1, keyEpoch: 0, archiveID: .zero)
      let lengths = try PackScan.wholeFrames(
        of: 0, in: DirectoryObjectSource(path), header)
      let pack = try SmallArchive.bytes("\(path)/\(DamageOrCrashTests.pack)")
      var offset = PackIndex.packHeaderByteCount
      for (number, length) in lengths.enumerated().dropLast() {
        for byte in [0, 4, 12, length - 1] {
          var changed = pack
          changed[offset + byte] ^= 0x10
          try SmallArchive.copy(path, to: copy)
          try SmallArchive.write(changed, to: "\(copy)/\(DamageOrCrashTests.pack)")
          // Record 1 names the first three frames, each further one two more.
          try expectRefusal(
            copy, false, at: DamageOrCrashTests.pack,
            kept: byte == 12 && number > 2 ? (number - 1) / 2 : 0,
            "byte \(byte) of frame \(number)")
        }
        offset += length
      }
    }
  }

  @Test("the index of an encrypted archive's open pack damaged, cut or lost") func index() throws {
    try withArchive(true) { path, copy in
      let index = try SmallArchive.bytes("\(path)/\(DamageOrCrashTests.index)")
      for position in stride(from: 0, to: index.count, by: 7) {
        var changed = index
        changed[position] ^= 0x10
        for (bytes, comment) in [
          (changed, "byte \(position)"), (Array(index[..<position]), "cut at \(position)"),
        ] {
          try SmallArchive.copy(path, to: copy)
          try SmallArchive.write(bytes, to: "\(copy)/\(DamageOrCrashTests.index)")
          try expectRefusal(
            copy, true, at: DamageOrCrashTests.index, kept: 0, "\(comment)")
        }
      }
      try SmallArchive.copy(path, to: copy)
      try removeFile("\(copy)/\(DamageOrCrashTests.index)")
      try expectRefusal(copy, true, at: DamageOrCrashTests.index, kept: 0, "no index")
    }
  }

  @Test("an encrypted pack that is shorter than its index, or not there", arguments: [false, true])
  func pack(isGone: Bool) throws {
    try withArchive(true) { path, _ in
      let pack = try SmallArchive.bytes("\(path)/\(DamageOrCrashTests.pack)")
      if isGone {
        try removeFile("\(path)/\(DamageOrCrashTests.pack)")
      } else {
        try SmallArchive.write(Array(pack.dropLast()), to: "\(path)/\(DamageOrCrashTests.pack)")
      }
      try expectRefusal(
        path, true, at: DamageOrCrashTests.pack, kept: isGone ? 0 : 4, "pack")
    }
  }

  @Test("a frame that is lost in a pack which was closed", arguments: [false, true])
  func closedPack(isEncrypted: Bool) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      var options = options(isEncrypted)
      options.knownChunkLimit = 1
      do {
        // Weights that return begin packs of their own.
        let writer = try create(path, options)
        for number in 0..<8 { try ForgottenChunkTests.append(number, to: writer) }
        try writer.sync()
      }
      let pack = try SmallArchive.bytes("\(path)/\(DamageOrCrashTests.pack)")
      try SmallArchive.write(Array(pack.dropLast()), to: "\(path)/\(DamageOrCrashTests.pack)")
      try expectRefusal(path, isEncrypted, at: DamageOrCrashTests.pack, kept: 0, "closed")
      guard !isEncrypted else { return }
      // Without its index too: there is a pack after it.
      try removeFile("\(path)/\(DamageOrCrashTests.index)")
      try expectRefusal(path, false, at: DamageOrCrashTests.pack, kept: 0, "closed, no index")
    }
  }

  @Test("the last pack shorter than its index, which was written when it was closed")
  func closedLast() throws {
    try withArchive(false) { path, _ in
      do {
        let writer = try ArchiveWriter.open(at: path)
        try writer.opened().packs.close()
      }
      let pack = try SmallArchive.bytes("\(path)/\(DamageOrCrashTests.pack)")
      try SmallArchive.write(Array(pack.dropLast()), to: "\(path)/\(DamageOrCrashTests.pack)")
      try expectRefusal(path, false, at: DamageOrCrashTests.pack, kept: 4, "closed")
    }
  }

  @Test("what an encrypted archive wrote after its last sync is cut, in a new pack too")
  func unsynced() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      var options = options(true)
      options.knownChunkLimit = 1
      let writer = try create(path, options)
      var (last, cut) = (0, 0)
      for number in 0..<12 {
        if number % 5 == 0 {
          try writer.sync()
          last = writer.checkpointCount
        }
        try ForgottenChunkTests.append(number, to: writer)
        let copy = "\(folder)/\(number).pol"
        try SmallArchive.copy(path, to: copy)
        let found = try ArchiveWriter.open(at: copy, options: options)
        // A pack that was closed meanwhile has brought some of the rest to the disk.
        #expect((last...number + 1).contains(found.checkpointCount))
        cut += number + 1 - found.checkpointCount
      }
      #expect(cut > 0)
      #expect(try SmallArchive.bytes("\(path)/packs/00000001.pack").count > 16)
    }
  }

  @Test("an encrypted pack has an index before its first frame, wherever a crash comes")
  func firstFrame()
    throws
  {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let crashes = Crashes(path, folder)
      var options = options(true)
      options.knownChunkLimit = 1
      options.fault = { _, name in
        crashes.come(at: name)
        return 0
      }
      let writer = try create(path, options)
      for number in 0..<7 {
        try ForgottenChunkTests.append(number, to: writer)
        if number == 1 {
          try writer.sync()
          crashes.durableCount.withLock { $0 = 2 }
        }
      }
      #expect(try SmallArchive.bytes("\(path)/packs/00000001.pack").count > 16)
      let found = crashes.found.withLock { $0 }
      #expect(found.count > 20)
      for (copy, durableCount) in found {
        let again = try ArchiveWriter.open(at: copy, options: self.options(true))
        #expect(again.checkpointCount >= durableCount, "\(copy)")
      }
      #expect(crashes.frames.withLock { $0 } > 2)
      #expect(crashes.withoutIndex.withLock { $0 } == [])
    }
  }

  @Test("a writer that goes on after a failure finds what was durable, or refuses") func reopened()
    throws
  {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let failing = FailingSync()
      var options = ArchiveWriter.Options()
      options.fault = { operation, name in
        operation == .sync && name.hasSuffix("records") ? failing.code : 0
      }
      let writer = try create(path, options)
      try SmallArchive.record(writer, to: 4)
      try writer.sync()
      try SmallArchive.record(writer, to: 6)
      failing.set(5)
      #expect(throws: ArchiveError.self) { try writer.sync() }
      failing.set(0)
      let records = try SmallArchive.bytes("\(path)/records")
      let row = try openArchive(path).index.rows[3]
      try SmallArchive.write(Array(records[..<(row.offset + 9)]), to: "\(path)/records")
      let error = #expect(throws: ArchiveError.self) { try writer.reopen() }
      #expect(error?.code == .damaged)
      try SmallArchive.write(records, to: "\(path)/records")
      try writer.reopen()
      #expect(writer.lastStep == 4)
    }
  }

  @Test("of the copies of an archive without a seal the best is taken", arguments: [false, true])
  func copies(isEncrypted: Bool) throws {
    try withArchive(isEncrypted) { path, copy in
      try SmallArchive.copy(path, to: copy)
      let rows = try openArchive(
        DirectoryObjectSource(path), access: access(isEncrypted)
      ).index.rows
      for (place, number) in [(path, 2), (copy, 4)] {
        var records = try SmallArchive.bytes("\(place)/records")
        records[rows[number].offset + 70] ^= 1
        try SmallArchive.write(records, to: "\(place)/records")
      }
      let (one, two) = (try DirectoryObjectSource(path), try DirectoryObjectSource(copy))
      let before = (try snapshot(path), try snapshot(copy))
      try withTemporaryDirectory { folder in
        let made = try ArchiveSalvage.run(
          one, from: [two], to: "\(folder)/c.pol", access: access(isEncrypted))
        #expect(made.location == two.location)
        #expect(made.checkpoints == 3)
        #expect(try snapshot(path) == before.0)
        #expect(try snapshot(copy) == before.1)
        // The other way around, and with one that nothing can be kept of.
        try removeFile("\(path)/records")
        let again = try ArchiveSalvage.run(
          one, from: [two], to: "\(folder)/d.pol", access: access(isEncrypted))
        #expect(again.checkpoints == 3)
        #expect(again.warnings.count == 1)
        #expect(
          throws: ArchiveError.self,
          performing: {
            try ArchiveSalvage.run(one, to: "\(folder)/e.pol", access: access(isEncrypted))
          })
      }
    }
  }

  @Test("a copy of another archive is not taken") func otherArchive() throws {
    try withArchive(false) { path, copy in
      try SmallArchive.copy(path, to: copy)
      let base = try SmallArchive.opening()
      let other = OpeningRecord(
        archiveID: SmallArchive.digest(9), proverKey: base.proverKey,
        datasetRoot: base.datasetRoot, datasetCount: base.datasetCount,
        settingsDigest: base.settingsDigest, policyDigest: base.policyDigest,
        runSecret: base.runSecret, salt: base.salt, commitment: nil)
      try withTemporaryDirectory { folder in
        do {
          let writer = try ArchiveWriter.create(
            at: "\(folder)/o.pol", opening: other, settings: SmallArchive.settings,
            policy: SmallArchive.policy, dataset: SmallArchive.dataset())
          try SmallArchive.record(writer, to: 8)
          try writer.sync()
        }
        // Also where record 0 of the damaged one is gone: the file's header names the archive.
        for isWhole in [true, false] {
          if !isWhole {
            var records = try SmallArchive.bytes("\(path)/records")
            records[100] ^= 1
            try SmallArchive.write(records, to: "\(path)/records")
          }
          let error = #expect(throws: ArchiveError.self) {
            try ArchiveSalvage.run(
              DirectoryObjectSource(path), from: [DirectoryObjectSource("\(folder)/o.pol")],
              to: "\(folder)/c.pol")
          }
          #expect(error?.code == .otherArchive)
        }
      }
    }
  }
}
