internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

/// Reads every byte of an archive and says what is damaged and what that costs (`spec/archive.md` §9).
///
/// Goes on after a finding: one damaged chunk says nothing about the next. It judges bytes against
/// digests; whether what they say is true is the verifier's work.
package struct ArchiveChecker {
  package struct Finding: Sendable {
    package let error: ArchiveError
    /// What can no longer be done with the archive because of it.
    package let consequence: String
  }

  package struct Report: Sendable {
    package fileprivate(set) var findings: [Finding] = []
    package fileprivate(set) var isSealed = false
    package fileprivate(set) var records = 0
    package fileprivate(set) var chunks = 0
    package fileprivate(set) var dataPoints = 0
    package fileprivate(set) var bytes = 0
    package var isWhole: Bool { findings.isEmpty }
  }

  private let path: String
  private let source: any ObjectSource
  private let progress: (Double) -> Void
  private var report = Report()

  /// Checks the archive in a directory; `progress` is called with 0 to 1.
  package static func check(
    _ path: String, progress: @escaping (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> Report {
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    var checker = ArchiveChecker(path: path, source: source, progress: progress)
    try checker.run()
    checker.report.bytes = source.transfer.bytes
    return checker.report
  }

  private init(path: String, source: any ObjectSource, progress: @escaping (Double) -> Void) {
    self.path = path
    self.source = source
    self.progress = progress
  }

  private mutating func run() throws(ArchiveError) {
    let names = try DirectoryListing.names(path)
    report.isSealed = names.contains(ArchiveFiles.seal)
    if report.isSealed {
      attempt("the published bytes cannot be compared") { checker throws(ArchiveError) in
        try checker.objects(names)
      }
    }
    var opened: ArchiveReader?
    attempt("nothing in the archive can be verified") {
      checker throws(ArchiveError) in
      opened =
        checker.report.isSealed
        ? try ArchiveReader(checker.source) : try ArchiveReader(unsealed: checker.source)
    }
    guard let reader = opened else { return }
    if let tail = reader.tornTail {
      add(
        ArchiveError(
          .damaged, at: ArchiveFiles.records, "\(tail) are torn",
          remedy: "go on with the training, which cuts them off"),
        "the checkpoint that was being written is lost")
    }
    records(reader)
    attempt("data points cannot be released to a verifier") {
      checker throws(ArchiveError) in
      let manifest = try DatasetManifest(
        loading: checker.source, root: reader.opening.datasetRoot,
        count: reader.opening.datasetCount)
      checker.report.dataPoints = manifest.count
    }
    packs(names, reader)
  }

  private mutating func attempt(
    _ consequence: String, _ body: (inout ArchiveChecker) throws(ArchiveError) -> Void
  ) {
    do throws(ArchiveError) { try body(&self) } catch { add(error, consequence) }
  }

  private mutating func add(_ error: ArchiveError, _ consequence: String) {
    report.findings.append(Finding(error: error, consequence: consequence))
  }

  /// Every file against the object table, and the table against the seal.
  private mutating func objects(_ names: [String]) throws(ArchiveError) {
    let bytes = try ArchiveReader.whole(
      ArchiveFiles.objects, in: source, limit: ObjectTable.byteLimit)
    let table = try parsing(ArchiveFiles.objects) { () throws(ParsingError) in
      try ObjectTable(parsing: bytes)
    }
    let seal = try ArchiveReader.seal(in: source)
    guard table.root == seal.objectRoot, table.rows.count == seal.objectCount else {
      throw ArchiveError(
        .damaged, at: ArchiveFiles.objects, "the object table is not the one that the seal names")
    }
    for (position, row) in table.rows.enumerated() {
      progress(0.5 * Double(position) / Double(max(1, table.rows.count)))
      attempt("\(row.name) cannot be used") { checker throws(ArchiveError) in
        let found = try ObjectTable.row(row.name, in: checker.source)
        guard found == row else {
          throw ArchiveError(
            .damaged, at: "\(checker.path)/\(row.name)",
            found.byteCount == row.byteCount
              ? "its bytes changed since it was sealed"
              : "it has \(found.byteCount) bytes, \(row.byteCount) were sealed")
        }
      }
    }
    let listed = Set(table.rows.map(\.name) + [ArchiveFiles.objects, ArchiveFiles.seal])
    for name in names where !listed.contains(name) {
      add(
        ArchiveError(
          .malformed, at: "\(path)/\(printable(name))", "this file was not sealed",
          remedy: "move it out of the archive"),
        "nothing; readers ignore it")
    }
  }

  private mutating func records(_ reader: ArchiveReader) {
    let norms = reader.seal == nil ? nil : try? reader.normsTable()
    if reader.seal != nil, norms == nil {
      attempt("the largest updates cannot be found") { _ throws(ArchiveError) in
        _ = try reader.normsTable()
      }
    }
    for number in 1..<max(1, reader.index.rows.count) {
      progress(0.5 + 0.4 * Double(number) / Double(reader.index.rows.count))
      let before = number == 1 ? "the segment after it" : "the segments on both sides of it"
      attempt("checkpoint \(number) and \(before) cannot be verified") {
        checker throws(ArchiveError) in
        let record = try reader.checkpoint(number)
        checker.report.records += 1
        if let norms, number > 1, norms.rows[number - 2].norms != record.norms {
          throw ArchiveError(
            .malformed, at: ArchiveFiles.norms,
            "row \(number - 2) differs from record \(number)", isSigned: true)
        }
        try reader.checkChunks(number)
        checker.report.chunks += record.chunks.count
      }
    }
  }

  /// Frames that no record names are checked too: they are published bytes.
  private mutating func packs(_ names: [String], _ reader: ArchiveReader) {
    for name in names where name.hasPrefix("packs/") && name.hasSuffix(".pack") {
      guard let number = UInt32(name.dropFirst(6).prefix(8)), name == ArchiveFiles.pack(number)
      else { continue }
      attempt("some chunks of \(name) cannot be found") { checker throws(ArchiveError) in
        let indexName = ArchiveFiles.packIndex(number)
        guard names.contains(indexName) else {
          if reader.seal == nil { return }
          throw ArchiveError(.missing, at: indexName, "the pack index is not there")
        }
        let bytes = try ArchiveReader.whole(
          indexName, in: checker.source, limit: PackIndex.byteLimit)
        let index = try parsing(indexName) { () throws(ParsingError) in
          try PackIndex(parsing: bytes)
        }
        let rows = try PackScan.rows(
          of: number, in: checker.source, archiveID: reader.opening.archiveID)
        let rebuilt = PackIndex(
          packNumber: number,
          packByteCount: rows.last.map { $0.offset + $0.byteCount } ?? PackWriter.headerByteCount,
          rows: rows)
        guard rebuilt == index else {
          throw ArchiveError(
            .damaged, at: "\(checker.path)/\(name)", "the pack and its index do not agree")
        }
      }
    }
    progress(1)
  }
}
