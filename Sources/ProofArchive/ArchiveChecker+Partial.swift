internal import ChunkStorage
internal import ProofPrimitives

/// A folder of some segments (`spec/store.md` §5.1): what is there is checked, and it is never whole.
extension ArchiveChecker {
  /// What is there of the archive.
  package struct Partial: Sendable {
    package let segments: RangeSet<Int>
    package let allSegments: Int
    package let heldByteCount: Int
    package let byteCount: Int
  }

  /// - Parameter names: What stands in the folder.
  mutating func run(_ partial: PartialArchive, _ names: [String]) throws(ArchiveError) {
    report.isSealed = true
    let seal = try ArchiveReader.seal(in: partial)
    let table = try ObjectTable.load(partial, seal).table
    report.partial = Partial(
      segments: partial.segments, allSegments: seal.segmentCount,
      heldByteCount: try partial.heldByteCount(),
      byteCount: table.rows.reduce(Seal.byteCount + table.encoded.count) {
        $0.addingReportingOverflow($1.byteCount).overflow ? .max : $0 + $1.byteCount
      })
    for row in table.rows {
      attempt(anew: partial, nil, "\(row.name) cannot be used", isOfWholeFile: true) {
        checker throws(ArchiveError) in
        let isThere = try storing { () throws(StorageError) in try partial.isWhole(row.name) }
        if isThere { try checker.compare(row) }
      }
    }
    if depth.takesKeys {
      segments(partial)
    } else {
      frames(partial, seal, table)
    }
    stray(names, table)
    let lacking = seal.segmentCount - (report.partial?.segments.count ?? 0)
    report.omissions.append("segments that are not here: \(lacking) of \(seal.segmentCount)")
    progress(1)
  }

  /// All that each segment takes.
  private mutating func segments(_ partial: PartialArchive) {
    var opened: ArchiveReader?
    attempt(anew: partial, nil, "no segment can be verified") { checker throws(ArchiveError) in
      opened = try ArchiveReader(partial, access: checker.access)
    }
    guard let reader = opened else { return }
    let listed = partial.segments
    let known = listed.intersection(RangeSet(0..<reader.segmentCount))
    if known != listed {
      add(
        ArchiveError(
          .malformed, at: "\(path)/\(PartialArchive.fileName)",
          "it lists segments that the archive does not have"), "nothing; they are not looked for",
        next: partial.remedy())
    }
    report.records = Set(known.ranges.joined().flatMap { [$0 + 1, $0 + 2] }).count
    for (done, segment) in known.ranges.joined().enumerated() {
      progress(Double(done) / Double(known.count))
      attempt(anew: partial, segment, "segment \(segment) cannot be verified") {
        checker throws(ArchiveError) in
        let material = try reader.segment(segment)
        try material.check { _ throws(ArchiveError) in }
        checker.report.chunks += material.before.chunks.count
        checker.report.dataPoints += Set(material.after.steps.flatMap(\.batch)).count
      }
    }
  }

  /// The checksums of the frames that are here, which take no key.
  private mutating func frames(_ partial: PartialArchive, _ seal: Seal, _ table: ObjectTable) {
    report.omissions = ["what records, chunks and points say, and the points: no key was used"]
    attempt(anew: partial, nil, "no record can be read") { checker throws(ArchiveError) in
      let header = try RecordsHeader.load(partial, seal: seal)
      // The index is encrypted where the records are.
      if seal.suite == 0 {
        let rows = try ArchiveReader.index(partial, seal, nil).rows
        for (number, row) in rows.enumerated()
        where partial.held(ArchiveFiles.records).holds(row.range) {
          let frame = try partial.bytes(of: ArchiveFiles.records, row.range)
          _ = try RecordFrame(parsing: frame, number: number, keys: nil)
          checker.report.records += number > 0 ? 1 : 0
        }
      } else {
        checker.report.omissions.append("records: where they stand is encrypted")
      }
      for row in table.rows where row.name.hasSuffix(".pack") {
        try checker.frames(of: row.name, partial, header)
      }
    }
  }

  private mutating func frames(
    of name: String, _ partial: PartialArchive, _ header: RecordsHeader
  ) throws(ArchiveError) {
    let held = partial.held(name)
    guard !held.isEmpty, let number = UInt32(name.dropFirst("packs/".count).prefix(8)) else {
      return
    }
    for row in try PackCatalog.index(number, partial).rows where held.holds(row.range) {
      let bytes = try partial.bytes(of: name, row.range)
      _ = try storing { () throws(StorageError) in
        try ChunkFrame.parse(
          bytes, tagByteCount: header.tagByteCount, at: "\(path)/\(name), byte \(row.offset)")
      }
      report.chunks += 1
    }
  }

  private mutating func stray(_ names: [String], _ table: ObjectTable) {
    var known: Set = [
      ArchiveFiles.objects, PartialArchive.fileName, PartialArchive.fileName + ".tmp",
    ]
    for row in table.rows { known.formUnion([row.name, row.name + PartialFile.suffix]) }
    // What a kill leaves of a durable write is nobody's.
    for name in names
    where !known.contains(name)
      && !(name.split(separator: "/").last ?? "").hasPrefix(DurableFile.temporaryPrefix)
    {
      add(
        ArchiveError(
          .malformed, at: "\(path)/\(printable(name))", "this file was not sealed"),
        "nothing; readers ignore it", next: "move it out of the folder")
    }
  }

  /// As `attempt`; what is damaged here is fetched again.
  private mutating func attempt(
    anew partial: PartialArchive, _ segment: Int?, _ consequence: String,
    isOfWholeFile: Bool = false,
    _ body: (inout ArchiveChecker) throws(ArchiveError) -> Void
  ) {
    do throws(ArchiveError) {
      try body(&self)
    } catch {
      let isMended =
        [.damaged, .missing, .malformed, .limit].contains(error.code) && !error.isSigned
      let next = partial.remedy(segment.map { RangeSet(numbers: [$0]) })
      add(error, consequence, next: isMended ? next : nil, isOfWholeFile: isOfWholeFile)
    }
  }
}
