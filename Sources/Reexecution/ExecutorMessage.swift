internal import ProofPrimitives

/// Members of one request of the executor protocol (`spec/executor.md` §3), taken one by one so that
/// what is left over can be refused.
struct ExecutorMessage {
  private var members: [String: JSONValue]

  /// The longest path: what Linux takes, less its closing zero.
  static let pathLimit = 4_095

  init(_ value: JSONValue) throws(ReexecutionError) {
    guard let members = value.members else {
      throw ExecutorMessage.refusal("the line is not a JSON object")
    }
    self.members = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
  }

  static func refusal(_ message: String) -> ReexecutionError {
    ReexecutionError(.badMessage, message, remedy: "write requests by spec/executor.md")
  }

  mutating func take<T>(
    _ key: String, _ kind: String, _ read: (JSONValue) -> T?
  ) throws(ReexecutionError) -> T {
    guard let value = members.removeValue(forKey: key) else {
      throw ExecutorMessage.refusal("\(key) is missing")
    }
    guard let result = read(value) else {
      throw ExecutorMessage.refusal("\(key) is not \(kind)")
    }
    return result
  }

  mutating func count(_ key: String) throws(ReexecutionError) -> Int {
    try take(key, "a non-negative integer") { $0.countValue }
  }

  mutating func string(_ key: String) throws(ReexecutionError) -> String {
    try take(key, "a string") { $0.stringValue }
  }

  mutating func digest(_ key: String) throws(ReexecutionError) -> Digest {
    try take(key, "64 lower-case hexadecimal digits") { $0.stringValue.flatMap(Digest.init(hex:)) }
  }

  /// An absolute path: the worker's working directory is not the verifier's.
  mutating func path(_ key: String) throws(ReexecutionError) -> String {
    try take(key, "an absolute path of at most \(ExecutorMessage.pathLimit) bytes") { value in
      guard let path = value.stringValue, path.utf8.first == 47,
        path.utf8.count <= ExecutorMessage.pathLimit, !path.utf8.contains(0)
      else { return nil }
      return path
    }
  }

  mutating func batches(_ key: String) throws(ReexecutionError) -> [[UInt32]] {
    try take(key, "an array of arrays of indices below 2^32") { value in
      guard let items = value.arrayValue else { return nil }
      var batches: [[UInt32]] = []
      for item in items {
        guard let indices = item.arrayValue else { return nil }
        let batch = indices.compactMap { $0.countValue.flatMap { UInt32(exactly: $0) } }
        guard batch.count == indices.count else { return nil }
        batches.append(batch)
      }
      return batches
    }
  }

  /// Floats travel as bit patterns: a decimal would have to be rounded the same way everywhere.
  mutating func floats(_ key: String) throws(ReexecutionError) -> [Float] {
    try take(key, "an array of bit patterns of 8 lower-case hexadecimal digits") { value in
      guard let items = value.arrayValue else { return nil }
      let floats = items.compactMap { $0.stringValue.flatMap { Float(bitPatternHex: $0) } }
      return floats.count == items.count ? floats : nil
    }
  }

  func finish() throws(ReexecutionError) {
    if let key = members.keys.min() {
      throw ExecutorMessage.refusal("the member \(printable(key, limit: 40)) is unknown")
    }
  }
}

extension Float {
  /// Nil unless the text is exactly 8 lower-case hexadecimal digits, most significant first.
  init?(bitPatternHex text: String) {
    guard text.utf8.count == 8, let bytes = Hex.decode(text) else { return nil }
    self.init(bitPattern: bytes.reduce(0) { $0 << 8 | UInt32($1) })
  }

  var bitPatternHex: String {
    Hex.encode(withUnsafeBytes(of: bitPattern.bigEndian) { Array($0) })
  }
}
