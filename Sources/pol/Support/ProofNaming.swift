import ChunkStorage
import MerkleTrees
import ProofArchive
import ProofPrimitives
import TransparencyLedger

extension ClaimFinder {
  /// The proof that a user means by its entry's index or leaf hash.
  func proof(named text: String) throws -> LedgerMatch {
    let leafHash: Digest
    if let digest = Digest(hex: text) {
      leafHash = digest
    } else if let number = UInt64(text), "\(number)" == text {
      leafHash = try view.entry(LeafIndex(number)).leafHash
    } else {
      throw CommandFailure(
        code: "usage", place: printable(text), message: "this is neither an index nor a leaf hash",
        remedy: "find the entry with `pol lookup`")
    }
    guard let match = try matches([Claim(.entry, leafHash)]).first, match.signed?.isProof == true
    else {
      throw CommandFailure(
        code: "wrongKind", place: printable(text), message: "this names no proof on the ledger",
        remedy: "find the entry with `pol lookup`")
    }
    return match
  }

  /// The proof that an archive's own key has published of its seal; the first, if there are more.
  func proof(of archive: String, _ storeOptions: StoreOptions) throws -> LedgerMatch {
    let seal = try ArchiveReader.seal(in: try storeOptions.open(archive))
    let found = try matches([Claim(.seal, seal.digest)]).first { match in
      match.signed.map { $0.isProof && $0.key == seal.proverKey } ?? false
    }
    guard let found else {
      throw CommandFailure(
        code: "notPublished", place: printable(archive),
        message: "no entry of the ledger names this archive under its prover's key",
        remedy: "ask the prover to publish it (`pol publish`), or give the ledger it is on")
    }
    return found
  }
}
