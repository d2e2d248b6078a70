import ProofPrimitives

extension LedgerError.Code {
  // Evidence files (`spec/evidence.md` §6).
  package static let badEvidence = LedgerError.Code(name: "badEvidence")
  package static let otherHead = LedgerError.Code(name: "otherHead")
  package static let otherIndex = LedgerError.Code(name: "otherIndex")
  package static let unrelatedEntry = LedgerError.Code(name: "unrelatedEntry")
  package static let badToken = LedgerError.Code(name: "badToken")
  package static let unrelatedTime = LedgerError.Code(name: "unrelatedTime")
}

/// One entry of a log with all that is needed to check it when the log is gone (`spec/evidence.md`).
///
/// Parsing checks the form. The key and the policy in it are the maker's word: `check` judges by those
/// of the reader.
package struct EvidenceFile: Sendable {
  package static let schema = "pol-evidence/1"
  /// Room for two of the largest revocation lists, and what can be sent by mail.
  package static let byteLimit = 32 << 20
  /// An entry names at most 64 parents; a case has few exhibits.
  package static let entryLimit = 16
  package static let receiptLimit = 8
  package static let timeLimit = 16
  /// Of certificates, and of lists, with one token: chains are shorter.
  package static let attachmentLimit = 16

  package struct Item: Sendable {
    package let bytes: [UInt8]
    /// The first is under the head that all entries share; more are under other heads.
    package let receipts: [LogProof]

    package init(bytes: [UInt8], receipts: [LogProof]) {
      self.bytes = bytes
      self.receipts = receipts
    }
  }

  /// An RFC 3161 token and what it can be judged by later. DER, each.
  package struct Time: Sendable {
    package let token: [UInt8]
    package let certificates: [[UInt8]]
    package let revocationLists: [[UInt8]]

    package init(token: [UInt8], certificates: [[UInt8]] = [], revocationLists: [[UInt8]] = []) {
      self.token = token
      self.certificates = certificates
      self.revocationLists = revocationLists
    }
  }

  /// The entry that the file is about, then those that it names or that name it, by their index.
  package let items: [Item]
  package let statedKey: NoteVerifierKey
  package let statedPolicy: LedgerPolicy?
  package let times: [Time]

  package init(
    items: [Item], statedKey: NoteVerifierKey, statedPolicy: LedgerPolicy?, times: [Time]
  ) {
    self.items = items
    self.statedKey = statedKey
    self.statedPolicy = statedPolicy
    self.times = times
  }

  static func bad(_ reason: String) -> LedgerError {
    LedgerError(
      .badEvidence, reason, remedy: "fetch the file again, or make it anew with `pol ledger bundle`"
    )
  }

  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    guard bytes.count <= EvidenceFile.byteLimit else {
      throw EvidenceFile.bad("it has more than \(EvidenceFile.byteLimit) bytes")
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes, form: .canonical)
    } catch {
      throw EvidenceFile.bad("at byte \(error.offset): \(error.reason)")
    }
    try EvidenceFile.members(json, ["entries", "logKey", "policy", "schema", "times"], "the file")
    guard json["schema"] == .string(EvidenceFile.schema) else {
      throw EvidenceFile.bad("the schema is not \(EvidenceFile.schema)")
    }
    items = try EvidenceFile.list(json, "entries", 1...EvidenceFile.entryLimit)
      .map { value throws(LedgerError) in try Item(value) }
    guard let keyText = json["logKey"]?.stringValue else {
      throw EvidenceFile.bad("logKey is not text")
    }
    statedKey = try NoteVerifierKey(text: keyText)
    let policy = try EvidenceFile.bytes(json["policy"], "policy", LedgerPolicy.byteLimit)
    statedPolicy = policy.isEmpty ? nil : try LedgerPolicy(parsing: policy)
    times = try EvidenceFile.list(json, "times", 0...EvidenceFile.timeLimit)
      .map { value throws(LedgerError) in try Time(value) }
  }

  /// The file's bytes: canonical JSON, one encoding for one content.
  package var encoded: [UInt8] {
    JSONValue.map([
      ("entries", .array(items.map(\.json))), ("logKey", .string(statedKey.description)),
      ("policy", .string(Base64.encode(statedPolicy?.text ?? []))),
      ("schema", .string(EvidenceFile.schema)), ("times", .array(times.map(\.json))),
    ]).encoded
  }

  fileprivate static func members(
    _ value: JSONValue, _ keys: [String], _ place: String
  ) throws(LedgerError) {
    guard value.members?.map(\.key) == keys else {
      throw bad("the members of \(place) are not exactly \(keys.joined(separator: ", "))")
    }
  }

  fileprivate static func list(
    _ value: JSONValue, _ key: String, _ counts: ClosedRange<Int>
  ) throws(LedgerError) -> [JSONValue] {
    guard let items = value[key]?.arrayValue, counts.contains(items.count) else {
      throw bad("\(key) is not a list of \(counts.lowerBound) to \(counts.upperBound)")
    }
    return items
  }

  fileprivate static func bytes(
    _ value: JSONValue?, _ place: String, _ limit: Int
  ) throws(LedgerError) -> [UInt8] {
    // Compared before decoding, which allocates.
    guard let text = value?.stringValue, text.utf8.count <= (limit + 2) / 3 * 4,
      let bytes = Base64.decode(text), bytes.count <= limit
    else { throw bad("\(place) is not base64 of at most \(limit) bytes") }
    return bytes
  }
}

extension EvidenceFile.Item {
  fileprivate init(_ value: JSONValue) throws(LedgerError) {
    try EvidenceFile.members(value, ["bytes", "receipts"], "an entry")
    bytes = try EvidenceFile.bytes(value["bytes"], "an entry", EntryBundle.entryByteLimit)
    receipts = try EvidenceFile.list(value, "receipts", 1...EvidenceFile.receiptLimit)
      .map { text throws(LedgerError) in
        try LogProof(parsing: try EvidenceFile.bytes(text, "a receipt", LogProof.byteLimit))
      }
  }

  fileprivate var json: JSONValue {
    .map([
      ("bytes", .string(Base64.encode(bytes))),
      ("receipts", .array(receipts.map { .string(Base64.encode($0.encoded)) })),
    ])
  }
}

extension EvidenceFile.Time {
  private static let tokenByteLimit = 65_535
  static let listByteLimit = 16 << 20

  fileprivate init(_ value: JSONValue) throws(LedgerError) {
    try EvidenceFile.members(value, ["certificates", "revocationLists", "token"], "a time")
    token = try EvidenceFile.bytes(value["token"], "a token", EvidenceFile.Time.tokenByteLimit)
    certificates = try EvidenceFile.list(value, "certificates", 0...EvidenceFile.attachmentLimit)
      .map { each throws(LedgerError) in
        try EvidenceFile.bytes(each, "a certificate", EvidenceFile.Time.tokenByteLimit)
      }
    revocationLists = try EvidenceFile.list(
      value, "revocationLists", 0...EvidenceFile.attachmentLimit
    ).map { each throws(LedgerError) in
      try EvidenceFile.bytes(each, "a revocation list", EvidenceFile.Time.listByteLimit)
    }
  }

  fileprivate var json: JSONValue {
    .map([
      ("certificates", .array(certificates.map { .string(Base64.encode($0)) })),
      ("revocationLists", .array(revocationLists.map { .string(Base64.encode($0)) })),
      ("token", .string(Base64.encode(token))),
    ])
  }
}
