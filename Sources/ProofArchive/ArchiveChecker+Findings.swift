internal import ChunkStorage
internal import ProofPrimitives

/// What a check says: one finding for one damage, however often it was met (`spec/archive.md` §9).
extension ArchiveChecker {
  package struct Finding: Sendable {
    /// `place` begins with the file's path or URL.
    package let error: ArchiveError
    /// What can no longer be done with the archive because of it.
    package let consequence: String
    /// Records that cannot be read without what is damaged.
    package let checkpoints: RangeSet<Int>
  }

  /// A fault as it was met.
  struct Fault {
    var error: ArchiveError
    let consequence: String
    var checkpoints = RangeSet<Int>()
    var remedy: Remedy
    /// File of the archive, where the place names one.
    let file: String?
    /// Only the digest of a whole file was wrong.
    let isOfWholeFile: Bool
  }

  /// What makes a fault good.
  enum Remedy {
    /// What the error, or who met it, says.
    case stated(String)
    /// The bytes of another copy.
    case copy
    /// Nothing: the rest can be kept.
    case salvage
    /// The file is computed from others.
    case computing
  }

  /// - Parameter checkpoint: The record that cannot be read because of a fault.
  mutating func attempt(
    _ consequence: String, checkpoint: Int? = nil, isOfWholeFile: Bool = false,
    _ body: (inout ArchiveChecker) throws(ArchiveError) -> Void
  ) {
    guard unread == nil else { return }
    do throws(ArchiveError) {
      try body(&self)
    } catch {
      add(error, consequence, checkpoint: checkpoint, isOfWholeFile: isOfWholeFile)
    }
  }

  /// - Parameter next: What to do, where the error does not know and the check does.
  mutating func add(
    _ error: ArchiveError, _ consequence: String, checkpoint: Int? = nil, next: String? = nil,
    isOfWholeFile: Bool = false
  ) {
    // The server cannot be read from as this check would; that says nothing of the archive.
    guard error.code != .noRanges else {
      unread = unread ?? error
      return
    }
    let (file, place) = located(error.place)
    faults.append(
      Fault(
        error: ArchiveError(
          error.code, at: place, error.message,
          // Without a seal nothing was signed yet.
          isSigned: error.isSigned && report.isSealed),
        consequence: consequence,
        checkpoints: RangeSet(numbers: checkpoint.map { [$0] } ?? []),
        remedy: next.map { .stated($0) } ?? remedy(error), file: file,
        isOfWholeFile: isOfWholeFile))
  }

  /// The file that a place begins with, and the place with the folder or the URL before it.
  private func located(_ place: String) -> (file: String?, place: String) {
    var rest = place[...]
    for folder in ["\(path)/", "\(source.location)/"] where rest.hasPrefix(folder) {
      rest = rest.dropFirst(folder.count)
      break
    }
    let name = String(rest.prefix { $0 != "," })
    guard ArchiveFiles.isKnown(name) else { return (nil, place) }
    return (name, "\(path)/\(rest)")
  }

  /// Damage is mended with another copy, where there can be one.
  private func remedy(_ error: ArchiveError) -> Remedy {
    if error.code == .outsideGrant, case .none = access, depth.takesKeys {
      let all =
        report.isSealed ? "`pol check \(shownPath) --public` compares what is published and " : ""
      let quick = report.isSealed ? "`--quick`" : "`pol check \(shownPath) --quick` compares"
      return .stated("\(error.remedy); without a key \(all)\(quick) checksums")
    }
    let mended: [ArchiveError.Code] = [.damaged, .missing, .malformed, .limit]
    guard mended.contains(error.code), !error.isSigned else { return .stated(error.remedy) }
    return report.isSealed ? .copy : .salvage
  }

  private var shownPath: String { printable(path, limit: 1000) }

  /// Where all damage is in files that follow from whole ones, no copy is needed
  /// (`spec/repair.md` §3).
  mutating func preferComputing() {
    let isComputed = faults.allSatisfy {
      guard case .copy = $0.remedy else { return true }
      return ArchiveChecker.followsFromOthers($0.file)
    }
    guard isComputed else { return }
    for position in faults.indices {
      if case .copy = faults[position].remedy { faults[position].remedy = .computing }
    }
  }

  /// Whether repairing computes this file, under suite 0.
  private static func followsFromOthers(_ name: String?) -> Bool {
    guard let name else { return false }
    return [ArchiveFiles.recordIndex, ArchiveFiles.norms, ArchiveFiles.objects].contains(name)
      || name.hasPrefix("dataset/tree.") || name.hasSuffix(".index")
  }

  /// The report, with what was met put together.
  ///
  /// - Throws: What kept the check from reading.
  func finished() throws(ArchiveError) -> Report {
    if let unread { throw unread }
    var report = report
    report.bytes = source.transfer.bytes
    report.findings = merged().map { fault in
      Finding(
        error: ArchiveError(
          fault.error.code, at: fault.error.place, fault.error.message, remedy: text(fault.remedy),
          isSigned: fault.error.isSigned),
        consequence: consequence(fault), checkpoints: fault.checkpoints)
    }
    return report
  }

  /// A damaged frame is met by each checkpoint that needs it, by the pass over the packs, and as a wrong
  /// digest of the file: the first is kept, and told of the checkpoints.
  private func merged() -> [Fault] {
    var kept: [Fault] = []
    var positions: [String: Int] = [:]
    for fault in faults {
      // What the prover signed are statements, each by itself.
      guard fault.file != nil, !fault.error.isSigned else {
        kept.append(fault)
        continue
      }
      if let known = positions[fault.error.place] {
        kept[known].checkpoints.formUnion(fault.checkpoints)
      } else {
        positions[fault.error.place] = kept.count
        kept.append(fault)
      }
    }
    let explained = Set(kept.filter { !$0.isOfWholeFile && !$0.error.isSigned }.map(\.file))
    return kept.filter { !$0.isOfWholeFile || !explained.contains($0.file) }
  }

  private func text(_ remedy: Remedy) -> String {
    switch remedy {
    case .stated(let text): text
    case .copy:
      "`pol repair \(shownPath) --from COPY --out NEW` takes what is whole from another copy"
    case .salvage: "`pol repair \(shownPath) --salvage --out NEW` keeps what is whole"
    case .computing:
      "`pol repair \(shownPath) --salvage --out NEW` computes it from the other files"
    }
  }

  /// Runs of checkpoints that are named one by one.
  private static let namedRuns = 20

  private func consequence(_ fault: Fault) -> String {
    guard fault.checkpoints.count > 1 else { return fault.consequence }
    let runs = fault.checkpoints.ranges
    let named = RangeSet(runs.prefix(ArchiveChecker.namedRuns))
    let more = fault.checkpoints.count - named.count
    return "checkpoints \(named.list)\(more > 0 ? " and \(more) more" : "") need it, and with the "
      + "segments beside them cannot be verified"
  }
}
