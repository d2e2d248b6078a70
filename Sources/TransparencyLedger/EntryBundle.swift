/// Entries as a log stores them (C2SP tlog-tiles, "Log entries"): each is a big-endian 16-bit byte
/// count and the bytes; nothing before, between or after.
enum EntryBundle {
  static let entryByteLimit = 65_535
  /// 256 of the largest entries.
  static let byteLimit = 256 * (2 + entryByteLimit)

  static func encode(_ entries: [[UInt8]]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(entries.reduce(0) { $0 + 2 + $1.count })
    for entry in entries {
      precondition(entry.count <= entryByteLimit, "an entry's length was checked when it came in")
      out.append(UInt8(entry.count >> 8))
      out.append(UInt8(entry.count & 255))
      out.append(contentsOf: entry)
    }
    return out
  }

  /// Exactly `count` entries.
  static func decode(_ bytes: [UInt8], count: Int, path: String) throws(LedgerError) -> [[UInt8]] {
    try places(bytes, count: count, path: path).map { Array(bytes[$0]) }
  }

  /// Where each of exactly `count` entries stands: whoever wants one of them copies no other.
  static func places(
    _ bytes: [UInt8], count: Int, path: String
  ) throws(LedgerError) -> [Range<Int>] {
    func bad(_ reason: String) -> LedgerError {
      LedgerError(
        .badBundle, reason, remedy: "fetch the bundle again; the log's owner can restore it",
        path: path)
    }
    var places: [Range<Int>] = []
    places.reserveCapacity(count)
    var offset = 0
    while places.count < count {
      guard bytes.count - offset >= 2 else {
        throw bad("entry \(places.count) of \(count) is missing")
      }
      let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
      offset += 2
      guard bytes.count - offset >= length else {
        throw bad(
          "entry \(places.count) has \(length) bytes and \(bytes.count - offset) are left")
      }
      places.append(offset..<offset + length)
      offset += length
    }
    guard offset == bytes.count else {
      throw bad("\(bytes.count - offset) bytes stand after the last entry")
    }
    return places
  }
}
