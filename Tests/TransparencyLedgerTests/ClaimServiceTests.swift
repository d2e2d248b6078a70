import Cryptography
import MerkleTrees
import ProofPrimitives
import Synchronization
import Testing

@testable import TransparencyLedger

/// A log with its map, as a service keeps them, and what it answers.
private final class MappedLog {
  let scratch = try? ScratchFolder()
  let log: LocalLedger
  let map: StoredClaimMap
  var rootIndex: LeafIndex?

  init() throws {
    log = try newLedger(try #require(scratch))
    log.indexesElsewhere = true
    map = StoredClaimMap(log.claims, depth: 5)
    try map.build(size: 0)
  }

  func index() throws {
    let view = try log.view()
    try log.claims.index(origin: testOrigin) { index throws(LedgerError) in try view.entry(index) }
  }

  @discardableResult
  func addRoot(
    by key: SigningKey? = nil, size: UInt64? = nil, root: Digest? = nil
  ) throws -> LeafIndex {
    try index()
    let update = try map.prepare()
    let key = key ?? log.indexKey
    let statement = IndexRootStatement(
      logOrigin: testOrigin, mapRoot: root ?? update.root, proverKey: try keyDigest(key),
      treeSize: size ?? update.size)
    let entry = try LedgerEntry.signed(statement.encoded, by: key)
    let index = try #require(try log.append([entry]).first).index
    map.commit(update, rootIndex: index)
    rootIndex = index
    return index
  }

  func answer(_ claim: Claim, from start: UInt64 = 0) throws -> LookupAnswer {
    let log = log
    return try LookupAnswer(
      to: claim, from: start, index: ClaimIndex(log.claims), map: map, roots: IndexRootMemory()
    ) {
      () throws(LedgerError) in try log.view()
    }
  }
}

/// The log's files, and answers to look-ups that a test may alter.
private final class LookupSource: LedgerSource {
  typealias Change = @Sendable (inout LookupAnswer) -> Void
  private let files: DirectoryLedgerSource
  private let answers: Mutex<[String: [UInt8]]>

  init(_ mapped: MappedLog, _ claims: [Claim], _ change: Change = { _ in }) throws {
    files = mapped.log.source
    var answers: [String: [UInt8]] = [:]
    for claim in claims {
      var start: UInt64? = 0
      while let from = start {
        var answer = try mapped.answer(claim, from: from)
        start = answer.more
        change(&answer)
        let page = from > 0 ? "/\(from)" : ""
        answers["lookup/\(claim.kind.rawValue)/\(claim.digest.hex)\(page)"] = answer.encoded
      }
    }
    self.answers = Mutex(answers)
  }

  func read(path: String, limit: Int) throws(LedgerError) -> [UInt8]? {
    if path.hasPrefix("lookup/") { return answers.withLock { $0[path] } }
    return try files.read(path: path, limit: limit)
  }
}

@Suite("The claim map beside the log (claim-map.md)") struct StoredClaimMapTests {
  private let owner: SigningKey
  private let thief: SigningKey

  init() throws { (owner, thief) = (try testKey(2), try testKey(3)) }

  private func proofEntry(_ model: Int, by key: SigningKey) throws -> [UInt8] {
    try LedgerEntry.signed(proofStatement(model: model, key: key).encoded, by: key)
  }

  /// A hidden entry and the statement that opens it.
  private func hidden(_ model: Int, by key: SigningKey) throws -> (hidden: [UInt8], opened: [UInt8])
  {
    var statement = try proofStatement(model: model, key: key)
    let salt = testDigest(90)
    let hidden = try LedgerEntry.signed(
      HiddenStatement(
        hidingDigest: HidingDigest.of(
          key: try keyDigest(key), logOrigin: testOrigin, kind: ProofStatement.predicateType,
          salt: salt, digest: statement.unopenedDigest),
        logOrigin: testOrigin, proverKey: try keyDigest(key)
      ).encoded, by: key)
    statement.opening = StatementOpening(hidden: MerkleTree.leafHash(of: hidden), salt: salt)
    return (hidden, try LedgerEntry.signed(statement.encoded, by: key))
  }

  /// What an auditor makes of the entries below `size`, by reading all of them.
  private func oracle(_ log: LocalLedger, below size: UInt64) throws -> ClaimMap {
    var values: [Digest: (UInt64, UInt64?)] = [:]
    let entries = try log.view().allEntries().filter { $0.index.value < size }
    let located = entries.compactMap { entry in
      LedgerEntry.parse(entry.bytes).signed.map {
        LocatedStatement(index: entry.index, leafHash: entry.leafHash, signed: $0)
      }
    }
    for entry in entries {
      let parsed = LedgerEntry.parse(entry.bytes)
      var committed: UInt64?
      if let statement = located.first(where: { $0.index == entry.index }) {
        let standing = ClaimStanding(of: statement, logOrigin: testOrigin) { leafHash in
          located.first { $0.leafHash == leafHash }
        }
        if case .valid(let index) = standing.opening { committed = index.value }
      }
      for claim in parsed.claims(leafHash: entry.leafHash) {
        let key = ClaimKey.of(claim)
        let known = values[key]
        values[key] = (
          known?.0 ?? entry.index.value, [known?.1, committed].compactMap { $0 }.min()
        )
      }
    }
    return try #require(
      ClaimMap(
        values.map {
          .init(
            key: $0, value: ClaimMapValue(openedIndex: $1.0, committedIndex: $1.1))
        }))
  }

