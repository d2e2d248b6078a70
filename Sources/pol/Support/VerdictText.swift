import Glibc
import ProofPrimitives
import ProofVerification

/// A verdict for people, in 80 columns.
struct VerdictText {
  private let verdict: Verdict
  private static let width = 80
  private static let indent = 26

  init(_ verdict: Verdict) { self.verdict = verdict }

  var lines: [String] {
    var lines = [headline, ""]
    for check in verdict.checks where check.evidence != [Verdict.endedEarly] {
      lines += self.lines(check)
    }
    let left = verdict.checks.filter { $0.evidence == [Verdict.endedEarly] }.map(\.name.title)
    if !left.isEmpty {
      lines.append("  -   not checked after that: ")
      lines += wrapped(left.joined(separator: ", "), width: VerdictText.width - 6).map {
        "      \($0)"
      }
    }
    lines += [""] + coverage
    return lines
  }

  private var headline: String {
    let word = VerdictText.coloured(verdict.answer.rawValue.uppercased(), verdict.answer)
    return "\(word)  \(printable(verdict.archive, limit: 60))"
  }

  private func lines(_ check: CheckResult) -> [String] {
    let mark =
      switch check.status {
      case .passed: "ok  "
      case .refuted: "NO  "
      case .undecided: "?   "
      case .notChecked: "-   "
      }
    let start = "  \(mark)\(check.name.title)"
    let pad = String(repeating: " ", count: max(1, VerdictText.indent - start.count))
    var out: [String] = []
    for sentence in check.evidence {
      for line in wrapped(
        printable(sentence, limit: 600), width: VerdictText.width - VerdictText.indent)
      {
        out.append(
          out.isEmpty
            ? start + pad + line : String(repeating: " ", count: VerdictText.indent) + line)
      }
    }
    return out
  }

  private var coverage: [String] {
    let coverage = verdict.coverage
    guard coverage.segments > 0 else { return ["  assurance   \(verdict.assurance.rawValue)"] }
    let steps = share(coverage.executedSteps, coverage.trainedSteps)
    let bytes = share(coverage.bytesFetched, coverage.archiveBytes)
    var lines = [
      "  re-executed  \(coverage.executedSegments.count) of \(coverage.segments) segments: "
        + "\(coverage.executedSteps) of \(coverage.trainedSteps) steps (\(steps))",
      "  fetched      \(byteText(coverage.bytesFetched)) of "
        + "\(byteText(coverage.archiveBytes)) (\(bytes)) in \(coverage.requests) requests",
    ]
    if verdict.answer == .verified {
      lines.append(
        coverage.isFull
          ? "  certainty    every segment was re-executed"
          : "  certainty    had \(coverage.forgedSegments) or more segments been forged "
            + "(\(fixed(coverage.forgedFraction * 100, 1)) %, at most")
      if !coverage.isFull {
        lines.append(
          "               \(fixed(coverage.forgedStepShare * 100, 1)) % of the steps), one would have "
            + "been caught with \(fixed(coverage.probability * 100, 2)) %")
      }
    }
    lines.append("  assurance    \(verdict.assurance.rawValue)")
    let challenge =
      coverage.publicDraw.map { "public, entry \($0.challengeIndex)" }
      ?? (coverage.isNonceFresh ? "private" : "given, not private")
    lines.append("  challenge    \(challenge), nonce \(Hex.encode(coverage.nonce).prefix(24))…")
    return lines
  }

  private func share(_ part: Int, _ whole: Int) -> String {
    fixed(100 * Double(part) / Double(max(1, whole)), 1) + " %"
  }

  private static func coloured(_ text: String, _ answer: Answer) -> String {
    let refuses = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    guard StandardStream.output.isTerminal, !refuses else { return text }
    let code =
      switch answer {
      case .verified: 32
      case .refuted: 31
      case .undecided: 33
      }
    return "\u{1b}[1;\(code)m\(text)\u{1b}[0m"
  }
}
