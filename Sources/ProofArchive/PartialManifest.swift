internal import ChunkStorage
internal import ProofPrimitives

/// `partial`: what a folder holds of a sealed archive (`spec/store.md` §5.1).
struct PartialManifest: Equatable, Sendable {
  private static let magic = Array("polpart1".utf8)
  /// 64 MiB: four million ranges. Who needs more needs the archive.
  static let byteLimit = 64 << 20
  private static let offsetLimit: UInt64 = 1 << 62
  private static let rangeByteCount = 16
  /// A name of one byte and one range.
  private static let fileByteCount = 2 + 1 + 4 + rangeByteCount

  /// The seal as it stands at the source, which whoever reads it checks.
  let seal: [UInt8]
  /// Those of which all was fetched and checked.
  var segments = RangeSet<Int>()
  /// Of `NAME.part`, by name; never empty.
  var ranges: [String: RangeSet<Int>] = [:]

  init(seal: [UInt8]) { self.seal = seal }

  var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.raw(PartialManifest.magic)
    writer.raw(seal)
    writer.u32(UInt32(segments.ranges.count))
    for run in segments.ranges {
      writer.u32(UInt32(run.lowerBound))
      writer.u32(UInt32(run.upperBound))
    }
    writer.u32(UInt32(ranges.count))
    let names = ranges.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    for name in names {
      let held = ranges[name] ?? RangeSet()
      writer.string(name)
      writer.u32(UInt32(held.ranges.count))
      for range in held.ranges {
        writer.u64(UInt64(range.lowerBound))
        writer.u64(UInt64(range.upperBound))
      }
    }
    writer.u32(crc32c(writer.bytes))
    return writer.bytes
  }

  init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = try checkedTable(bytes)
    try reader.expect(PartialManifest.magic, "magic of the list of what is held")
    seal = Array(try reader.take(Seal.byteCount, "seal"))
    let runs = try reader.count("count of runs of segments", itemByteCount: 8)
    segments = try PartialManifest.set(runs, &reader) { reader throws(ParsingError) in
      UInt64(try reader.u32("segment"))
    }
    let files = try reader.count(
      "count of files", itemByteCount: PartialManifest.fileByteCount)
    var last = ""
    for _ in 0..<files {
      let start = reader.offset
      let name = try reader.string("file name", limit: ObjectTable.nameLimit)
      guard last.utf8.lexicographicallyPrecedes(name.utf8) else {
        throw ParsingError("the files are not in order", at: start)
      }
      last = name
      let count = try reader.count(
        "count of ranges", itemByteCount: PartialManifest.rangeByteCount)
      guard count > 0 else { throw ParsingError("a file without ranges", at: start) }
      ranges[name] = try PartialManifest.set(count, &reader) { reader throws(ParsingError) in
        try reader.u64("bound of a range")
      }
    }
    try reader.finish("list of what is held")
  }

  /// Ranges that ascend and do not touch: each set has one form.
  private static func set(
    _ count: Int, _ reader: inout ByteReader,
    _ bound: (inout ByteReader) throws(ParsingError) -> UInt64
  ) throws(ParsingError) -> RangeSet<Int> {
    var ranges: [Range<Int>] = []
    ranges.reserveCapacity(count)
    for _ in 0..<count {
      let place = reader.offset
      let start = try bound(&reader)
      let end = try bound(&reader)
      guard start < end, end <= offsetLimit,
        ranges.last.map({ start > UInt64($0.upperBound) }) ?? true
      else { throw ParsingError("the ranges do not ascend", at: place) }
      ranges.append(Int(start)..<Int(end))
    }
    return RangeSet(ranges)
  }
}

extension RangeSet<Int> {
  /// Whether all of `range` is in it.
  ///
  /// - Complexity: O(log n).
  func holds(_ range: Range<Int>) -> Bool {
    guard !range.isEmpty else { return true }
    let all = ranges
    var low = 0
    var high = all.count
    while low < high {
      let middle = (low + high) / 2
      if all[middle].lowerBound <= range.lowerBound { low = middle + 1 } else { high = middle }
    }
    return low > 0 && all[low - 1].upperBound >= range.upperBound
  }

  /// How many numbers are in it: they may be more than fit in memory.
  package var count: Int { ranges.reduce(0) { $0 + $1.count } }

  /// As `--segments` takes it: `3,7-9`.
  package var list: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
      .joined(separator: ",")
  }

  package init(numbers: some Sequence<Int>) {
    self.init(numbers.sorted().map { $0..<$0 + 1 })
  }
}
