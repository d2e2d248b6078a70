internal import Cryptography
package import ProofPrimitives

extension RunSettings {
  /// Reads the one canonical encoding; every unknown, missing or ill-typed member is refused.
  package init(parsing bytes: some Collection<UInt8>) throws(ReexecutionError) {
    guard bytes.count <= RunSettings.byteLimit else {
      throw RunSettings.refusal(
        "the settings have \(bytes.count) bytes, the limit is \(RunSettings.byteLimit)")
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes, form: .canonical)
    } catch {
      throw RunSettings.refusal("\(error.reason) at byte \(error.offset)", underlying: error)
    }
    var object = try SettingsObject(json, "settings")
    let algorithm = try object.string("algorithm")
    guard algorithm == RunSettings.algorithm else {
      throw RunSettings.refusal(
        "algorithm is \"\(printable(algorithm, limit: 40))\", known is \"\(RunSettings.algorithm)\""
      )
    }
    var dataset = try object.object("dataset")
    let training = try dataset.range("training")
    let heldOut = try dataset.range("heldOut")
    try dataset.finish()
    let initializationName = try object.string("initialization")
    guard let initialization = Initialization(rawValue: initializationName) else {
      let known = Initialization.allCases.map(\.rawValue).joined(separator: ", ")
      throw RunSettings.refusal(
        "initialization is \"\(printable(initializationName, limit: 40))\", known are \(known)")
    }
    let batchSize = try object.count("batchSize")
    let inputScale = try object.decimal("inputScale")
    let layers = try object.counts("layers", limit: RunSettings.layerLimit)
    let momentum = try object.decimal("momentum")
    var scheduleObject = try object.object("schedule")
    let schedule = try LearningRateSchedule(reading: &scheduleObject)
    try scheduleObject.finish()
    let steps = try object.count("steps")
    let weightDecay = try object.decimal("weightDecay")
    try object.finish()
    try self.init(
      batchSize: batchSize, training: training, heldOut: heldOut, initialization: initialization,
      inputScale: inputScale, layers: layers, momentum: momentum, schedule: schedule, steps: steps,
      weightDecay: weightDecay)
  }

  package var json: JSONValue {
    func range(_ range: IndexRange) -> JSONValue {
      .map([("count", .int(range.count)), ("first", .int(range.first))])
    }
    return .map([
      ("algorithm", .string(RunSettings.algorithm)),
      ("batchSize", .int(batchSize)),
      ("dataset", .map([("heldOut", range(heldOut)), ("training", range(training))])),
      ("initialization", .string(initialization.rawValue)),
      ("inputScale", .string(inputScale.text)),
      ("layers", .array(layers.map { .int($0) })),
      ("momentum", .string(momentum.text)),
      ("schedule", schedule.json),
      ("steps", .int(steps)),
      ("weightDecay", .string(weightDecay.text)),
    ])
  }

  /// What is hashed and stored; parsing it gives an equal value.
  package var canonicalBytes: [UInt8] { json.encoded }

  /// The settings digest of record 0: SHA-256(tag || canonical bytes).
  package var digest: Digest { SHA256.hash(.settings, canonicalBytes) }

  /// Reaches 95 % on the digits that stand in `testvectors/digits`: training points first, then the
  /// held-out ones. 16 is the largest pixel value, hence the scale.
  package static func digitsDefault(
    trainingCount: Int = 1_438, heldOutCount: Int = 359, steps: Int = 5_000
  ) throws(ReexecutionError) -> RunSettings {
    try RunSettings(
      batchSize: 32, training: IndexRange(first: 0, count: trainingCount),
      heldOut: IndexRange(first: UInt32(clamping: trainingCount), count: heldOutCount),
      initialization: .kaimingUniform, inputScale: SettingsDecimal(literal: "0.0625"),
      layers: [64, 128, 10], momentum: SettingsDecimal(literal: "0.9"),
      schedule: LearningRateSchedule(
        base: SettingsDecimal(literal: "0.05"),
        kind: .cosine(minimum: SettingsDecimal(literal: "0.0005")), warmUpSteps: 0),
      steps: steps, weightDecay: SettingsDecimal(literal: "0.0001"))
  }
}

extension SettingsDecimal {
  /// A decimal of the source code, where a malformed one is refused like any other.
  fileprivate init(literal text: String) throws(ReexecutionError) {
    guard let decimal = SettingsDecimal(text) else {
      throw RunSettings.refusal("\"\(text)\" is no decimal")
    }
    self = decimal
  }
}

/// Takes members out of one JSON object, and refuses what is left over.
struct SettingsObject {
  private let path: String
  private var members: [String: JSONValue] = [:]

  init(_ value: JSONValue, _ path: String) throws(ReexecutionError) {
    guard let members = value.members else {
      throw RunSettings.refusal("\(path) is not an object")
    }
    self.path = path
    for member in members { self.members[member.key] = member.value }
  }

  private mutating func take<T>(
    _ key: String, _ kind: String, _ read: (JSONValue) -> T?
  ) throws(ReexecutionError) -> T {
    guard let value = members.removeValue(forKey: key) else {
      throw RunSettings.refusal("\(path).\(key) is missing")
    }
    guard let result = read(value) else {
      throw RunSettings.refusal("\(path).\(key) is not \(kind)")
    }
    return result
  }

  mutating func string(_ key: String) throws(ReexecutionError) -> String {
    try take(key, "a string") { $0.stringValue }
  }

  mutating func count(_ key: String) throws(ReexecutionError) -> Int {
    try take(key, "a non-negative integer") { $0.countValue }
  }

  mutating func counts(_ key: String, limit: Int) throws(ReexecutionError) -> [Int] {
    try take(key, "an array of at most \(limit) non-negative integers") { value in
      guard let items = value.arrayValue, items.count <= limit else { return nil }
      let counts = items.compactMap(\.countValue)
      return counts.count == items.count ? counts : nil
    }
  }

  mutating func decimal(_ key: String) throws(ReexecutionError) -> SettingsDecimal {
    try take(key, "a decimal such as \"0.05\"") { $0.stringValue.flatMap { SettingsDecimal($0) } }
  }

  mutating func object(_ key: String) throws(ReexecutionError) -> SettingsObject {
    let value = try take(key, "an object") { $0.members == nil ? nil : $0 }
    return try SettingsObject(value, "\(path).\(key)")
  }

  mutating func range(_ key: String) throws(ReexecutionError) -> RunSettings.IndexRange {
    var object = try object(key)
    let count = try object.count("count")
    let first = try object.count("first")
    try object.finish()
    guard let first = UInt32(exactly: first) else {
      throw RunSettings.refusal("\(path).\(key) reaches past index 2^32 - 1")
    }
    return RunSettings.IndexRange(first: first, count: count)
  }

  func finish() throws(ReexecutionError) {
    if let key = members.keys.min() {
      throw RunSettings.refusal("\(path).\(printable(key, limit: 40)) is unknown")
    }
  }
}
