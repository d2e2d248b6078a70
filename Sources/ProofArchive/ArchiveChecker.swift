internal import ChunkStorage
internal import ProofPrimitives

/// Reads every byte of an archive and says what is damaged or false and what that costs
/// (`spec/archive.md` §9).
///
/// Goes on after a finding: one damaged chunk says nothing about the next. Memory: two states, and
/// about 40 bytes a data point and a chunk. It does not redo training: that is the verifier's work.
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
  let access: ArchiveAccess
  let depth: Depth
  let progress: (Double) -> Void
  var report = Report()

  /// How much of an archive is read.
  package enum Depth: Sendable {
    /// Everything that takes no key: seal, object table, lengths and checksums of all frames.
    case publicBytes
    /// All, and every digest.
    case everything
  }

  /// Checks the archive in a directory; `progress` is called with 0 to 1.
  package static func check(
    _ path: String, access: ArchiveAccess = .none, depth: Depth = .everything,
    progress: @escaping (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> Report {
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    var checker = ArchiveChecker(
      path: path, source: source, access: access, depth: depth, progress: progress)
    try checker.run()
    checker.report.bytes = source.transfer.bytes
    return checker.report
  }

  private init(
    path: String, source: any ObjectSource, access: ArchiveAccess, depth: Depth,
    progress: @escaping (Double) -> Void
  ) {
    self.path = path
    self.source = source
    self.access = access
    self.depth = depth
    self.progress = progress
  }

  private mutating func run() throws(ArchiveError) {
    let names = try DirectoryListing.names(path)
    report.isSealed = names.contains(ArchiveFiles.seal)
    var seal: Seal?
    var index: RecordIndex?
    var keys: ArchiveKeys?
    if report.isSealed {
      attempt("nothing in the archive can be verified") { checker throws(ArchiveError) in
        let found = try ArchiveReader.seal(in: checker.source)
        seal = found
        guard checker.depth == .everything else { return }
        keys = try checker.access.keys(for: found)
        index = try ArchiveReader.index(checker.source, found, keys)
      }
    }
    guard depth == .everything else {
      try publicBytes(names, seal)
      progress(1)
      return
    }
    var opening: OpeningRecord?
    // Without the authenticated hashes no record can be told from a forged one.
    if !report.isSealed || index != nil { opening = contents(names, seal, index, keys) }
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
    _ names: [String], _ seal: Seal?, _ index: RecordIndex?, _ sealedKeys: ArchiveKeys?
  ) -> OpeningRecord? {
    var started: RecordWalk?
    var opened: OpeningRecord?
    var keys = sealedKeys
    attempt("nothing in the archive can be verified") { checker throws(ArchiveError) in
      let header = try RecordsHeader.load(checker.source, seal: seal)
      if seal == nil { keys = try checker.access.keys(for: header) }
      var walk = try RecordWalk(checker.source, keys: keys)
      let opening = try checker.opening(&walk, seal, index)
      opened = opening
      started = walk
      _ = try ArchiveReader.texts(checker.source, opening, keys)
    }
    guard let opening = opened, let walk = started else { return opened }
    var leaves: [Digest]?
    attempt("data points cannot be released to a verifier") { checker throws(ArchiveError) in
      let found = try checker.datasetLeaves(opening)
      leaves = found
      checker.report.dataPoints = try checker.points(opening, leaves: found, keys)
    }
    if let keys, names.contains(ArchiveFiles.claims) {
      attempt("what the prover says of the result cannot be read") {
        checker throws(ArchiveError) in
        _ = try ArchiveReader.file(
          ArchiveFiles.claims, .claims, in: checker.source, limit: ArchiveReader.textLimit, keys)
      }
    }
    records(
      RecordsPass(
        walk: walk, seal: seal, index: index, opening: opening, keys: keys, leaves: leaves))
    packs(names, walk.header, rawLimit: opening.sizes.chunk)
    return opening
  }

  /// What anybody can compare: the files with the seal, and each frame with its checksum, so that damage
  /// is found to the frame.
  private mutating func publicBytes(_ names: [String], _ seal: Seal?) throws(ArchiveError) {
    guard let seal else {
      if !report.isSealed {
        throw ArchiveError(
          .missing, at: "\(path)/\(ArchiveFiles.seal)",
          "without a seal there is nothing to compare the bytes with",
          remedy: "check an unfinished archive without --public")
      }
      return
    }
    var header: RecordsHeader?
    attempt("no record can be read") { checker throws(ArchiveError) in
      header = try RecordsHeader.load(checker.source, seal: seal)
    }
    if let header { packs(names, header, rawLimit: ChunkFrame.rawByteLimit) }
    attempt("the published bytes cannot be compared") { checker throws(ArchiveError) in
      try checker.objects(names, seal, nil)
    }
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
