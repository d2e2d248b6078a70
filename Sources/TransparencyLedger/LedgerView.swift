package import MerkleTrees
package import ProofPrimitives

/// A ledger as one signed tree head shows it. Whatever is answered has been checked against that
/// head; what cannot be checked is an error that says whether bytes were missing or damaged.
package struct LedgerView: Sendable {
  package let source: any LedgerSource
  package let verifierKey: NoteVerifierKey
  package let signedHead: SignedTreeHead
  /// What heads and receipts of this ledger are judged by beside the log's signature.
  package let policy: LedgerPolicy?

  package var head: TreeHead { signedHead.head }

  /// Takes the head that the ledger now serves.
  package init(
    source: any LedgerSource, verifierKey: NoteVerifierKey, policy: LedgerPolicy? = nil
  ) throws(LedgerError) {
    let bytes = try source.required(LedgerPath.treeHead, limit: SignedNote.byteLimit)
    self.init(
      source: source, verifierKey: verifierKey,
      signedHead: try SignedTreeHead(parsing: bytes, by: verifierKey, policy: policy),
      policy: policy)
  }

  /// Takes the head that the ledger now serves, by whichever of the policy's logs signed it.
  package init(source: any LedgerSource, policy: LedgerPolicy) throws(LedgerError) {
    let bytes = try source.required(LedgerPath.treeHead, limit: SignedNote.byteLimit)
    let note = try SignedNote(parsing: bytes)
    let key = try policy.logKey(of: note)
    self.init(
      source: source, verifierKey: key,
      signedHead: try SignedTreeHead(note: note, by: key, policy: policy), policy: policy)
  }

  /// Looks at the ledger as an earlier head showed it; files may be newer.
  package init(
    source: any LedgerSource, verifierKey: NoteVerifierKey, signedHead: SignedTreeHead,
    policy: LedgerPolicy? = nil
  ) {
    self.source = source
    self.verifierKey = verifierKey
    self.signedHead = signedHead
    self.policy = policy
  }

  /// A reader of nodes for a batch of proofs; it reads each tile once.
  func nodes() -> TileNodeReader<LedgerTiles> {
    TileNodeReader(size: head.size, source: LedgerTiles(source: source))
  }

  /// The root of the first `size` entries, checked to be a beginning of this head's tree.
  package func root(at size: TreeSize) throws(LedgerError) -> Digest {
    try root(at: size, nodes())
  }

  func root(
    at size: TreeSize, _ nodes: TileNodeReader<LedgerTiles>
  ) throws(LedgerError) -> Digest {
    guard size <= head.size, let proof = try nodes.consistencyProof(from: size, to: head.size)
    else { throw beyond("a tree of \(size) entries") }
    let root = try nodes.root(size: size)
    guard
      proof.isValid(oldSize: size, oldRoot: root, newSize: head.size, newRoot: head.root)
    else { throw LedgerView.damagedTiles("the tree of \(size) entries") }
    return root
  }

  /// The way from an entry to the root at `size`, checked; and the entry's leaf hash.
  package func inclusionProof(
    index: LeafIndex, size: TreeSize
  ) throws(LedgerError) -> (leafHash: Digest, proof: InclusionProof) {
    let nodes = nodes()
    let root = try root(at: size, nodes)
    return try inclusionProof(index: index, size: size, root: root, nodes)
  }

  func inclusionProof(
    index: LeafIndex, size: TreeSize, root: Digest, _ nodes: TileNodeReader<LedgerTiles>
  ) throws(LedgerError) -> (leafHash: Digest, proof: InclusionProof) {
    guard size <= head.size, let proof = try nodes.inclusionProof(index: index, size: size) else {
      throw beyond("entry \(index)")
    }
    let leafHash = try nodes.node(at: NodePosition(level: 0, index: index.value))
    guard proof.isValid(leafHash: leafHash, index: index, size: size, root: root) else {
      throw LedgerView.damagedTiles("entry \(index)")
    }
    return (leafHash, proof)
  }

  /// Evidence that this head's tree begins with that of an older one, whose root is not consulted.
  package func consistencyProof(from size: TreeSize) throws(LedgerError) -> ConsistencyProof {
    guard let proof = try nodes().consistencyProof(from: size, to: head.size) else {
      throw beyond("a tree of \(size) entries")
    }
    return proof
  }

  /// The receipt of an entry, against this head.
  package func receipt(_ index: LeafIndex) throws(LedgerError) -> LogProof {
    let (_, proof) = try inclusionProof(index: index, size: head.size, root: head.root, nodes())
    return LogProof(index: index, proof: proof, note: signedHead.note)
  }

  private func beyond(_ what: String) -> LedgerError {
    LedgerError(
      .beyondHead, "\(what) is not covered by the tree head, which has \(head.size) entries",
      remedy: "fetch a newer tree head")
  }

  static func damagedTiles(_ what: String) -> LedgerError {
    LedgerError(
      .damagedTile, "the tiles of \(what) do not add up to the signed root",
      remedy: "fetch them again; the log's owner finds the tile with `pol ledger audit`")
  }
}

/// Tiles as a ledger serves them; checked for their length only.
struct LedgerTiles: TileSource {
  let source: any LedgerSource

  func hashes(ofTile coordinate: TileCoordinate) throws(LedgerError) -> [Digest] {
    // A partial tile may be gone once the full one is there, whose beginning it is.
    let fullByteCount = TileCoordinate.fullWidth * Digest.byteCount
    var found = coordinate
    var bytes = try source.read(path: coordinate.path, limit: fullByteCount)
    if bytes == nil, !coordinate.isFull {
      found = coordinate.full
      bytes = try source.read(path: found.path, limit: fullByteCount)
    }
    guard let bytes else {
      throw LedgerError(
        .missing, "the ledger does not serve this tile",
        remedy: "try again later; if it stays missing, the log withholds it",
        path: coordinate.path)
    }
    guard bytes.count == found.width * Digest.byteCount else {
      throw LedgerError(
        .damagedTile,
        "the tile has \(bytes.count) bytes instead of \(found.width * Digest.byteCount)",
        remedy: "fetch it again; the log's owner can restore it", path: found.path)
    }
    return (0..<coordinate.width).compactMap {
      Digest(bytes[$0 * Digest.byteCount..<($0 + 1) * Digest.byteCount])
    }
  }
}
