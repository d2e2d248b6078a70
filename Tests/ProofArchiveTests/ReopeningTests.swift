import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("Reopening an archive after a crash (archive.md §7)") struct ReopeningTests {
  /// What a damaged copy must become: its last whole checkpoint, then the same root and sound bytes.
  private func expectRecovery(_ path: String, from step: Int, root: String) throws {
    do {
      let writer = try ArchiveWriter.open(at: path)
      #expect(writer.lastStep == step)
      #expect(writer.durableStep == step)
      #expect(try writer.lastState() == SmallArchive.state(step))
      try SmallArchive.record(writer, to: 8)
      try writer.sync()
      #expect(writer.root.hex == root)
    }
    #expect(try ArchiveChecker.check(path).isWhole)
  }

  private func withArchive(_ body: (_ path: String, _ copy: String, _ root: String) throws -> Void)
    throws
  {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let root: String
      do {
        let writer = try SmallArchive.create(at: path)
        try SmallArchive.record(writer, to: 8)
        try writer.sync()
        root = writer.root.hex
      }
      try body(path, "\(folder)/b.pol", root)
    }
  }

  /// Where the last frame of `records` begins.
  private func lastFrame(_ path: String) throws -> Int {
    let reader = try openArchive(path)
    return try SmallArchive.unwrap(reader.index.rows.last).offset
  }

  @Test("records cut at any byte of the last frame") func cutRecords() throws {
    try withArchive { path, copy, root in
      let records = try SmallArchive.bytes("\(path)/records")
      let start = try lastFrame(path)
      try expectRecovery(path, from: 8, root: root)
      for end in start..<records.count {
        try SmallArchive.copy(path, to: copy)
        try SmallArchive.write(Array(records[0..<end]), to: "\(copy)/records")
        try expectRecovery(copy, from: 6, root: root)
      }
    }
  }

  @Test("any byte of the last frame of records changed") func flipRecords() throws {
    try withArchive { path, copy, root in
      let records = try SmallArchive.bytes("\(path)/records")
      for position in try lastFrame(path)..<records.count {
        var changed = records
        changed[position] ^= 0x41
        try SmallArchive.copy(path, to: copy)
        try SmallArchive.write(changed, to: "\(copy)/records")
        try expectRecovery(copy, from: 6, root: root)
      }
    }
  }

  @Test("the pack cut at any byte that the last checkpoint needs, or its last frame changed")
  func cutPack() throws {
    try withArchive { path, copy, root in
      let pack = try SmallArchive.bytes("\(path)/packs/00000000.pack")
      let shorter: Int = try withTemporaryDirectory { folder in
        let writer = try SmallArchive.create(at: "\(folder)/c.pol")
        try SmallArchive.record(writer, to: 6)
        try writer.sync()
        return try SmallArchive.bytes("\(folder)/c.pol/packs/00000000.pack").count
      }
      #expect(shorter < pack.count)
      let lastFrame = try SmallArchive.unwrap(
        PackScan.wholeFrames(
          of: 0, in: DirectoryObjectSource(path),
          RecordsHeader(suite: 0, depth: 1, keyEpoch: 0, archiveID: .zero)
        ).last)
      for position in shorter..<pack.count {
        try SmallArchive.copy(path, to: copy)
        try SmallArchive.write(Array(pack[0..<position]), to: "\(copy)/packs/00000000.pack")
        try expectRecovery(copy, from: 6, root: root)
        guard position >= pack.count - lastFrame else { continue }
        var changed = pack
        changed[position] ^= 1
        try SmallArchive.copy(path, to: copy)
        try SmallArchive.write(changed, to: "\(copy)/packs/00000000.pack")
        try expectRecovery(copy, from: 6, root: root)
      }
    }
  }

  @Test("what stands after the last whole frame is cut off") func tail() throws {
    try withArchive { path, _, root in
      for name in ["records", "packs/00000000.pack"] {
        let bytes = try SmallArchive.bytes("\(path)/\(name)")
        try SmallArchive.write(bytes + [0x50, 0x43, 1, 0, 9], to: "\(path)/\(name)")
        try expectRecovery(path, from: 8, root: root)
        #expect(try SmallArchive.bytes("\(path)/\(name)") == bytes)
      }
    }
  }

  @Test("a folder that holds something else is not made an archive", arguments: ["letter", "seal"])
  func foreignFolder(name: String) throws {
    try withTemporaryDirectory { folder in
      try SmallArchive.write([1], to: "\(folder)/\(name)")
      #expect(throws: ArchiveError.self) { try SmallArchive.create(at: folder) }
      #expect(throws: (any Error).self) { try SmallArchive.bytes("\(folder)/records") }
    }
  }

  @Test("a preparation that was cut short is made again") func preparedAgain() throws {
    try withArchive { path, _, root in
      try withTemporaryDirectory { folder in
        let copy = "\(folder)/b.pol"
        _ = try SmallArchive.create(at: copy)
        for name in ["records", "packs/00000000.pack"] {
          try removeFile("\(copy)/\(name)")
        }
        try SmallArchive.write([1, 2], to: "\(copy)/dataset/tree.3")
        let writer = try SmallArchive.create(at: copy)
        try SmallArchive.record(writer, to: 8)
        #expect(writer.root.hex == root)
        #expect(throws: (any Error).self) { try SmallArchive.bytes("\(copy)/dataset/tree.3") }
      }
    }
  }

  /// What differs between a record that is whole and one that goes on from the record before.
  enum Break: CaseIterable {
    case nothing, sequence, previous, laterStep, fewerSteps, firstPrevious
  }

  @Test(
    "a record goes on from the one before it, by number, hash and step", arguments: Break.allCases)
  func chain(fault: Break) throws {
    try withArchive { path, _, _ in
      let whole = try openArchive(path)
      let number = fault == .firstPrevious ? 1 : whole.index.rows.count - 1
      let old = try whole.checkpoint(number)
      let steps = fault == .fewerSteps ? Array(old.steps.dropFirst()) : old.steps
      let isLinked = fault != .previous && fault != .firstPrevious
      let record = try SmallArchive.unwrap(
        CheckpointRecord(
          sequence: old.sequence + (fault == .sequence ? 1 : 0),
          previous: isLinked ? old.previous : SmallArchive.digest(7),
          step: old.step + (fault == .laterStep ? 1 : 0), steps: steps,
          signatureRoot: old.signatureRoot, norms: old.norms, layout: old.layout,
          chunks: old.chunks))
      let records = try SmallArchive.bytes("\(path)/records")
      let frame = try RecordFrame.clear(record: record.encoded, envelope: whole.envelope(number))
      try SmallArchive.write(
        Array(records[..<whole.index.rows[number].offset]) + frame, to: "\(path)/records")
      let scan = try RecordScan(DirectoryObjectSource(path))
      #expect(scan.rows.count == (fault == .nothing ? number + 1 : number))
      #expect((scan.tail == nil) == (fault == .nothing))
      guard fault != .nothing else { return }
      // It is whole, so no crash left it.
      let error = #expect(throws: ArchiveError.self) { try ArchiveWriter.open(at: path) }
      #expect(error?.code == .damaged)
      #expect(error?.place.hasPrefix("records, byte") == true)
    }
  }

  @Test("record 0 is that of the archive that the file names") func otherHeader() throws {
    try withArchive { path, _, _ in
      var records = try SmallArchive.bytes("\(path)/records")
      records[16] ^= 1
      try SmallArchive.write(records, to: "\(path)/records")
      for open in [
        { _ = try ArchiveWriter.open(at: path) }, { _ = try openArchive(path) },
      ] as [() throws -> Void] {
        let error = #expect(throws: ArchiveError.self) { try open() }
        #expect(error?.code == .malformed)
      }
    }
  }

  @Test("one writer at a time") func locked() throws {
    try withArchive { path, _, _ in
      let writer = try ArchiveWriter.open(at: path)
      let error = #expect(throws: ArchiveError.self) { try ArchiveWriter.open(at: path) }
      #expect(error?.code == .locked)
      #expect(writer.lastStep == 8)
    }
  }
}
