import Glibc
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// Entries, numbers and times in plain words.
enum ExplorerWords {
  /// The kind as a heading; a stranger's kind is a stranger's text.
  static func title(_ parsed: ParsedEntry) -> String {
    switch parsed.signed?.statement {
    case nil: "Bytes without a statement"
    case .anchor: "A run on its way"
    case .challenge: "A challenge"
    case .commitment: "A commitment before training"
    case .hidden: "A hidden commitment"
    case .indexRoot: "A root of the claim map"
    case .logBegin: "The log goes on for another"
    case .logEnd: "The end of the log"
    case .proof: "A claim on a model"
    case .proofPart: "Part of a claim"
    case .verdict(let verdict): "A verdict: \(verdict.answer.rawValue)"
    case .withdrawal: "A key withdrawn"
    case .other: "A statement of another kind"
    }
  }

  static func kind(_ parsed: ParsedEntry) -> String {
    parsed.signed.map { shown($0.statement.kind, limit: 60) } ?? "opaque"
  }

  /// What the entry says, and what it does not.
  static func sentence(_ parsed: ParsedEntry) -> String {
    switch parsed.signed?.statement {
    case nil: "These bytes are no valid signed statement. They keep their place and claim nothing."
    case .anchor(let anchor):
      "A training run had \(grouped(anchor.recordCount)) records and \(grouped(anchor.step)) steps by then. "
        + "It does not say that the records hold training."
    case .challenge:
      "Somebody announced to check a proof, and fixed by then how the sample will be drawn."
    case .commitment:
      "A training run was announced before it began: its data, its settings and its policy were fixed by then. "
        + "It does not say that the run took place."
    case .hidden:
      "Something was fixed by then, and is not shown. A later entry by the same key may open it."
    case .indexRoot(let root):
      "The log's map of all claims among its first \(grouped(root.treeSize)) entries. Under it a short proof shows that "
        + "a digest was claimed, or that it was not."
    case .logBegin(let begin):
      "This log goes on where another one ended: \(shown(begin.predecessor, limit: 120))."
    case .logEnd(let end):
      "The log ends here and takes nothing more"
        + (end.successor.isEmpty ? "." : "; it goes on as \(shown(end.successor, limit: 120)).")
    case .proof(let proof):
      "This key claims to have trained a model in \(grouped(proof.steps)) steps, and names an archive that shows it. "
        + "The ledger took the claim and judged nothing: the command pol verify does, with the archive."
    case .proofPart(let part):
      "Names \(grouped(part.tensors.count)) further tensors of a claimed model."
    case .verdict(let verdict):
      "This key re-executed \(grouped(verdict.executedCount)) of \(grouped(verdict.segmentCount)) segments of a proof "
        + "and answers: \(verdict.answer.rawValue)."
    case .withdrawal(let withdrawal):
      "The key is \(withdrawal.reason.rawValue): nothing that it signed after this entry counts."
    case .other(let type): "Its kind is unknown to this server: \(shown(type, limit: 120))."
    }
  }

  /// In half a line, for lists.
  static func summary(_ parsed: ParsedEntry) -> String {
    switch parsed.signed?.statement {
    case nil: "no statement"
    case .anchor(let anchor): "run at step \(grouped(anchor.step))"
    case .challenge(let challenge): "challenges the proof \(challenge.proof.short)…"
    case .commitment: "commits to a run before it begins"
    case .hidden: "fixes a statement without showing it"
    case .indexRoot(let root): "maps the claims of the first \(grouped(root.treeSize)) entries"
    case .logBegin: "goes on for another log"
    case .logEnd: "ends the log"
    case .proof(let proof): "claims the model \(proof.modelDigest.short)…"
    case .proofPart(let part): "names more tensors of the proof \(part.proof.short)…"
    case .verdict(let verdict): "finds the proof \(verdict.proof.short)… \(verdict.answer.rawValue)"
    case .withdrawal(let withdrawal): "withdraws its key: \(withdrawal.reason.rawValue)"
    case .other(let type): shown(type, limit: 80)
    }
  }

  static func standing(_ standing: ClaimStanding) -> [String] {
    var words: [String] = []
    switch standing.opening {
    case .none: words.append("It was fixed where it stands: no hidden commitment came before it.")
    case .valid(let index):
      words.append(
        "It was committed at entry \(index) and opened at entry \(standing.openedAt): nobody who saw it "
          + "between the two could come before it.")
    case .invalid(let reason):
      words.append("The hidden commitment that it names counts for nothing: \(reason).")
    }
    words.append(
      standing.runCommitment.map {
        "The training was committed to before it began, at entry \($0) by the same key."
      } ?? "It stands on no commitment before training, so nothing shows when the training began.")
    return words
  }

  static func overlap(_ overlap: ClaimOverlap) -> String {
    var shares: [String] = []
    if overlap.tensorsShared > 0 {
      shares.append("\(overlap.tensorsShared) of \(overlap.tensorCount) tensors")
    }
    if let chunks = overlap.chunks, chunks.shared > 0 {
      func percent(_ share: Double) -> Int { Int((share * 100).rounded()) }
      shares.append(
        chunks.isExact
          ? "\(chunks.shared) of \(chunks.compared) weight chunks"
          : "about \(percent(chunks.share)) % of its weight chunks (\(percent(chunks.interval.lowerBound)) to "
            + "\(percent(chunks.interval.upperBound)) %)")
    }
    if overlap.checkpointsShared > 0 {
      let count = overlap.checkpointsShared
      shares.append("\(count) listed checkpoint\(count == 1 ? "" : "s")")
    }
    if overlap.isIntermediateOfOther { shares.append("this model is a checkpoint on its way") }
    if overlap.hasOthersModel { shares.append("its model is a checkpoint on this one's way") }
    return shares.joined(separator: "; ")
  }

  /// 1234567 as `1,234,567`.
  static func grouped(_ number: some BinaryInteger) -> String {
    var digits = Array(String(number))
    var position = digits.count - 3
    while position > 0 {
      digits.insert(",", at: position)
      position -= 3
    }
    return String(digits)
  }

  /// `2026-11-23 23:12:05 UTC`.
  static func time(_ seconds: Int64) -> String {
    var moment = time_t(seconds)
    var parts = tm()
    guard gmtime_r(&moment, &parts) != nil, (0...9999).contains(parts.tm_year + 1900) else {
      return "\(seconds) s after 1970"
    }
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) UTC"
  }

  static func age(_ seconds: Int64) -> String {
    func count(_ number: Int64, _ unit: String) -> String {
      "\(number) \(unit)\(number == 1 ? "" : "s") ago"
    }
    if seconds < 0 { return "in the future" }
    if seconds < 60 { return count(seconds, "second") }
    if seconds < 3600 { return count(seconds / 60, "minute") }
    if seconds < 172_800 { return count(seconds / 3600, "hour") }
    return count(seconds / 86_400, "day")
  }
}
