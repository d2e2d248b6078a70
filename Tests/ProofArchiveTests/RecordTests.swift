import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("Archive records (archive.md §3)") struct RecordTests {
  /// Opening record, and the encodings of records 0 to 2 of the small archive.
  private func records() throws -> (opening: OpeningRecord, records: [[UInt8]]) {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let writer = try SmallArchive.create(at: path)
      try SmallArchive.record(writer, to: 2)
      try writer.sync()
      let reader = try openArchive(path)
      let file = try SmallArchive.bytes("\(path)/records")
      return (
        reader.opening,
        try reader.index.rows.map {
          try RecordFrame(parsing: Array(file[$0.range]), number: 0, keys: nil).record
        }
      )
    }
  }

  /// Encoding what was parsed, or nil when it is refused.
  private func again(_ bytes: [UInt8], _ number: Int, _ opening: OpeningRecord) -> [UInt8]? {
    number == 0
      ? (try? OpeningRecord(parsing: bytes[...]))?.encoded
      : (try? CheckpointRecord(parsing: bytes[...], opening: opening))?.encoded
  }

  @Test("a record is parsed to what encodes to its bytes", arguments: 0...2)
  func roundTrip(number: Int) throws {
    let (opening, records) = try records()
    #expect(again(records[number], number, opening) == records[number])
  }

  @Test("a record cut at any byte is refused, as is one more byte", arguments: 0...2)
  func cut(number: Int) throws {
    let (opening, records) = try records()
    let record = records[number]
    for count in 0..<record.count {
      #expect(again(Array(record[0..<count]), number, opening) == nil)
    }
    #expect(again(record + [0], number, opening) == nil)
  }

  @Test("a changed byte is refused or gives other bytes, and so another hash", arguments: 0...2)
  func flip(number: Int) throws {
    let (opening, records) = try records()
    let record = records[number]
    let hash = RecordHeader.hash(record[...])
    for position in record.indices {
      for bit in 0..<8 {
        var changed = record
        changed[position] ^= 1 << bit
        #expect(RecordHeader.hash(changed[...]) != hash)
        if let encoded = again(changed, number, opening) { #expect(encoded == changed) }
      }
    }
  }

  @Test(
    "constant fields have one value",
    arguments: [(0, 0), (0, 2), (0, 8), (0, 16), (2, 0), (2, 2), (2, 4)])
  func constants(number: Int, position: Int) throws {
    let (opening, records) = try records()
    var changed = records[number]
    changed[position] ^= 0x20
    #expect(again(changed, number, opening) == nil)
  }

  @Test("lengths from a stranger are compared before anything is allocated") func hugeCounts()
    throws
  {
    let (opening, records) = try records()
    // The step count stands after the header and the step.
    var changed = records[2]
    for offset in 56..<60 { changed[offset] = 0xff }
    #expect(again(changed, 2, opening) == nil)
  }
}
