import Cryptography
import ProofPrimitives

extension LedgerPolicy {
  package static let byteLimit = 262_144
  /// C2SP asks for 32 of each.
  package static let logLimit = 64
  /// All of their lines and the log's fit under one note of 64 signatures.
  package static let witnessLimit = 48
  package static let groupLimit = 64

  /// - Throws: `.badPolicy`, which names the line.
  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    guard bytes.count <= LedgerPolicy.byteLimit else {
      throw PolicyParser.bad("it has more than \(LedgerPolicy.byteLimit) bytes", line: nil)
    }
    guard bytes.allSatisfy({ $0 == 9 || $0 == 10 || ($0 >= 32 && $0 != 127) }) else {
      let end = bytes.firstIndex { $0 != 9 && $0 != 10 && ($0 < 32 || $0 == 127) } ?? 0
      throw PolicyParser.bad(
        "a control character other than tab and newline stands in it",
        line: bytes[..<end].count { $0 == 10 } + 1)
    }
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
    guard lines.last?.isEmpty ?? true else {
      throw PolicyParser.bad("it does not end in a newline", line: lines.count)
    }
    var parser = PolicyParser()
    for (position, line) in lines.enumerated() {
      parser.line = position + 1
      try parser.read(line.split { $0 == 32 || $0 == 9 }.map(Array.init))
    }
    guard let quorum = parser.quorum else {
      throw PolicyParser.bad("no line says what the quorum is", line: nil)
    }
    self.init(
      text: bytes, logs: parser.logs, witnesses: parser.witnesses, groups: parser.groups,
      quorum: quorum.member)
  }
}

/// The definitions read so far.
private struct PolicyParser {
  var line = 0
  private(set) var logs: [LedgerPolicy.Log] = []
  private(set) var witnesses: [LedgerPolicy.Witness] = []
  private(set) var groups: [LedgerPolicy.Group] = []
  /// A nil member is `none`.
  private(set) var quorum: (member: LedgerPolicy.Member?, line: Int)?
  private var names: [[UInt8]: LedgerPolicy.Member] = [:]
  private var members: Set<LedgerPolicy.Member> = []

  private static let none = Array("none".utf8)

  static func bad(_ reason: String, line: Int?) -> LedgerError {
    LedgerError(
      .badPolicy, line.map { "line \($0): \(reason)" } ?? reason,
      remedy: "correct the policy file; spec/witness.md §3 has its rules")
  }

  private func bad(_ reason: String) -> LedgerError { PolicyParser.bad(reason, line: line) }

  mutating func read(_ items: [[UInt8]]) throws(LedgerError) {
    guard let keyword = items.first, keyword.first != UInt8(ascii: "#") else { return }
    switch String(decoding: keyword, as: UTF8.self) {
    case "log": try readLog(items)
    case "witness": try readWitness(items)
    case "group": try readGroup(items)
    case "quorum": try readQuorum(items)
    default: throw bad("it starts with none of log, witness, group and quorum")
    }
  }

  private mutating func readLog(_ items: [[UInt8]]) throws(LedgerError) {
    guard (2...3).contains(items.count) else { throw bad("a log is `log VKEY [URL]`") }
    guard logs.count < LedgerPolicy.logLimit else {
      throw bad("there are more than \(LedgerPolicy.logLimit) logs")
    }
    let key = try key(items[1], .log)
    try checkIsNew(key)
    logs.append(.init(key: key, url: items.count > 2 ? items[2] : nil))
  }

  private mutating func readWitness(_ items: [[UInt8]]) throws(LedgerError) {
    guard (3...4).contains(items.count) else { throw bad("a witness is `witness NAME VKEY [URL]`") }
    guard witnesses.count < LedgerPolicy.witnessLimit else {
      throw bad("there are more than \(LedgerPolicy.witnessLimit) witnesses")
    }
    let key = try key(items[2], .cosigner)
    try checkIsNew(key)
    try define(items[1], .witness(witnesses.count))
    witnesses.append(.init(name: items[1], key: key, url: items.count > 3 ? items[3] : nil))
  }

  private mutating func readGroup(_ items: [[UInt8]]) throws(LedgerError) {
    guard items.count >= 4 else { throw bad("a group is `group NAME all|any|K MEMBER...`") }
    guard groups.count < LedgerPolicy.groupLimit else {
      throw bad("there are more than \(LedgerPolicy.groupLimit) groups")
    }
    var listed: [LedgerPolicy.Member] = []
    for name in items[3...] {
      guard name != PolicyParser.none else { throw bad("`none` cannot be a member") }
      let member = try defined(name)
      guard members.insert(member).inserted else {
        throw bad("\(shown(name)) is a member for the second time")
      }
      listed.append(member)
    }
    let threshold: Int
    switch String(decoding: items[2], as: UTF8.self) {
    case "all": threshold = listed.count
    case "any": threshold = 1
    case let text:
      guard let number = decimal(text), number >= 1, number <= UInt64(listed.count) else {
        throw bad("\(shown(items[2])) is not all, any or a number from 1 to \(listed.count)")
      }
      threshold = Int(number)
    }
    try define(items[1], .group(groups.count))
    groups.append(.init(threshold: threshold, members: listed))
  }

  private mutating func readQuorum(_ items: [[UInt8]]) throws(LedgerError) {
    guard items.count == 2 else { throw bad("a quorum is `quorum NAME`") }
    if let quorum { throw bad("the quorum was given in line \(quorum.line)") }
    quorum = (items[1] == PolicyParser.none ? nil : try defined(items[1]), line)
  }

  private func key(
    _ bytes: [UInt8], _ role: NoteVerifierKey.Role
  ) throws(LedgerError) -> NoteVerifierKey {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw bad("the verifier key is not UTF-8")
    }
    do {
      return try NoteVerifierKey(text: text, role: role)
    } catch {
      throw bad(error.message)
    }
  }

  /// One key counts once, and has one role.
  private func checkIsNew(_ key: NoteVerifierKey) throws(LedgerError) {
    guard !logs.contains(where: { $0.key.key == key.key }) else {
      throw bad("this public key is a log's above")
    }
    guard !witnesses.contains(where: { $0.key.key == key.key }) else {
      throw bad("this public key is a witness's above")
    }
  }

  private mutating func define(
    _ name: [UInt8], _ member: LedgerPolicy.Member
  ) throws(LedgerError) {
    guard name != PolicyParser.none else { throw bad("`none` cannot be defined") }
    guard names.updateValue(member, forKey: name) == nil else {
      throw bad("\(shown(name)) is defined above")
    }
  }

  private func defined(_ name: [UInt8]) throws(LedgerError) -> LedgerPolicy.Member {
    guard let member = names[name] else { throw bad("\(shown(name)) is not defined above") }
    return member
  }

  private func shown(_ name: [UInt8]) -> String {
    printable(String(decoding: name, as: UTF8.self))
  }
}
