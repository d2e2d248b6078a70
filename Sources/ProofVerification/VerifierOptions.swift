package import MerkleTrees
package import ProofArchive
package import ProofPrimitives
package import TransparencyLedger

/// What a verifier asks for.
package struct VerifierOptions: Sendable {
  /// The chance to catch `forgedFraction` that the uniform draw must reach.
  package var confidence = Share(billionths: 999_000_000)
  package var forgedFraction = Share(billionths: 50_000_000)
  /// Budgets for the whole run of the largest and the smallest relative updates.
  package var largest = 8
  package var smallest = 4
  /// Re-executes every segment.
  package var isFull = false
  /// 32 bytes that nobody knew before the archive was fixed.
  package var nonce: [UInt8] = []
  /// The challenge on the ledger that the draw is made from; nil draws privately. Without `nonce`, the one that
  /// a verdict has revealed is taken.
  package var challenge: LeafIndex?
  package var policy = Policy.verifierDefault
  /// Takes a start that nothing proves for "verified" all the same.
  package var acceptsUnprovedStart = false
  /// What opens an encrypted archive.
  package var access = ArchiveAccess.none
  /// The tensors of the file that is claimed to be the model; nil when only the archive is judged.
  package var model: [Tensor]?
  /// Whether the log's key came from somebody the verifier trusts, and not from the log itself.
  package var isLogKeyPinned = true
  /// The receipt that came with the proof; nil when none did.
  package var receipt: LogProof?
  /// The archives behind rival claims that this verifier refuted.
  package var refutedRivals: Set<RefutedRival> = []
  /// For tests that show that each check is what catches a cheat; empty in every other use.
  package var disabled: Set<Defence> = []

  package init() {}
}

/// An archive that was refuted: only its own signer's claim on it falls.
///
/// An archive root alone would not do: anybody can seal another's records again, and have that refuted.
package struct RefutedRival: Hashable, Sendable {
  /// ID of the key that sealed it.
  package let keyID: Digest
  package let archiveRoot: Digest

  package init(keyID: Digest, archiveRoot: Digest) {
    self.keyID = keyID
    self.archiveRoot = archiveRoot
  }

  /// Nil unless the verdict is "refuted": what could not be decided may be withheld or damaged.
  package init?(_ verdict: Verdict) {
    guard verdict.answer == .refuted, let keyID = verdict.proverKey,
      let archiveRoot = verdict.archiveRoot
    else { return nil }
    self.init(keyID: keyID, archiveRoot: archiveRoot)
  }
}

/// The single defences that a test can take away, to see the cheat pass without it.
package enum Defence: String, CaseIterable, Sendable {
  case proverBinding
  case ledgerInclusion
  case headMemory
  case receipt
  case withdrawal
  case contested
  case commitment
  case anchors
  case challenge
  case policy
  case proverPolicy
  case schedule
  case gaps
  case continuity
  case initialWeights
  case initialOptimizer
  case batchOrder
  case learningRate
  case signatureRoot
  case weightsMatch
  case optimizerMatch
  case loss
  case norms
  case finite
  case finalModel
  case accuracy
}
