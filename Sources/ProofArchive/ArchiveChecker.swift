package import ChunkStorage
internal import ProofPrimitives

/// Reads every byte of an archive and says what is damaged or false and what that costs
/// (`spec/archive.md` §9).
///
/// Goes on after a finding: one damaged chunk says nothing about the next. Memory: two states, and
/// about 40 bytes a data point and a chunk. It does not redo training: that is the verifier's work.
package struct ArchiveChecker {
  package struct Report: Sendable {
    package internal(set) var findings: [Finding] = []
    package internal(set) var isSealed = false
    package internal(set) var records = 0
    package internal(set) var chunks = 0
    package internal(set) var dataPoints = 0
    package internal(set) var bytes = 0
    /// What was drawn, of a check that reads the chunks of some checkpoints.
    package internal(set) var sample: Sample?
    /// What this check did not look at, for people.
    package internal(set) var omissions: [String] = []
    /// What is there, of a folder that holds some segments alone.
    package internal(set) var partial: Partial?
    package var isWhole: Bool { findings.isEmpty && partial == nil }
  }

  let path: String
  let source: any ObjectSource
  let access: ArchiveAccess
  let depth: Depth
  let progress: (Double) -> Void
  var report = Report()
  /// What was met so far; the same damage perhaps several times.
  var faults: [Fault] = []
  /// Why bytes could not be had that may be whole where they are.
  var unread: ArchiveError?

  /// How much of an archive is read.
  package enum Depth: Sendable {
    /// Everything that takes no key: seal, object table, digests of all files, checksums of all frames.
    case publicBytes
    /// Seal, tables, lengths, and the checksum of every frame: takes no key, hashes and decodes no chunk.
    case quick
    /// All structure, and every chunk of some checkpoints.
    ///
    /// - Parameters:
    ///   - share: Of the checkpoints, over 0 to 1; at least one is read.
    ///   - seed: The same seed draws the same checkpoints of the same archive.
    case subset(share: Double, seed: UInt64)
    /// All, and every digest.
    case everything

    var takesKeys: Bool {
      switch self {
      case .publicBytes, .quick: false
      case .subset, .everything: true
      }
    }
  }

  /// Checks the archive in a directory; `progress` is called with 0 to 1.
  package static func check(
    _ path: String, access: ArchiveAccess = .none, depth: Depth = .everything,
    progress: @escaping (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> Report {
    let folder = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    let partial = try PartialArchive(folder)
    let source: any ObjectSource = if let partial { partial } else { folder }
    var checker = ArchiveChecker(
      path: path, source: source, access: access, depth: depth, progress: progress)
    let names = try DirectoryListing.names(path)
    if let partial { try checker.run(partial, names) } else { try checker.run(names) }
    return try checker.finished()
  }

  /// Checks a sealed archive on a server. Its files are those of the sealed table: what else stands
  /// there is not known.
  ///
  /// - Throws: `.noRanges` when the server ignores ranges and has a file that is too large for that.
  package static func check(
    remote source: any ObjectSource, access: ArchiveAccess = .none, depth: Depth,
    progress: @escaping (Double) -> Void = { _ in }
  ) throws(ArchiveError) -> Report {
    var checker = ArchiveChecker(
      path: source.location, source: source, access: access, depth: depth, progress: progress)
    try checker.run(nil)
    return try checker.finished()
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

  /// - Parameter listed: What stands in the directory; nil where nobody can list.
  private mutating func run(_ listed: [String]?) throws(ArchiveError) {
    if let listed {
      let told = [ArchiveFiles.seal, ArchiveFiles.records, ArchiveFiles.objects]
      guard listed.contains(where: { told.contains($0) }) else {
        add(
          ArchiveError(
            .missing, at: "\(path)/\(ArchiveFiles.records)", "there is no archive here"),
          "nothing can be checked",
          next: "check the path; `pol train` or `pol record` makes an archive")
        progress(1)
        return
      }
      report.isSealed = listed.contains(ArchiveFiles.seal)
    } else {
      // Without a seal nothing says which files there are.
      _ = try ArchiveReader.seal(in: source)
      report.isSealed = true
    }
    var seal: Seal?
    var index: RecordIndex?
    var keys: ArchiveKeys?
    if report.isSealed {
      attempt("nothing in the archive can be verified") { checker throws(ArchiveError) in
        let found = try ArchiveReader.seal(in: checker.source)
        seal = found
        guard checker.depth.takesKeys else { return }
        keys = try checker.access.keys(for: found)
        index = try ArchiveReader.index(checker.source, found, keys)
      }
    }
    let names = names(listed, seal)
    if !depth.takesKeys {
      try framesOnly(names, isListed: listed != nil, seal)
    } else {
      var opening: OpeningRecord?
      // Without the authenticated hashes no record can be told from a forged one.
      if !report.isSealed || index != nil { opening = contents(names, seal, index, keys) }
      objects(names, isListed: listed != nil, seal, opening)
    }
    if seal?.suite == 0 { preferComputing() }
    note(isListed: listed != nil)
    progress(1)
  }

  /// On a server, the names that were sealed.
  private mutating func names(_ listed: [String]?, _ seal: Seal?) -> [String] {
    if let listed { return listed }
    guard let seal, let table = try? ObjectTable.load(source, seal).table else { return [] }
    return table.rows.map(\.name) + [ArchiveFiles.objects, ArchiveFiles.seal]
  }

  private mutating func objects(
    _ names: [String], isListed: Bool, _ seal: Seal?, _ opening: OpeningRecord?
  ) {
    if let seal {
      attempt("the published bytes cannot be compared") { checker throws(ArchiveError) in
        try checker.objects(names, seal, opening)
      }
    } else if !report.isSealed {
      unsealedNames(names, opening)
    }
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
      if case .subset = checker.depth { return }
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
  private mutating func framesOnly(
    _ names: [String], isListed: Bool, _ seal: Seal?
  ) throws(ArchiveError) {
    if seal == nil {
      if report.isSealed { return }
      if case .publicBytes = depth {
        throw ArchiveError(
          .missing, at: "\(path)/\(ArchiveFiles.seal)",
          "without a seal there is nothing to compare the bytes with",
          remedy: "check an unfinished archive without --public")
      }
    }
    var header: RecordsHeader?
    attempt("no record can be read") { checker throws(ArchiveError) in
      header = try RecordsHeader.load(checker.source, seal: seal)
    }
    if let header {
      recordFrames(seal, header)
      packs(names, header, rawLimit: ChunkFrame.rawByteLimit)
    }
    objects(names, isListed: isListed, seal, nil)
  }
}
