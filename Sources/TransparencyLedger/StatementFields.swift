import ProofPrimitives

/// The members of one JSON object of a statement, each taken once and checked against its rule.
struct StatementFields {
  private let object: JSONValue
  private let place: String

  /// Refuses an object whose members are not exactly `keys`, with or without each of `optional`.
  init(
    _ value: JSONValue?, _ place: String, keys: [String], optional: [String] = []
  ) throws(LedgerError) {
    let present = optional.filter { value?[$0] != nil }
    let sorted = (keys + present).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard let value, let members = value.members, members.map(\.key) == sorted else {
      throw StatementFields.bad(
        "the members of \(place) are not exactly \(sorted.joined(separator: ", "))")
    }
    object = value
    self.place = place
  }

  static func bad(_ reason: String) -> LedgerError {
    LedgerError(
      .badStatement, reason, remedy: "make the statement again by a program that knows its kind")
  }

  func value(_ key: String) -> JSONValue? { object[key] }

  func text(_ key: String, limit: Int) throws(LedgerError) -> String {
    guard let text = object[key]?.stringValue, text.utf8.count <= limit,
      text.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 })
    else {
      throw StatementFields.bad(
        "\(place).\(key) is not text of at most \(limit) bytes without control characters")
    }
    return text
  }

  func constant(_ key: String, _ expected: String) throws(LedgerError) {
    guard let text = object[key]?.stringValue, text.utf8.elementsEqual(expected.utf8) else {
      throw StatementFields.bad("\(place).\(key) is not \(expected)")
    }
  }

  func digest(_ key: String) throws(LedgerError) -> Digest {
    guard let digest = object[key]?.stringValue.flatMap(Digest.init(hex:)) else {
      throw StatementFields.bad("\(place).\(key) is not 64 lower-case hexadecimal digits")
    }
    return digest
  }

  func digests(_ key: String, limit: Int) throws(LedgerError) -> [Digest] {
    guard let items = object[key]?.arrayValue, items.count <= limit else {
      throw StatementFields.bad("\(place).\(key) is not a list of at most \(limit) digests")
    }
    let digests = items.compactMap { $0.stringValue.flatMap(Digest.init(hex:)) }
    guard digests.count == items.count else {
      throw StatementFields.bad("\(place).\(key) holds something that is not a digest")
    }
    return digests
  }

  /// A list that names nothing twice.
  func distinctDigests(_ key: String, limit: Int) throws(LedgerError) -> [Digest] {
    let digests = try digests(key, limit: limit)
    guard Set(digests).count == digests.count else {
      throw StatementFields.bad("\(place).\(key) holds a digest twice")
    }
    return digests
  }

  /// A set: each digest above the one before, so that it has one encoding.
  func risingDigests(_ key: String, limit: Int) throws(LedgerError) -> [Digest] {
    let digests = try digests(key, limit: limit)
    guard zip(digests, digests.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw StatementFields.bad("\(place).\(key) is not in rising order")
    }
    return digests
  }

  func count(_ key: String) throws(LedgerError) -> Int {
    guard let count = object[key]?.countValue else {
      throw StatementFields.bad("\(place).\(key) is not an integer from 0 to 2^53 - 1")
    }
    return count
  }

  /// One subject, `{"digest":{"sha256":hex},"name":name}`.
  func subject(named name: String) throws(LedgerError) -> Digest {
    guard let items = object["subject"]?.arrayValue, items.count == 1 else {
      throw StatementFields.bad("there is not exactly one subject")
    }
    let subject = try StatementFields(items[0], "subject", keys: ["digest", "name"])
    try subject.constant("name", name)
    return try StatementFields(subject.value("digest"), "subject.digest", keys: ["sha256"])
      .digest("sha256")
  }

  /// An origin, a location or a type.
  func text(_ key: String) throws(LedgerError) -> String {
    try text(key, limit: LedgerStatement.textByteLimit)
  }

  /// The predicate of a statement with one subject, whose digest is the predicate's member `key`.
  static func predicate(
    of statement: StatementFields, keys: [String], optional: [String] = [], subject name: String,
    is key: String
  ) throws(LedgerError) -> StatementFields {
    let predicate = try StatementFields(
      statement.value("predicate"), "predicate", keys: keys, optional: optional)
    guard try statement.subject(named: name) == predicate.digest(key) else {
      throw bad("the subject's digest is not \(key)")
    }
    return predicate
  }

  static func statement(
    type: String, subject name: String, _ digest: Digest, predicate: [(String, JSONValue)]
  ) -> JSONValue {
    .map([
      ("_type", .string(LedgerStatement.inTotoType)),
      ("predicate", .map(predicate)),
      ("predicateType", .string(type)),
      (
        "subject",
        .array([
          .map([("digest", .map([("sha256", .string(digest.hex))])), ("name", .string(name))])
        ])
      ),
    ])
  }
}

extension JSONValue {
  static func digests(_ digests: [Digest]) -> JSONValue { .array(digests.map { .string($0.hex) }) }
}
