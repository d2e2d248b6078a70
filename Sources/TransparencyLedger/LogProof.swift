package import MerkleTrees
package import ProofPrimitives

/// Offline evidence that a log holds an entry (C2SP tlog-proof@v1; files end in `.tlog-proof`).
package struct LogProof: Hashable, Sendable {
  static let firstLine = "c2sp.org/tlog-proof@v1"
  /// The note's limit and room for the lines before it.
  package static let byteLimit = SignedNote.byteLimit + 98_304
  /// `extra` is nobody's word; it is bounded so that nobody is made to carry it.
  static let extraByteLimit = 65_535

  /// Not covered by any signature; what it says must prove itself.
  package let extra: [UInt8]?
  package let index: LeafIndex
  package let proof: InclusionProof
  package let note: SignedNote

  package init(
    index: LeafIndex, proof: InclusionProof, note: SignedNote, extra: [UInt8]? = nil
  ) {
    self.extra = extra
    self.index = index
    self.proof = proof
    self.note = note
  }

  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    func bad(_ reason: String) -> LedgerError {
      LedgerError(.badProof, reason, remedy: "ask the log for the receipt again")
    }
    guard bytes.count <= LogProof.byteLimit else { throw bad("the proof is too long") }
    // Header lines hold no empty line, so the first one ends them; the note may hold more.
    guard
      let newline = bytes.indices.dropLast().first(where: { bytes[$0] == 10 && bytes[$0 + 1] == 10 }
      ), let header = String(validating: bytes[..<newline], as: UTF8.self)
    else { throw bad("no empty line stands before the tree head") }
    var lines = header.utf8.split(separator: 10, omittingEmptySubsequences: false)
      .map { String(Substring($0)) }[...]
    guard lines.popFirst()?.utf8.elementsEqual(LogProof.firstLine.utf8) == true else {
      throw bad("the first line is not \(LogProof.firstLine)")
    }
    var extra: [UInt8]?
    if let line = lines.first, line.utf8.starts(with: "extra ".utf8) {
      lines.removeFirst()
      guard let decoded = Base64.decode(Substring(line.utf8.dropFirst(6))),
        decoded.count <= LogProof.extraByteLimit
      else { throw bad("the extra line is not base64 of at most 65,535 bytes") }
      extra = decoded
    }
    guard let line = lines.popFirst(), line.utf8.starts(with: "index ".utf8),
      let index = decimal(Substring(line.utf8.dropFirst(6)))
    else { throw bad("the index line is missing or its number is malformed") }
    guard lines.count <= InclusionProof.hashLimit else { throw bad("it has too many hashes") }
    var hashes: [Digest] = []
    for line in lines {
      guard let decoded = Base64.decode(line), let hash = Digest(decoded) else {
        throw bad("hash \(hashes.count + 1) is not base64 of 32 bytes")
      }
      hashes.append(hash)
    }
    self.init(
      index: LeafIndex(index), proof: InclusionProof(hashes: hashes),
      note: try SignedNote(parsing: Array(bytes[(newline + 2)...])), extra: extra)
  }

  package var encoded: [UInt8] {
    var lines = [LogProof.firstLine]
    if let extra { lines.append("extra \(Base64.encode(extra))") }
    lines.append("index \(index)")
    lines += proof.hashes.map { Base64.encode($0.bytes) }
    return Array((lines.joined(separator: "\n") + "\n\n").utf8) + note.encoded
  }

  /// Checks, without the log, that `entry` stands at `index` of a tree that `key` signed, and the
  /// policy's witnesses too.
  ///
  /// - Returns: The tree head that covers the entry.
  @discardableResult
  package func verify(
    entry: [UInt8], by key: NoteVerifierKey, origin: String, policy: LedgerPolicy? = nil
  ) throws(LedgerError) -> SignedTreeHead {
    try verify(
      leafHash: MerkleTree.leafHash(of: entry), by: key, origin: origin, policy: policy)
  }

  @discardableResult
  package func verify(
    leafHash: Digest, by key: NoteVerifierKey, origin: String, policy: LedgerPolicy? = nil
  ) throws(LedgerError) -> SignedTreeHead {
    let signed = try SignedTreeHead(note: note, by: key, policy: policy)
    guard signed.head.origin.utf8.elementsEqual(origin.utf8) else {
      throw LedgerError(
        .wrongOrigin,
        "the receipt is of \(printable(signed.head.origin)), not of \(printable(origin))",
        remedy: "use a receipt of the log that is meant")
    }
    guard
      proof.isValid(
        leafHash: leafHash, index: index, size: signed.head.size, root: signed.head.root)
    else {
      throw LedgerError(
        .proofMismatch, "the entry is not at index \(index) of the signed tree",
        remedy: "check that entry and receipt belong together; ask the log for the receipt again")
    }
    return signed
  }
}
