import Cryptography
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// What an evidence file proves and what not, in plain words and as JSON.
struct EvidenceReport {
  private let evidence: EvidenceFile
  private let finding: EvidenceFinding
  private let isKeyGiven: Bool
  private let isPolicyGiven: Bool

  init(
    _ evidence: EvidenceFile, _ finding: EvidenceFinding, isKeyGiven: Bool, isPolicyGiven: Bool
  ) {
    self.evidence = evidence
    self.finding = finding
    self.isKeyGiven = isKeyGiven
    self.isPolicyGiven = isPolicyGiven
  }

  private var exhibit: EvidenceFinding.Entry? { finding.entries.first }

  var lines: [String] {
    var lines = [
      isKeyGiven
        ? "proved, by the key that you gave"
        : "undecided: the file agrees with itself, by the key that it states itself"
    ]
    guard let exhibit else { return lines }
    lines += [
      "  log      \(printable(finding.head.head.origin))",
      "  entry    \(exhibit.index) of \(finding.head.head.size), \(kind(exhibit))",
      "  leaf     \(exhibit.leafHash.hex)",
    ]
    if let signed = exhibit.parsed.signed { lines.append("  by key   \(signed.key.keyID.hex)") }
    for entry in finding.entries.dropFirst() {
      lines.append("  with     entry \(entry.index), \(kind(entry))")
    }
    for (name, words) in [
      ("order (the tree)", order), ("witnesses", witnesses), ("time stamps", times),
      ("not proved", notProved),
    ] {
      lines.append("\(name):")
      for line in words {
        let parts = wrapped(line, width: 76, keepsCommands: true)
        lines += parts.enumerated().map { ($0.offset == 0 ? "  " : "    ") + $0.element }
      }
    }
    return lines
  }

  private func kind(_ entry: EvidenceFinding.Entry) -> String {
    switch entry.parsed {
    case .signed(let signed): printable(signed.statement.kind, limit: 60)
    case .opaque(let reason): "no valid statement (\(reason.code.name))"
    }
  }

  private var order: [String] {
    guard let exhibit else { return [] }
    var lines = [
      "these bytes stood in the log before every entry after \(exhibit.index)"
    ]
    guard let standing = finding.standing else { return lines }
    switch standing.opening {
    case .none: lines.append("no hidden commitment came before it")
    case .valid(let index):
      lines.append(
        "the same statement was fixed at entry \(index), and opened at \(standing.openedAt)")
    case .invalid(let reason):
      lines.append("its opening is not shown by what is in the file: \(printable(reason))")
    }
    lines.append(
      standing.runCommitment.map { "the run was committed to at entry \($0), by the same key" }
        ?? "no commitment before the training is in this file")
    return lines
  }

  private var witnesses: [String] {
    guard isPolicyGiven else {
      return [
        evidence.statedPolicy == nil
          ? "none was judged: give --ledger-policy"
          : "none was judged: the file's own policy is its maker's word, give --ledger-policy"
      ]
    }
    let seen = finding.entries.flatMap { entry in
      entry.seen.map {
        "\(printable($0.witness)) had seen entry \(entry.index) by \(clockText(Int64($0.time)))"
      }
    }
    return seen.isEmpty ? ["the policy asks for none, and none signed"] : seen
  }

  private var times: [String] {
    if finding.tokens.isEmpty { return ["none"] }
    return finding.tokens.map { token in
      let what =
        switch token.subject {
        case .entry(let position): "entry \(finding.entries[position].index)"
        case .head(let position): "a head over entry \(finding.entries[position].index)"
        case .token(let position): "time stamp \(position)"
        }
      let time = clockText(token.token.time)
      switch token.worth {
      case .stated: return "\(what): \(time) is stated, and was not judged: give --tsa-ca"
      case .nothing(let error):
        return "\(what): counts for nothing (\(error.code.name): \(printable(error.message)))"
      case .holds(let standing):
        var words = "\(what) existed by \(time), says \(printable(standing.authority))"
        words +=
          standing.notRevokedUntil.map { "; not revoked until \(clockText($0))" }
          ?? "; whether it was revoked is not known"
        words +=
          token.renewedAt.map { "; renewed \(clockText($0))" }
          ?? "; its chain ends \(clockText(standing.validUntil))"
        return words
      }
    }
  }

  private var notProved: [String] {
    [
      "that the statement is true, or who trained the model: `pol verify` judges that",
      "that nobody claimed it earlier, here or elsewhere: `pol lookup` reads a log",
      "that the key was not withdrawn later, or that it did not exist long before",
    ]
      + (isKeyGiven
        ? [] : ["that this is the log that you mean: give its key with --ledger-key"])
  }

  var members: [(String, JSONValue)] {
    guard let exhibit else { return [] }
    return [
      ("answer", .string(isKeyGiven ? "proved" : "undecided")),
      ("keyGiven", .bool(isKeyGiven)), ("policyGiven", .bool(isPolicyGiven)),
      ("origin", .string(finding.head.head.origin)),
      ("index", .int(exhibit.index.value)), ("treeSize", .int(finding.head.head.size.value)),
      ("treeRoot", .string(finding.head.head.root.hex)),
      ("leafHash", .string(exhibit.leafHash.hex)), ("kind", .string(kind(exhibit))),
      ("keyID", .string(exhibit.parsed.signed?.key.keyID.hex ?? "")),
      // -1 stands for none.
      ("committedAt", .int(finding.standing.map { Int64(clamping: $0.committedAt.value) } ?? -1)),
      (
        "runCommittedAt",
        .int(finding.standing?.runCommitment.map { Int64(clamping: $0.value) } ?? -1)
      ),
      (
        "entries",
        .array(
          finding.entries.map { entry in
            .object([
              .init("index", .int(entry.index.value)), .init("kind", .string(kind(entry))),
              .init("leafHash", .string(entry.leafHash.hex)),
              .init(
                "witnesses",
                .array(
                  entry.seen.map {
                    .object([
                      .init("name", .string($0.witness)), .init("time", .int($0.time)),
                    ])
                  })),
            ])
          })
      ),
      ("times", .array(finding.tokens.map { .object(EvidenceReport.members($0)) })),
      ("notProved", .array(notProved.map { .string($0) })),
    ]
  }

  private static func members(_ token: EvidenceFinding.Token) -> [JSONValue.Member] {
    let subject: (String, Int) =
      switch token.subject {
      case .entry(let position): ("entry", position)
      case .head(let position): ("head", position)
      case .token(let position): ("token", position)
      }
    var members: [JSONValue.Member] = [
      .init("of", .string(subject.0)), .init("position", .int(subject.1)),
      .init("time", .int(token.token.time)),
    ]
    switch token.worth {
    case .stated: members.append(.init("worth", .string("stated")))
    case .nothing(let error):
      members += [.init("worth", .string("nothing")), .init("code", .string(error.code.name))]
    case .holds(let standing):
      members += [
        .init("worth", .string("holds")), .init("authority", .string(standing.authority)),
        .init("validUntil", .int(standing.validUntil)),
      ]
      if let until = standing.notRevokedUntil {
        members.append(.init("notRevokedUntil", .int(until)))
      }
      if let time = token.renewedAt { members.append(.init("renewedAt", .int(time))) }
    }
    return members
  }
}
