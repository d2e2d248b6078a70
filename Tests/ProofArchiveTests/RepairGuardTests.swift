import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("What a repair takes, and says is lost (repair.md)") struct RepairGuardTests {
  private static let pack = "packs/00000000.pack"
  private static let packIndex = "packs/00000000.index"
  private static let untold =
    "no copy has it whole, and its parts cannot be told right from wrong"

  /// What becomes of one file of the first copy.
  private func outcome(
    of name: String, _ copies: [ForgedArchive], access: ArchiveAccess = .none
  ) throws -> ArchiveRepair.File.Outcome? {
    let out = copies[0].path + ".new"
    try? removeFile(out)
    let report = try ArchiveRepair.run(
      copies[0].source(), from: copies.dropFirst().map { try $0.source() }, to: out, access: access)
    let outcome = report.files.first { $0.name == name }?.outcome
    if case .lost = outcome { return outcome }
    #expect(try SmallArchive.bytes("\(out)/\(name)").count > 0)
    return outcome
  }

  private func packRows(_ archive: ForgedArchive) throws -> [PackIndex.Row] {
    try PackIndex(parsing: try archive.bytes(RepairGuardTests.packIndex)).rows
  }

  /// One bit of a frame's content, under a checksum that is right.
  private func alterFrame(
    _ archive: ForgedArchive, _ row: PackIndex.Row, tagByteCount: Int = 0
  ) throws {
    try archive.edit(RepairGuardTests.pack) { bytes in
      let content = try ChunkFrame.parse(bytes[row.range], tagByteCount: tagByteCount, at: "")
      var payload = Array(content.storedPayload)
      payload[0] ^= 1
      bytes.replaceSubrange(
        row.range,
        with: ChunkFrame.bytes(
          codec: content.codec, parameter: content.parameter, rawByteCount: content.rawByteCount,
          storedPayload: payload))
    }
  }

  /// The same for a record.
  private func alterRecord(_ archive: ForgedArchive, _ row: RecordIndex.Row) throws {
    try archive.edit("records") { bytes in
      let old = Array(bytes[row.range])
      var changed = old
      changed[changed.count - 1] ^= 1
      let start = RecordFrame.headerByteCount
      var writer = ByteWriter()
      writer.u32(crc32c(changed[start...], after: crc32c(changed[..<48])))
      changed.replaceSubrange(48..<52, with: writer.bytes)
      bytes.replaceSubrange(row.range, with: changed)
    }
  }

  @Test("an id that is near, damaged or not there does not speak against a seal") func ids() {
    let id = SmallArchive.digest(7)
    func mayBe(_ count: Int, _ other: UInt8 = 9) -> Bool {
      ArchiveRepair.mayBe(
        [nil, (0..<32).map { $0 < count ? 7 : other }], id)
    }
    #expect(ArchiveRepair.mayBe([nil, nil], id))
    #expect(mayBe(32))
    #expect(mayBe(8))
    #expect(!mayBe(7))
    #expect(!mayBe(0))
    // A zeroed block names none.
    #expect(ArchiveRepair.mayBe([[UInt8](repeating: 0, count: 32), nil], id))
    #expect(ArchiveRepair.mayBe([(0..<32).map { $0 < 15 ? 9 : 0 }], id))
    #expect(!ArchiveRepair.mayBe([(0..<32).map { $0 < 16 ? 9 : 0 }], id))
  }

  @Test("a table out of files that changed is not the sealed one") func table() throws {
    try withForgedArchive { one in
      try removeFile("\(one.path)/objects")
      #expect(try outcome(of: "norms", [one]) == .copied(one.source().location))
      try one.edit("settings.json") { $0[3] ^= 1 }
      let error = #expect(throws: ArchiveError.self) { try outcome(of: "norms", [one]) }
      #expect(error?.code == .missing)
    }
  }

  @Test(
    "a file of a length that was not sealed is not complete, whatever its digest",
    arguments: [-1, 1])
  func falseLength(more: Int) throws {
    for name in ["norms", "records", RepairGuardTests.pack, "dataset/points", "records.index"] {
      try withForgedArchive { one in
        try one.signLength(of: name, try one.bytes(name).count + more)
        let found = try outcome(of: name, [one])
        guard case .lost(let message) = found else {
          Issue.record("\(name): \(String(describing: found))")
          return
        }
        guard name == "records" else { return }
        let rows = try one.index().rows
        let last = try SmallArchive.unwrap(rows.last)
        let end = more < 0 ? last.offset : last.range.upperBound
        #expect(message == "everything from byte \(end)")
      }
    }
  }

  @Test("a length below that of a header is not written out") func tinyLength() throws {
    for name in ["records", RepairGuardTests.pack] {
      try withForgedArchive { one in
        try one.signLength(of: name, 5)
        #expect(try outcome(of: name, [one]) == .lost("no copy has it whole"))
        #expect(throws: (any Error).self) { try SmallArchive.bytes("\(one.path).new/\(name)") }
      }
    }
  }

  @Test("a length that no disk has is not written out") func hugeLength() throws {
    try withForgedArchive { one in
      var offsets = ByteWriter()
      for offset in [0, 51, 102, 153, 1 << 40] { offsets.u64(UInt64(offset)) }
      try SmallArchive.write(offsets.bytes, to: "\(one.path)/dataset/offsets")
      try one.signLength(of: "dataset/points", 1 << 40)
      #expect(try outcome(of: "dataset/points", [one]) == .lost(RepairGuardTests.untold))
    }
  }

  @Test("what is lost is named: the headers, a frame, a record") func named() throws {
    func lost(
      _ name: String, isEncrypted: Bool = false, access: ArchiveAccess = .none,
      _ damage: (ForgedArchive) throws -> Void
    ) throws -> String {
      var message = ""
      try withForgedArchive(isEncrypted: isEncrypted) { one in
        try damage(one)
        if case .lost(let said) = try outcome(of: name, [one], access: access) { message = said }
      }
      return message
    }
    func edited(_ name: String, at byte: Int, isEncrypted: Bool = false) throws -> String {
      try lost(name, isEncrypted: isEncrypted) { try $0.edit(name) { $0[byte] ^= 3 } }
    }
    #expect(try edited(RepairGuardTests.pack, at: 9) == "its header (byte 0)")
    #expect(try edited("records", at: 0) == "its header (byte 0)")
    #expect(try edited("records", at: 20) == "its header (byte 0)")
    #expect(try edited("records", at: 12, isEncrypted: true) == "its header (byte 0)")
    #expect(try edited("records", at: 48 + 70).hasPrefix("record 0 (byte 48)"))
    #expect(try edited(RepairGuardTests.pack, at: 16 + 14) == "frame 0 (byte 16)")
    #expect(try edited("dataset/points", at: 40) == "data point 0 (byte 0)")
    // Encrypted points are told by nothing but the digest of all.
    #expect(
      try edited("dataset/points", at: 40, isEncrypted: true) == RepairGuardTests.untold)
    // A right checksum over another content: the key tells, without it only the digest of all.
    for (access, message) in [
      (ForgedArchive.access, "frame 1 (byte"),
      (.none, "its frames are whole and not those that were sealed"),
    ] as [(ArchiveAccess, String)] {
      let found = try lost(RepairGuardTests.pack, isEncrypted: true, access: access) { one in
        try alterFrame(one, packRows(one)[1], tagByteCount: 16)
      }
      #expect(found.hasPrefix(message), "\(found)")
    }
  }

  /// Two copies whose last piece only the second has, and there not at its place.
  private func withShiftedCopy(
    of name: String, first: Range<Int>, last: Int,
    _ one: ForgedArchive, _ body: (ForgedArchive) throws -> Void
  ) throws {
    let two = try one.copy(".two")
    try one.edit(name) { $0[last] ^= 1 }
    try two.edit(name) { $0.removeSubrange(first) }
    try body(two)
  }

  @Test("the index of another pack, or of other lengths, is not gone by") func otherIndex() throws {
    for isOtherNumber in [true, false] {
      try withForgedArchive { one in
        let rows = try packRows(one)
        let last = try SmallArchive.unwrap(rows.last)
        try withShiftedCopy(
          of: RepairGuardTests.pack, first: rows[0].offset + 4..<rows[0].offset + 8,
          last: last.range.upperBound - 1, one
        ) { two in
          let index =
            isOtherNumber
            ? PackIndex(
              packNumber: 7, frames: [(SmallArchive.digest(1), last.range.upperBound - 16)])
            : PackIndex(packNumber: 0, frames: [(rows[0].storedID, rows[0].byteCount)])
          try SmallArchive.write(index.encoded, to: "\(one.path)/\(RepairGuardTests.packIndex)")
          try removeFile("\(two.path)/\(RepairGuardTests.packIndex)")
          #expect(try outcome(of: RepairGuardTests.pack, [one, two]) == .assembled)
        }
      }
    }
  }

  @Test("signed places of records that leave holes are not gone by", arguments: [false, true])
  func falsePlaces(atEnd: Bool) throws {
    try withForgedArchive { one in
      let rows = try one.index().rows
      let last = try SmallArchive.unwrap(rows.last)
      try one.editIndex { number, row in
        guard number == (atEnd ? rows.count - 1 : 2) else { return row }
        return .init(
          hash: row.hash, offset: row.offset + (atEnd ? 0 : 1),
          frameByteCount: row.frameByteCount - 1, step: row.step)
      }
      try one.sign()
      try withShiftedCopy(
        of: "records", first: rows[1].offset + 70..<rows[1].offset + 74,
        last: last.range.upperBound - 1, one
      ) { two in
        let found = try outcome(of: "records", [one, two])
        #expect(found == .assembled)
      }
    }
  }

  @Test("signed offsets of data points that do not fit are not gone by") func falseOffsets() throws
  {
    let total = try withTemporaryDirectory { folder in
      try ForgedArchive(at: "\(folder)/a.pol").bytes("dataset/points").count
    }
    let step = total / 4
    for offsets in [
      [0, 2 * step, step, 3 * step, total], [0, step, 2 * step, 3 * step, total - 1, total],
      [1, step, 2 * step, 3 * step, total], [0, step, 2 * step, 3 * step, total - 1],
      [0, step, step, 3 * step, total],
    ] {
      try withForgedArchive { one in
        var table = ByteWriter()
        for offset in offsets { table.u64(UInt64(offset)) }
        try SmallArchive.write(table.bytes, to: "\(one.path)/dataset/offsets")
        try one.sign()
        let tree = try one.bytes("dataset/tree.0")
        try removeFile("\(one.path)/dataset/tree.0")
        guard case .lost = try outcome(of: "dataset/tree.0", [one]) else {
          Issue.record("a tree was computed from \(offsets)")
          return
        }
        try SmallArchive.write(tree, to: "\(one.path)/dataset/tree.0")
        try one.edit("dataset/points") { $0[40] ^= 1 }
        #expect(
          try outcome(of: "dataset/points", [one]) == .lost(RepairGuardTests.untold), "\(offsets)")
      }
    }
  }

  @Test("of frames that may each be right, 64 combinations are tried", arguments: [6, 7])
  func tries(count: Int) throws {
    try withForgedArchive(steps: 20) { one in
      let rows = try one.index().rows
      let last = try SmallArchive.unwrap(rows.last)
      let two = try one.copy(".two")
      for row in rows[1...count] { try alterRecord(one, row) }
      // The last record stands in a third copy alone, which is shorter.
      try withShiftedCopy(
        of: "records", first: rows[0].offset + 70..<rows[0].offset + 74,
        last: last.range.upperBound - 1, two
      ) { three in
        try one.edit("records") { $0[last.range.upperBound - 1] ^= 1 }
        for row in rows[1...count] {
          // What stands in both is one choice.
          try three.edit("records") { $0[row.offset - 4 + 60] ^= 1 }
        }
        let found = try outcome(of: "records", [one, two, three])
        if count == 6 {
          #expect(found == .assembled)
        } else {
          guard case .lost = found else {
            Issue.record("\(String(describing: found))")
            return
          }
        }
      }
    }
  }
}