  @Test("each root is the one that is made from the entries, whatever comes between")
  func agreement() throws {
    let mapped = try MappedLog()
    let pair = try hidden(7, by: owner)
    let batches: [[[UInt8]]] = [
      try [proofEntry(7, by: thief), pair.hidden], [Array("noise".utf8)], [pair.opened],
      try (10..<30).map { try proofEntry($0, by: owner) }, [], opaqueEntries(0..<300),
    ]
    for batch in batches {
      _ = try mapped.log.append(batch)
      let size = mapped.log.head.size.value
      let index = try mapped.addRoot()
      let entry = try mapped.log.view().entry(index)
      guard case .indexRoot(let statement) = LedgerEntry.parse(entry.bytes).signed?.statement else {
        Issue.record("no index root")
        return
      }
      #expect(statement.treeSize == size)
      let map = try oracle(mapped.log, below: size)
      #expect(statement.mapRoot == map.root)
      // Later entries do not change what is said of the first ones.
      _ = try mapped.log.append([proofEntry(Int(size) + 1000, by: thief)])
      try mapped.index()
      for model in [7, 10, 29, Int(size) + 1000, 5000] {
        let claim = Claim(.model, testDigest(model))
        let said = try #require(try mapped.map.answer(for: claim))
        #expect(said.rootIndex == index)
        #expect(said.proof == map.proof(for: ClaimKey.of(claim)), "\(model)")
      }
    }
    let known = try oracle(mapped.log, below: mapped.log.head.size.value)
    #expect(
      known[ClaimKey.of(Claim(.model, testDigest(7)))]
        == ClaimMapValue(openedIndex: 0, committedIndex: 1))
  }

  @Test(
    "the map is made again from the tables, and one that differs from the signed root is refused")
  func rebuilt() throws {
    let mapped = try MappedLog()
    _ = try mapped.log.append([proofEntry(1, by: owner)] + opaqueEntries(0..<40))
    let index = try mapped.addRoot()
    let claim = Claim(.model, testDigest(1))
    let before = try #require(try mapped.map.answer(for: claim))
    _ = try mapped.log.append(opaqueEntries(40..<60))
    try mapped.index()
    let entry = try mapped.log.view().entry(index)
    guard case .indexRoot(let root) = LedgerEntry.parse(entry.bytes).signed?.statement else {
      Issue.record("no index root")
      return
    }
    let again = StoredClaimMap(mapped.log.claims, depth: 5)
    try again.build(size: root.treeSize, root: (index, root.mapRoot))
    #expect(try #require(try again.answer(for: claim)).proof == before.proof)
    // And it goes on from there.
    let update = try again.prepare()
    #expect(try update.root == oracle(mapped.log, below: update.size).root)
    #expect(
      code {
        try StoredClaimMap(mapped.log.claims, depth: 5).build(
          size: root.treeSize - 1, root: (index, root.mapRoot))
      } == "indexDisagrees")
  }

  @Test("only the log's index key adds roots, and only of entries that are there") func admission()
    throws
  {
    let mapped = try MappedLog()
    _ = try mapped.log.append(opaqueEntries(0..<3))
    #expect(code { _ = try mapped.addRoot(by: thief) } == "otherKey")
    #expect(code { _ = try mapped.addRoot(size: 4) } == "unknownEntry")
    #expect(code { _ = try mapped.addRoot(size: 3) } == "none")
  }

  @Test("an honest answer is taken: what is there, what is not, and what is younger than the map")
  func honest() throws {
    let mapped = try MappedLog()
    let pair = try hidden(7, by: owner)
    _ = try mapped.log.append([pair.hidden])
    _ = try mapped.log.append([proofEntry(7, by: thief), pair.opened])
    _ = try mapped.log.append((0..<40).map { try commitmentEntry($0, key: owner) })
    try mapped.addRoot()
    let size = mapped.log.head.size.value - 1
    _ = try mapped.log.append([proofEntry(8, by: thief)])
    let hiddenLeaf = MerkleTree.leafHash(of: pair.hidden)
    let many = Claim(.datasetRoot, testDigest(1))
    let claims = [
      Claim(.model, testDigest(7)), Claim(.model, testDigest(8)), Claim(.model, testDigest(9)),
      Claim(.entry, hiddenLeaf), many,
    ]
    let source = try LookupSource(mapped, claims)
    let view = try LedgerView(source: source, verifierKey: mapped.log.verifierKey)
    let index = RemoteClaimIndex(view, indexKey: mapped.log.indexKey.verifyingKey)
    func found(_ claim: Claim) throws -> [UInt64] {
      let finding = try #require(try index.lookup(claim))
      #expect(finding.mapSize == size && finding.head == view.head)
      return finding.matches.map(\.index.value)
    }
    #expect(try found(claims[0]) == [1, 2])
    #expect(try found(claims[1]) == [size + 1])
    #expect(try found(claims[2]) == [])
    // Two pages.
    #expect(try mapped.answer(many).more != nil)
    #expect(try found(many) == [1, 2] + (3..<43).map { UInt64($0) } + [size + 1])
    #expect(try index.lookup(Claim(.seal, testDigest(1))) == nil)
  }

  /// Each lie about a log of an owner's claim (entries 0 and 2), a thief's (1) and later ones.
  @Test(
    "a service that lies is caught",
    arguments: [
      ("the first claim is left out", "indexDisagrees"),
      ("all claims are left out", "indexDisagrees"),
      ("the claim with the earliest commitment is left out", "indexDisagrees"),
      ("a claim after the map is left out", "indexDisagrees"),
      ("another digest's map proof", "indexDisagrees"),
      ("an older root", "indexDisagrees"),
      ("a root by another key", "otherKey"),
      ("a root that is no index root", "indexDisagrees"),
      ("an entry that says something else", "indexDisagrees"),
      ("an entry that is not in the log", "proofMismatch"),
      ("entries out of order", "indexDisagrees"),
      ("a head by nobody", "badSignature"),
    ])
  func lies(lie: String, expected: String) throws {
    let mapped = try MappedLog()
    mapped.log.admission = .everything
    let pair = try hidden(7, by: owner)
    _ = try mapped.log.append([pair.hidden])
    _ = try mapped.log.append([proofEntry(7, by: thief), pair.opened])
    let first = try mapped.addRoot()
    let old = try mapped.answer(Claim(.model, testDigest(7)))
    let foreign = try mapped.addRoot(by: thief)
    let byThief = try mapped.answer(Claim(.model, testDigest(7)))
    #expect(first < foreign)
    _ = try mapped.log.append(opaqueEntries(0..<3))
    try mapped.addRoot()
    _ = try mapped.log.append(opaqueEntries(3..<5))
    try mapped.addRoot()
    _ = try mapped.log.append([proofEntry(7, by: owner)])
    let claim = Claim(.model, testDigest(7))
    let other = try mapped.answer(Claim(.model, testDigest(99)))
    let noise = try mapped.answer(
      Claim(.entry, MerkleTree.leafHash(of: opaqueEntries(0..<1)[0])))
    let hiddenClaim = Claim(.entry, MerkleTree.leafHash(of: pair.hidden))
    func code(_ change: @escaping LookupSource.Change) throws -> String {
      let source = try LookupSource(mapped, [claim, hiddenClaim]) { answer in
        if answer.claim == claim { change(&answer) }
      }
      let view = try LedgerView(source: source, verifierKey: mapped.log.verifierKey)
      let index = RemoteClaimIndex(view, indexKey: mapped.log.indexKey.verifyingKey)
      return TransparencyLedgerTests.code { _ = try index.lookup(claim) }
    }
    #expect(try code { _ in } == "none")
    let caught = try code { answer in
      switch lie {
      case "the first claim is left out": answer.entries.removeFirst()
      case "all claims are left out": answer.entries.removeAll { $0.index < 3 }
      case "the claim with the earliest commitment is left out":
        answer.entries.removeAll { $0.index == 2 }
      case "a claim after the map is left out": answer.entries.removeLast()
      case "another digest's map proof": answer.mapProof = other.mapProof
      case "an older root":
        answer.treeHead = old.treeHead
        answer = old
      case "a root by another key":
        answer.indexRoot = byThief.indexRoot
        answer.mapProof = byThief.mapProof
        answer.treeHead = byThief.treeHead
        answer.entries = byThief.entries
      case "a root that is no index root": answer.indexRoot = noise.entries.first
      case "an entry that says something else": answer.entries[0] = noise.entries[0]
      case "an entry that is not in the log": answer.entries[0].index = 0
      case "entries out of order": answer.entries.swapAt(0, 1)
      default:
        // Another letter of base64, so that it is the signature that is wrong.
        let place = answer.treeHead.count - 20
        answer.treeHead[place] = answer.treeHead[place] == 65 ? 66 : 65
      }
      answer.indexRoot?.statement = nil
      answer.indexRoot?.committedAt = nil
    }
    #expect(caught == expected, "\(lie)")
  }

  @Test("an answer is read in its one form") func form() throws {
    let mapped = try MappedLog()
    _ = try mapped.log.append([proofEntry(7, by: owner)])
    try mapped.addRoot()
    let whole = try mapped.answer(Claim(.model, testDigest(7))).encoded
    #expect(try LookupAnswer(parsing: whole).encoded == whole)
    for position in stride(from: 0, to: whole.count, by: 41) {
      #expect(code { _ = try LookupAnswer(parsing: Array(whole[..<position])) } == "badProof")
    }
  }
}
