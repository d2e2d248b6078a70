package import MerkleTrees
package import ProofPrimitives

/// Names of the files about time in a ledger's public folder (`spec/time.md` §6).
package enum TimePath: Hashable, Sendable {
  case token(Digest), certificate(Digest), revocationList(Digest)

  package static let index = "time/index"

  /// Relative to the ledger's prefix.
  package var path: String {
    switch self {
    case .token(let digest): "time/token/\(digest.hex).tst"
    case .certificate(let digest): "time/certificate/\(digest.hex).cer"
    case .revocationList(let digest): "time/crl/\(digest.hex).crl"
    }
  }

  /// Nil for any other spelling.
  package init?(path: String) {
    guard let slash = path.lastIndex(of: "/"), let dot = path.lastIndex(of: "."), slash < dot,
      let digest = Digest(hex: String(path[path.index(after: slash)..<dot]))
    else { return nil }
    let found = [TimePath.token(digest), .certificate(digest), .revocationList(digest)].first {
      $0.path == path
    }
    guard let found else { return nil }
    self = found
  }
}

/// What a token in a ledger is about.
package enum TimeSubject: Hashable, Sendable {
  /// The published head of this size: SHA-256 of its note's text.
  case head(TreeSize)
  /// An entry: its leaf hash.
  case entry(LeafIndex)
  /// A token with this SHA-256, which is what the token is over.
  case token(Digest)
}

/// One line of a ledger's `time/index`: what is kept, and what for.
package enum TimeLine: Hashable, Sendable {
  case token(TimeSubject, Digest)
  /// Kept to judge a token by; the first digest is the token's.
  case certificate(Digest, Digest)
  case revocationList(Digest, Digest)

  /// With its newline.
  package var text: String {
    switch self {
    case .token(.head(let size), let token): "head \(size) \(token.hex)\n"
    case .token(.entry(let index), let token): "entry \(index) \(token.hex)\n"
    case .token(.token(let older), let token): "token \(older.hex) \(token.hex)\n"
    case .certificate(let token, let file): "certificate \(token.hex) \(file.hex)\n"
    case .revocationList(let token, let file): "crl \(token.hex) \(file.hex)\n"
    }
  }

  fileprivate init?(_ line: String) {
    let parts = line.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, let file = Digest(hex: String(parts[2])) else { return nil }
    let subject = parts[1]
    switch parts[0] {
    case "head":
      guard let size = decimal(subject), TreeSize(size).isWithinLimit else { return nil }
      self = .token(.head(TreeSize(size)), file)
    case "entry":
      guard let index = decimal(subject) else { return nil }
      self = .token(.entry(LeafIndex(index)), file)
    default:
      guard let token = Digest(hex: String(subject)) else { return nil }
      switch parts[0] {
      case "token": self = .token(.token(token), file)
      case "certificate": self = .certificate(token, file)
      case "crl": self = .revocationList(token, file)
      default: return nil
      }
    }
  }
}

/// A ledger's `time/index`: finds tokens, vouches for none. Each token proves itself.
package struct TimeIndex: Hashable, Sendable {
  /// Two hundred thousand lines: with a token for each hour, ten years.
  package static let byteLimit = 1 << 25

  package private(set) var lines: [TimeLine] = []

  package init() {}

  /// Reads whole lines; what follows the last newline may be in the middle of being written.
  ///
  /// - Throws: `.badTimeIndex` with the number of the line that is none.
  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    for line in bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast() {
      guard let line = String(validating: line, as: UTF8.self).flatMap({ TimeLine($0) }) else {
        throw LedgerError(
          .badTimeIndex, "line \(lines.count + 1) is not a kind, a subject and a digest",
          remedy: "fetch it again; the log's owner can restore it", path: TimePath.index)
      }
      lines.append(line)
    }
  }

  package mutating func append(_ line: TimeLine) { lines.append(line) }

  package func tokens(of subject: TimeSubject) -> [Digest] {
    lines.compactMap { if case .token(subject, let token) = $0 { token } else { nil } }
  }

  /// Heads that have a token and cover an entry, the smallest first: it says the most.
  package func heads(covering index: LeafIndex) -> [TreeSize] {
    let sizes = lines.compactMap { line -> TreeSize? in
      guard case .token(.head(let size), _) = line, size.contains(index) else { return nil }
      return size
    }
    return Set(sizes).sorted()
  }

  /// The largest head that has a token.
  package var stampedSize: TreeSize? {
    lines.compactMap { if case .token(.head(let size), _) = $0 { size } else { nil } }.max()
  }

  package func certificates(of token: Digest) -> [Digest] {
    lines.compactMap { if case .certificate(token, let file) = $0 { file } else { nil } }
  }

  package func revocationLists(of token: Digest) -> [Digest] {
    lines.compactMap { if case .revocationList(token, let file) = $0 { file } else { nil } }
  }
}

extension LedgerSource {
  /// Nil where the ledger keeps no tokens.
  package func timeIndex() throws(LedgerError) -> TimeIndex? {
    guard let bytes = try read(path: TimePath.index, limit: TimeIndex.byteLimit) else { return nil }
    return try TimeIndex(parsing: bytes)
  }
}
