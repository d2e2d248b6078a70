import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("What a prover can sign that is false (archive.md §6, §9)") struct FalseSealTests {
  private func expect(
    _ code: ArchiveError.Code, isSigned: Bool = true, at place: String? = nil,
    says message: String = "", _ body: () throws -> Void
  ) {
    let error = #expect(throws: ArchiveError.self) { try body() }
    #expect(error?.code == code, "\(String(describing: error))")
    #expect(error?.isSigned == isSigned, "\(String(describing: error))")
    if let place {
      #expect(error?.place.contains(place) == true, "\(String(describing: error))")
    }
    #expect(
      message.isEmpty || error?.message.contains(message) == true, "\(String(describing: error))")
  }

  @Test("what is signed again as it was is read") func honest() throws {
    try withForgedArchive { archive in
      try archive.editRecords { _ in }
      try archive.sign()
      let reader = try archive.reader()
      #expect(try reader.checkpoint(4).step == 6)
      #expect(try reader.normsTable().rows.count == 3)
      _ = try reader.storedByteCount()
      #expect(try ArchiveChecker.check(archive.path).isWhole)
    }
  }

  @Test("fields of the seal that are not those of the tables") func fields() throws {
    try withForgedArchive { archive in
      func expectRefusal(
        says message: String = "", _ change: (inout ForgedArchive.Statement) -> Void
      ) throws {
        try archive.sign(statement: change)
        expect(.malformed, at: "seal", says: message) { _ = try archive.reader() }
      }
      try expectRefusal { $0.archiveID = SmallArchive.digest(9) }
      try expectRefusal { $0.recordCount += 1 }
      try expectRefusal { $0.recordCount -= 1 }
      try expectRefusal(says: "out of bounds") { $0.recordCount = 1 }
      try expectRefusal(says: "out of bounds") { $0.recordCount = CheckpointRecord.stepLimit + 1 }
      try expectRefusal(says: "out of bounds") { $0.stepCount = CheckpointRecord.stepLimit + 1 }
      try expectRefusal { $0.finalRecord = SmallArchive.digest(9) }
      try archive.sign(statement: { $0.archiveRoot = SmallArchive.digest(9) })
      expect(.damaged, isSigned: false, at: "records.index") { _ = try archive.reader() }
      for difference in [-1, 1] {
        try archive.sign(statement: { $0.objectCount += difference })
        let reader = try archive.reader()
        expect(.malformed, at: "seal") { _ = try reader.objectTable() }
      }
      try archive.sign(statement: { $0.normsDigest = SmallArchive.digest(9) })
      let reader = try archive.reader()
      expect(.damaged, isSigned: false, at: "norms") { _ = try reader.normsTable() }
    }
  }

  @Test("norms that are not one row for each segment", arguments: [-1, 1]) func norms(more: Int)
    throws
  {
    try withForgedArchive { archive in
      let rows = try archive.reader().normsTable().rows
      let other = more < 0 ? Array(rows.dropLast()) : rows + [rows[0]]
      try SmallArchive.write(NormsTable(rows: other).encoded, to: "\(archive.path)/norms")
      try archive.sign()
      let reader = try archive.reader()
      expect(.malformed, at: "norms", says: "not one row") { _ = try reader.normsTable() }
    }
  }

  @Test("a records header of another archive, or of another key") func header() throws {
    try withForgedArchive { archive in
      let whole = try archive.bytes("records")
      try archive.edit("records") { $0[16] ^= 1 }
      try archive.sign()
      expect(.malformed, isSigned: false, at: "records", says: "another archive") {
        _ = try archive.reader()
      }
      try SmallArchive.write(whole, to: "\(archive.path)/records")
      try archive.edit("records") {
        $0[8] = 1
        $0[12] = 1
      }
      try archive.sign()
      expect(.malformed, isSigned: false, at: "records", says: "key epoch") {
        _ = try archive.reader()
      }
    }
    try withForgedArchive(isEncrypted: true) { archive in
      _ = try ArchiveReader(archive.source(), access: ForgedArchive.access)
      try archive.edit("records") { $0[12] = 2 }
      expect(.malformed, isSigned: false, at: "records", says: "key epoch") {
        _ = try ArchiveReader(archive.source(), access: ForgedArchive.access)
      }
    }
  }

  @Test("a record of another number, and one after another record", arguments: [8, 16])
  func chain(offset: Int) throws {
    try withForgedArchive { archive in
      try archive.editRecords { $0[3][offset] ^= 0x10 }
      try archive.sign()
      let reader = try archive.reader()
      #expect(try reader.checkpoint(2).step == 2)
      expect(.malformed, at: "record 3", says: "does not chain") { _ = try reader.checkpoint(3) }
    }
  }

  @Test("places of records that no file has") func places() throws {
    func parse(
      offset: Int = 48, count: Int = 100, step: Int = 2
    ) throws(ParsingError) -> RecordIndex {
      let row = RecordIndex.Row(
        hash: SmallArchive.digest(1), offset: offset, frameByteCount: count, step: step)
      return try RecordIndex(parsing: RecordIndex(rows: [row]).encoded)
    }
    #expect(try parse(offset: 1 << 62 - 1).rows.count == 1)
    #expect(try parse(count: RecordFrame.headerByteCount).rows.count == 1)
    #expect(try parse(count: RecordFrame.byteLimit).rows.count == 1)
    #expect(try parse(step: CheckpointRecord.stepLimit).rows.count == 1)
    #expect(throws: ParsingError.self) { try parse(offset: 1 << 62) }
    #expect(throws: ParsingError.self) { try parse(count: RecordFrame.headerByteCount - 1) }
    #expect(throws: ParsingError.self) { try parse(count: RecordFrame.byteLimit + 1) }
    #expect(throws: ParsingError.self) { try parse(step: CheckpointRecord.stepLimit + 1) }
    let row = try NormsTable(
      parsing: NormsTable(rows: [.init(endStep: CheckpointRecord.stepLimit, norms: .zero)]).encoded)
    #expect(row.rows.count == 1)
    #expect(throws: ParsingError.self) {
      try NormsTable(
        parsing: NormsTable(rows: [.init(endStep: CheckpointRecord.stepLimit + 1, norms: .zero)])
          .encoded)
    }
  }

  @Test("places of records where there are others") func falsePlaces() throws {
    try withForgedArchive { archive in
      let rows = try archive.index().rows
      try archive.editIndex { number, row in
        number == 2
          ? .init(
            hash: row.hash, offset: rows[3].offset, frameByteCount: rows[3].frameByteCount,
            step: row.step) : row
      }
      try archive.sign()
      let reader = try archive.reader()
      expect(.damaged, isSigned: false, says: "not the one in the archive root") {
        _ = try reader.checkpoint(2)
      }
      try archive.editIndex { number, row in
        number == 2
          ? .init(
            hash: row.hash, offset: rows[2].offset, frameByteCount: rows[2].frameByteCount - 1,
            step: row.step) : row
      }
      try archive.sign()
      let other = try archive.reader()
      expect(.damaged, isSigned: false) { _ = try other.checkpoint(2) }
    }
  }

  @Test("objects that no archive has, and lengths that none can have") func objects() throws {
    try withForgedArchive { archive in
      func expectRefusal(_ code: ArchiveError.Code, name: String) throws {
        let row = ObjectTable.Row(name: name, byteCount: 1, digest: SmallArchive.digest(1))
        try archive.sign(more: [row])
        let reader = try archive.reader()
        expect(code, at: "objects") { _ = try reader.objectTable() }
      }
      try expectRefusal(.malformed, name: "objects")
      try expectRefusal(.malformed, name: "seal")
      try expectRefusal(.malformed, name: "letter")
      try expectRefusal(.limit, name: String(repeating: "x", count: 256))
      try expectRefusal(.malformed, name: String(repeating: "x", count: 255))
      try expectRefusal(.malformed, name: "norms")
      try archive.signLength(of: "norms", .max)
      #expect(try archive.reader().storedByteCount() == .max)
    }
  }

  @Test("claims that were changed, removed or added, and signed ones that are no JSON")
  func claims()
    throws
  {
    let said = JSONValue.map([("result", .int(3))])
    try withForgedArchive(claims: said) { archive in
      #expect(try archive.reader().claims() == said)
      let whole = try archive.bytes("claims.json")
      func expectRefusal(_ code: ArchiveError.Code, isSigned: Bool = false) throws {
        let reader = try archive.reader()
        expect(code, isSigned: isSigned, at: "claims.json") { _ = try reader.claims() }
      }
      try archive.edit("claims.json") { $0[$0.count - 2] ^= 1 }
      try expectRefusal(.damaged)
      try removeFile("\(archive.path)/claims.json")
      try expectRefusal(.missing)
      try archive.sign()
      #expect(try archive.reader().claims() == nil)
      try SmallArchive.write(whole, to: "\(archive.path)/claims.json")
      try expectRefusal(.damaged)
      try SmallArchive.write(whole + [32], to: "\(archive.path)/claims.json")
      try archive.sign()
      try expectRefusal(.malformed, isSigned: true)
    }
  }

  @Test("an archive without a seal has no object table") func unsealed() throws {
    try withForgedArchive { archive in
      try removeFile("\(archive.path)/seal")
      let reader = try openArchive(archive.path)
      expect(.missing, isSigned: false, at: "seal") { _ = try reader.storedByteCount() }
    }
  }
}
