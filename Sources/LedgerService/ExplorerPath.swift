import MerkleTrees
import ProofPrimitives

/// What a request names of the explorer (`spec/ledger-service.md`, "Pages"). Paths are compared as bytes, as
/// everywhere; only the query of a search is decoded.
enum ExplorerPath: Equatable {
  case home
  case style, script
  case head
  case entry(LeafIndex)
  /// An entry's own bytes.
  case bytes(LeafIndex)
  case receipt(LeafIndex)
  case evidence(LeafIndex)
  case key(Digest, from: LeafIndex)
  case search(SearchQuery)

  /// Nil for what is no page.
  init?(target: String) {
    let bytes = target.utf8
    guard bytes.count <= ExplorerLimits.targetByteCount, bytes.first == UInt8(ascii: "/") else {
      return nil
    }
    let parts = bytes.dropFirst().split(
      separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    let path = String(Substring(parts[0]))
    let query = QueryFields(parts.count > 1 ? Array(parts[1]) : [])
    switch path {
    case "": self = .home
    case "explorer.css": self = .style
    case "explorer.js": self = .script
    case "head": self = .head
    case "search": self = .search(SearchQuery(query))
    default:
      let steps = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        .map { String(Substring($0)) }
      guard steps.count == 2 else { return nil }
      if steps[0] == "key", let key = Digest(hex: steps[1]) {
        self = .key(key, from: LeafIndex(query["from"].flatMap { ExplorerPath.number($0) } ?? 0))
        return
      }
      guard steps[0] == "entry" else { return nil }
      let name = steps[1].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      guard let index = ExplorerPath.number(String(name[0])).map({ LeafIndex($0) }) else {
        return nil
      }
      switch name.count > 1 ? name[1] : nil {
      case nil: self = .entry(index)
      case "bin": self = .bytes(index)
      case "tlog-proof": self = .receipt(index)
      case "evidence": self = .evidence(index)
      default: return nil
      }
    }
  }

  /// The way back to the service's own prefix, which a proxy may have put below another path.
  var root: String {
    switch self {
    case .home, .style, .script, .head, .search: "./"
    case .entry, .bytes, .receipt, .evidence, .key: "../"
    }
  }

  /// A decimal number without leading zeros, below the largest tree.
  static func number(_ text: String) -> UInt64? {
    guard text.utf8.count <= 19, text.utf8.allSatisfy({ (48...57).contains($0) }),
      text == "0" || text.utf8.first != 48, let value = UInt64(text), value < TreeSize.limit
    else { return nil }
    return value
  }
}

/// The fields of a query, decoded as a form sends them; the first of each name counts.
struct QueryFields {
  private var fields: [String: String] = [:]

  init(_ query: [UInt8]) {
    for field in query.split(separator: UInt8(ascii: "&")) {
      let parts = field.split(
        separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let name = QueryFields.decode(parts[0])
      if fields[name] == nil { fields[name] = parts.count > 1 ? QueryFields.decode(parts[1]) : "" }
    }
  }

  subscript(name: String) -> String? { fields[name] }

  /// Bytes that are no UTF-8 become U+FFFD, and a percent sign without two digits stays one.
  private static func decode(_ text: ArraySlice<UInt8>) -> String {
    func digit(_ byte: UInt8) -> UInt8? {
      switch byte {
      case 48...57: byte - 48
      case 65...70: byte - 55
      case 97...102: byte - 87
      default: nil
      }
    }
    var out: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2, let high = digit(rest[rest.startIndex]),
        let low = digit(rest[rest.startIndex + 1])
      {
        rest.removeFirst(2)
        out.append(high << 4 | low)
      } else {
        out.append(byte == UInt8(ascii: "+") ? 32 : byte)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}

/// What was typed into the search box, and what a page may add to it.
struct SearchQuery: Equatable {
  enum Subject: Equatable {
    case nothing
    case entry(LeafIndex)
    case digest(Digest)
    case other
  }

  /// As typed, for showing it again.
  let text: String
  let subject: Subject
  /// Tensor digests of a model file that the page hashed.
  let tensors: [Digest]

  init(_ query: QueryFields) {
    text = query["q"] ?? ""
    let trimmed = String(
      String.UnicodeScalarView(text.unicodeScalars.filter { !$0.properties.isWhitespace }))
    if trimmed.isEmpty {
      subject = .nothing
    } else if let number = ExplorerPath.number(trimmed) {
      subject = .entry(LeafIndex(number))
    } else if let digest = Digest(hex: SearchQuery.lowercased(trimmed)) {
      subject = .digest(digest)
    } else {
      subject = .other
    }
    tensors = (query["tensors"] ?? "").split(separator: ",", maxSplits: 64)
      .prefix(ExplorerLimits.tensors).compactMap { Digest(hex: String($0)) }
  }

  /// ASCII only: digests are often copied in upper case.
  private static func lowercased(_ text: String) -> String {
    String(decoding: text.utf8.map { (65...90).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
  }
}

/// What one page may cost. The reasons stand in `spec/ledger-service.md`, "Pages".
enum ExplorerLimits {
  static let targetByteCount = 6144
  static let tensors = 32
  static let rows = 25
  static let latest = 10
  static let overlaps = 8
  static let historyPoints = 120
  static let lines = 20
  static let threads = 2
  static let waiting = 64
  /// Of a text from an entry.
  static let textScalars = 300
  static let payloadScalars = 65_535
  static let hexBytes = 1024
  /// In memory, where there is no index: 50 MiB or so.
  static let scannedClaims = 262_144
  static let scanStep: UInt64 = 1024
}
