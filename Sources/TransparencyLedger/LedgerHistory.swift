package import MerkleTrees
package import ProofPrimitives

/// One head that a log has published: a line of its `history` file (`spec/ledger.md` §7).
///
/// `<size> <base64 root> <base64 of key ID and signature>`: enough to rebuild the signed note, so that
/// each line is evidence, for its holder or against the log.
package struct PublishedHead: Hashable, Sendable {
  package let size: TreeSize
  package let root: Digest
  let signature: NoteSignature

  /// A size of 19 digits, a root, a signature, two spaces and the newline.
  static let lineByteLimit = 19 + 44 + 92 + 3

  /// Of a head that was signed here a moment ago: its note has the log's line alone.
  init(signed: SignedTreeHead) throws(LedgerError) {
    guard let signature = signed.note.signatures.first else {
      throw PublishedHead.bad("the head is not signed by the log", line: 0)
    }
    size = signed.head.size
    root = signed.head.root
    self.signature = signature
  }

  init(_ signed: SignedTreeHead, by key: NoteVerifierKey) throws(LedgerError) {
    guard let signature = try signed.note.verify(by: [key]).first else {
      throw PublishedHead.bad("the head is not signed by the log", line: 0)
    }
    size = signed.head.size
    root = signed.head.root
    self.signature = signature
  }

  /// The head that key ID and signature of a line belong to; nil when the size or the blob is not
  /// possible.
  init?(size: TreeSize, root: Digest, blob: [UInt8], of key: NoteVerifierKey) {
    guard size.isWithinLimit, blob.count > 4 else { return nil }
    self.size = size
    self.root = root
    signature = NoteSignature(
      name: key.name, keyID: blob.prefix(4).reduce(0) { $0 << 8 | UInt32($1) },
      bytes: Array(blob.dropFirst(4)))
  }

  fileprivate init(
    line: ArraySlice<UInt8>, number: Int, key: NoteVerifierKey
  ) throws(LedgerError) {
    let parts = line.split(separator: 32, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard parts.count == 3, let size = decimal(parts[0]), TreeSize(size).isWithinLimit,
      let rootBytes = Base64.decode(parts[1]), let root = Digest(rootBytes),
      let blob = Base64.decode(parts[2]), blob.count > 4
    else { throw PublishedHead.bad("it is not a size, a root and a signature", line: number) }
    self.size = TreeSize(size)
    self.root = root
    signature = NoteSignature(
      name: key.name, keyID: blob.prefix(4).reduce(0) { $0 << 8 | UInt32($1) },
      bytes: Array(blob.dropFirst(4)))
  }

  var line: [UInt8] {
    Array("\(size) \(Base64.encode(root.bytes)) \(Base64.encode(signature.blob))\n".utf8)
  }

  /// The note that was published, its signature checked.
  package func signedHead(by key: NoteVerifierKey) throws(LedgerError) -> SignedTreeHead {
    let head = TreeHead(origin: key.name, size: size, root: root)
    let note = SignedNote(text: head.text, signatures: [signature])
    return try SignedTreeHead(note: note, by: key)
  }

  /// Reads whole lines whose sizes rise. Signatures are checked by whoever uses a line.
  static func parse(_ bytes: [UInt8], key: NoteVerifierKey) throws(LedgerError) -> [PublishedHead] {
    var heads: [PublishedHead] = []
    try visit(bytes[...], key: key) { head throws(LedgerError) in
      heads.append(head)
      return true
    }
    return heads
  }

  /// The same one by one, until `visitor` has enough: a log may have published a million heads.
  static func visit(
    _ bytes: ArraySlice<UInt8>, key: NoteVerifierKey,
    _ visitor: (PublishedHead) throws(LedgerError) -> Bool
  ) throws(LedgerError) {
    guard bytes.isEmpty || bytes.last == 10 else {
      throw bad("it does not end in a newline", line: 0)
    }
    var rest = bytes
    var last: TreeSize?
    var number = 0
    while let newline = rest.firstIndex(of: 10) {
      number += 1
      let head = try PublishedHead(line: rest[..<newline], number: number, key: key)
      guard last.map({ $0 < head.size }) ?? true else {
        throw bad("its size is not above that of the line before", line: number)
      }
      last = head.size
      rest = rest[(newline + 1)...]
      guard try visitor(head) else { return }
    }
  }

  static func bad(_ reason: String, line: Int) -> LedgerError {
    LedgerError(
      .badHistory, line > 0 ? "line \(line): \(reason)" : reason,
      remedy: "fetch it again; the log's owner can restore it", path: LedgerPath.history)
  }
}

extension LedgerView {
  /// The heads the log says it has published, oldest first, up to the view's own.
  ///
  /// A line cannot be forged, but one can be left out: whoever depends on a certain head keeps its
  /// note.
  package func history() throws(LedgerError) -> [PublishedHead] {
    var heads: [PublishedHead] = []
    try visitHistory { head throws(LedgerError) in
      heads.append(head)
      return true
    }
    return heads
  }

  /// The same one by one, until `visitor` has enough.
  func visitHistory(
    _ visitor: (PublishedHead) throws(LedgerError) -> Bool
  ) throws(LedgerError) {
    let bytes = try source.required(LedgerPath.history, limit: LedgerPath.historyByteLimit)
    // The newest line may be in the middle of being written.
    let whole = bytes.lastIndex(of: 10).map { bytes[...$0] } ?? []
    try PublishedHead.visit(whole, key: verifierKey) { line throws(LedgerError) in
      line.size <= head.size ? try visitor(line) : false
    }
  }

  /// The first published head that covers an entry, its signature checked and its root recomputed
  /// from the tiles and checked to be a beginning of this view's tree.
  package func firstHead(covering index: LeafIndex) throws(LedgerError) -> SignedTreeHead {
    var found: PublishedHead?
    try visitHistory { line throws(LedgerError) in
      if line.size.contains(index) { found = line }
      return found == nil
    }
    guard let found else {
      throw LedgerError(
        .notPublished, "no published head covers entry \(index)",
        remedy: "wait for the log's next tree head", path: LedgerPath.history)
    }
    return try check(found, nodes())
  }

  func check(
    _ line: PublishedHead, _ nodes: TileNodeReader<LedgerTiles>
  ) throws(LedgerError) -> SignedTreeHead {
    let signed = try signed(line)
    guard try root(at: line.size, nodes) == line.root else {
      throw LedgerError(
        .forked, "the log signed, for \(line.size) entries, a root that is not this tree's",
        remedy: "keep both: the line and the tree head prove that the log broke its promise",
        path: LedgerPath.history)
    }
    return signed
  }

  /// The note of a line, its signature checked.
  func signed(_ line: PublishedHead) throws(LedgerError) -> SignedTreeHead {
    do {
      return try line.signedHead(by: verifierKey)
    } catch {
      throw LedgerError(
        .badHistory, "the line for \(line.size) entries does not carry the log's signature",
        remedy: "fetch it again; the log's owner can restore it", path: LedgerPath.history,
        cause: error)
    }
  }
}
