internal import ChunkStorage
internal import ProofPrimitives

/// Reads every byte of an archive and says what is damaged or false and what that costs
/// (`spec/archive.md` §9).
///
/// Goes on after a finding: one damaged chunk says nothing about the next. Memory: two states, and 40
/// bytes a data point. It does not redo training: that is the verifier's work.
package struct ArchiveChecker {
  package struct Finding: Sendable {
    package let error: ArchiveError
    /// What can no longer be done with the archive because of it.
    package let consequence: String
  }

  package struct Report: Sendable {
    package internal(set) var findings: [Finding] = []
    package internal(set) var isSealed = false
    package internal(set) var records = 0
    package internal(set) var chunks = 0
    package internal(set) var dataPoints = 0
    package internal(set) var bytes = 0
    package var isWhole: Bool { findings.isEmpty }
  }

  let path: String
  let source: any ObjectSource
  let progress: (Double) -> Void
  var report = Report()

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
    var seal: Seal?
    var index: RecordIndex?
    if report.isSealed {
      attempt("nothing in the archive can be verified") { checker throws(ArchiveError) in
        let found = try ArchiveReader.seal(in: checker.source)
        seal = found
        index = try ArchiveReader.index(checker.source, found)
      }
    }
    var opening: OpeningRecord?
    // Without the authenticated hashes no record can be told from a forged one.
    if !report.isSealed || index != nil { opening = contents(names, seal, index) }
    if let seal {
      attempt("the published bytes cannot be compared") { checker throws(ArchiveError) in
        try checker.objects(names, seal, opening)
      }
    } else if !report.isSealed {
      unsealedNames(names, opening)
    }
    progress(1)
  }

  /// Records, dataset and packs; gives record 0 when it could be read.
  private mutating func contents(
    _ names: [String], _ seal: Seal?, _ index: RecordIndex?
  ) -> OpeningRecord? {
    var started: RecordWalk?
    var opened: OpeningRecord?
    attempt("nothing in the archive can be verified") { checker throws(ArchiveError) in
      var walk = try RecordWalk(checker.source)
      let opening = try checker.opening(&walk, seal, index)
      opened = opening
      started = walk
      _ = try ArchiveReader.texts(checker.source, opening)
    }
    guard let opening = opened, let walk = started else { return opened }
    var leaves: [Digest]?
    attempt("data points cannot be released to a verifier") { checker throws(ArchiveError) in
      let found = try checker.datasetLeaves(opening)
      leaves = found
      checker.report.dataPoints = try checker.points(opening, leaves: found)
    }
    records(RecordsPass(walk: walk, seal: seal, index: index, opening: opening, leaves: leaves))
    packs(names, opening)
    return opening
  }

  mutating func attempt(
    _ consequence: String, _ body: (inout ArchiveChecker) throws(ArchiveError) -> Void
  ) {
    do throws(ArchiveError) { try body(&self) } catch { add(error, consequence) }
  }

  mutating func add(_ error: ArchiveError, _ consequence: String) {
    // Without a seal nothing was signed yet.
    let error =
      report.isSealed
      ? error
      : ArchiveError(error.code, at: error.place, error.message, remedy: error.remedy)
    report.findings.append(Finding(error: error, consequence: consequence))
  }
}
