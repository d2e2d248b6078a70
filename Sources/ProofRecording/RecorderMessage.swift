internal import ProofArchive
internal import ProofPrimitives

/// Members of one line of the recorder protocol (`spec/recorder.md` §3), taken one by one so that what
/// is left over can be refused.
struct RecorderMessage {
  private var members: [String: JSONValue]

  /// The longest path: what Linux takes, less its closing zero.
  static let pathLimit = 4_095

  init(_ value: JSONValue) throws(RecordingError) {
    guard let members = value.members else {
      throw RecorderMessage.refusal("the line is not a JSON object")
    }
    self.members = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
  }

  static func refusal(_ message: String) -> RecordingError {
    RecordingError(.badInput, message, remedy: "write lines by spec/recorder.md")
  }

  /// Nil when the member is not there.
  private mutating func optional<T>(
    _ key: String, _ kind: String, _ read: (JSONValue) -> T?
  ) throws(RecordingError) -> T? {
    guard let value = members.removeValue(forKey: key) else { return nil }
    guard let result = read(value) else {
      throw RecorderMessage.refusal("\(key) is not \(kind)")
    }
    return result
  }

  private func required<T>(_ key: String, _ value: T?) throws(RecordingError) -> T {
    guard let value else { throw RecorderMessage.refusal("\(key) is missing") }
    return value
  }

  mutating func string(_ key: String) throws(RecordingError) -> String {
    try required(key, try optional(key, "a string") { $0.stringValue })
  }

  mutating func optionalCount(_ key: String) throws(RecordingError) -> Int? {
    try optional(key, "a non-negative integer") { $0.countValue }
  }

  mutating func flag(_ key: String) throws(RecordingError) -> Bool {
    try optional(key, "true or false") { $0.boolValue } ?? false
  }

  mutating func optionalObject(_ key: String) throws(RecordingError) -> JSONValue? {
    try optional(key, "an object") { $0.members == nil ? nil : $0 }
  }

  mutating func optionalPath(_ key: String) throws(RecordingError) -> String? {
    try optional(key, "a path of 1 to \(RecorderMessage.pathLimit) bytes") { value in
      guard let path = value.stringValue, (1...RecorderMessage.pathLimit).contains(path.utf8.count),
        !path.utf8.contains(0)
      else { return nil }
      return path
    }
  }

  /// Floats travel as bit patterns: a decimal would have to be rounded the same way everywhere.
  mutating func floatBits(_ key: String) throws(RecordingError) -> UInt32 {
    let bits = try optional(key, "a bit pattern of 8 lower-case hexadecimal digits") {
      value -> UInt32? in
      guard let text = value.stringValue, text.utf8.count == 8, let bytes = Hex.decode(text) else {
        return nil
      }
      return bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }
    return try required(key, bits)
  }

  mutating func indices(_ key: String) throws(RecordingError) -> [UInt32] {
    let indices = try optional(
      key, "an array of 1 to \(CheckpointRecord.batchLimit) indices below 2^32"
    ) { value -> [UInt32]? in
      guard let items = value.arrayValue, (1...CheckpointRecord.batchLimit).contains(items.count)
      else { return nil }
      let indices = items.compactMap { $0.countValue.flatMap { UInt32(exactly: $0) } }
      return indices.count == items.count ? indices : nil
    }
    return try required(key, indices)
  }

  func finish() throws(RecordingError) {
    if let key = members.keys.min() {
      throw RecorderMessage.refusal("the member \(printable(key, limit: 40)) is unknown")
    }
  }
}
