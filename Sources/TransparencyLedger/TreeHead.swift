package import MerkleTrees
package import ProofPrimitives

/// What a log says about its tree at one moment (C2SP tlog-checkpoint, which calls it a
/// checkpoint; here that word is a training's).
package struct TreeHead: Hashable, Sendable {
  package let origin: String
  package let size: TreeSize
  package let root: Digest
  /// Opaque lines after the third; this project writes none.
  package let extensions: [String]

  package init(origin: String, size: TreeSize, root: Digest) {
    self.origin = origin
    self.size = size
    self.root = root
    extensions = []
  }

  /// Reads a note's text.
  package init(parsing text: [UInt8]) throws(LedgerError) {
    try self.init(form: text)
    guard hasPossibleRoot else {
      throw LedgerError(
        .badTreeHead, "the size is 0 and the root is not SHA-256 of nothing",
        remedy: "fetch the tree head again from the log")
    }
  }

  /// The empty tree has one root.
  var hasPossibleRoot: Bool { size > .zero || root == MerkleTree.emptyRoot }

  /// Reads the form alone, for a witness, which must tell a false root of nothing from no tree head.
  init(form text: [UInt8]) throws(LedgerError) {
    func bad(_ reason: String) -> LedgerError {
      LedgerError(.badTreeHead, reason, remedy: "fetch the tree head again from the log")
    }
    guard text.last == 10, let whole = String(validating: text, as: UTF8.self) else {
      throw bad("it is not UTF-8 that ends in a newline")
    }
    let lines = whole.utf8.dropLast().split(separator: 10, omittingEmptySubsequences: false)
      .map { String(Substring($0)) }
    guard lines.count >= 3 else { throw bad("it has fewer than three lines") }
    guard lines.allSatisfy({ !$0.isEmpty }) else { throw bad("it has an empty line") }
    guard let size = decimal(lines[1]), TreeSize(size).isWithinLimit else {
      throw bad("the size is not a decimal number without leading zeros, or is above 2^62")
    }
    guard let bytes = Base64.decode(lines[2]), let root = Digest(bytes) else {
      throw bad("the root is not base64 of 32 bytes")
    }
    origin = lines[0]
    self.size = TreeSize(size)
    self.root = root
    extensions = Array(lines.dropFirst(3))
  }

  /// The note text.
  package var text: [UInt8] {
    let lines = [origin, String(size.value), Base64.encode(root.bytes)] + extensions
    return Array(lines.map { $0 + "\n" }.joined().utf8)
  }
}

/// A tree head and the note that carries it, its signature by the log's key checked, and the
/// cosignatures too where a policy was given.
package struct SignedTreeHead: Hashable, Sendable {
  package let head: TreeHead
  package let note: SignedNote

  package init(signing head: TreeHead, by signer: NoteSigner) throws(LedgerError) {
    self.head = head
    note = try SignedNote(signing: head.text, by: signer)
  }

  /// Reads, checks the signature, then reads the text: never the other way round.
  ///
  /// The origin must be the key's name. C2SP leaves the two apart; with one name for both, a key can
  /// never be made to vouch for another log's tree.
  ///
  /// - Parameter policy: Who else must have signed (`spec/witness.md` §3); nobody when nil.
  package init(
    parsing bytes: [UInt8], by key: NoteVerifierKey, policy: LedgerPolicy? = nil
  ) throws(LedgerError) {
    try self.init(note: try SignedNote(parsing: bytes), by: key, policy: policy)
  }

  package init(
    note: SignedNote, by key: NoteVerifierKey, policy: LedgerPolicy? = nil
  ) throws(LedgerError) {
    try policy?.checkLists(key)
    try note.verify(by: [key])
    try policy?.checkQuorum(note)
    let head = try TreeHead(parsing: note.text)
    guard head.origin.utf8.elementsEqual(key.name.utf8) else {
      throw LedgerError(
        .wrongOrigin,
        "the tree head is of \(printable(head.origin)), the key is of \(printable(key.name))",
        remedy: "use the verifier key of the log that is meant")
    }
    self.head = head
    self.note = note
  }
}

/// A decimal number without sign or leading zeros, as logs write sizes and indices.
func decimal(_ text: some StringProtocol) -> UInt64? {
  let digits = text.utf8
  guard let first = digits.first, digits.count <= 20, digits.allSatisfy({ (48...57).contains($0) }),
    first != 48 || digits.count == 1
  else { return nil }
  return UInt64(text)
}
