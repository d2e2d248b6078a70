import Cryptography
import MerkleTrees
package import ProofPrimitives

/// What a digest in an entry says of it; the raw value is the index's `kind` column.
package enum ClaimKind: String, CaseIterable, Sendable {
  case archiveID
  case archiveRoot
  case chainHead
  /// Leaf hash of the challenge that a verdict answers.
  case challenge
  case checkpointWeights
  case commitment
  case datasetRoot
  /// The entry's own leaf hash: how entries name each other.
  case entry
  /// What a hidden entry shows.
  case hiding
  case model
  /// Leaf hash of the hidden entry that a statement opens.
  case opens
  case parent
  /// Leaf hash of the proof that a part, a challenge or a verdict is about.
  case proof
  case proverKey
  case runSecret
  case seal
  case sketch
  case tensor
  /// The key that is withdrawn.
  case withdrawal
}

/// One digest that an entry can be found by.
package struct Claim: Hashable, Sendable {
  package let kind: ClaimKind
  package let digest: Digest

  package init(_ kind: ClaimKind, _ digest: Digest) {
    self.kind = kind
    self.digest = digest
  }
}

extension ParsedEntry {
  /// Everything an entry can be found by. Only what stands in the entry, so that an index of it can
  /// be made again from the bundles.
  package func claims(leafHash: Digest) -> Set<Claim> {
    var claims: Set<Claim> = [Claim(.entry, leafHash)]
    guard let signed else { return claims }
    if let key = Digest(signed.key.rawBytes) { claims.insert(Claim(.proverKey, key)) }
    func add(_ kind: ClaimKind, _ digests: Digest...) {
      for digest in digests { claims.insert(Claim(kind, digest)) }
    }
    switch signed.statement {
    case .anchor(let statement):
      add(.archiveID, statement.archiveID)
      add(.chainHead, statement.chainHead)
      add(.commitment, statement.commitment)
    case .challenge(let statement): add(.proof, statement.proof)
    case .commitment(let statement):
      add(.datasetRoot, statement.datasetRoot)
      add(.runSecret, statement.runSecretDigest)
    case .hidden(let statement): add(.hiding, statement.hidingDigest)
    case .proof(let statement):
      add(.archiveID, statement.archiveID)
      add(.archiveRoot, statement.archiveRoot)
      add(.commitment, statement.commitment)
      add(.datasetRoot, statement.datasetRoot)
      add(.model, statement.modelDigest)
      add(.seal, statement.sealDigest)
      for digest in statement.checkpointWeights { add(.checkpointWeights, digest) }
      for digest in statement.parents { add(.parent, digest) }
      for digest in statement.sketch { add(.sketch, digest) }
      for digest in statement.tensors { add(.tensor, digest) }
      if let opening = statement.opening { add(.opens, opening.hidden) }
    case .proofPart(let statement):
      add(.proof, statement.proof)
      for digest in statement.tensors { add(.tensor, digest) }
      if let opening = statement.opening { add(.opens, opening.hidden) }
    case .verdict(let statement):
      add(.proof, statement.proof)
      if !statement.challenge.isZero { add(.challenge, statement.challenge) }
    case .withdrawal: if let key = Digest(signed.key.rawBytes) { add(.withdrawal, key) }
    case .indexRoot, .logBegin, .logEnd, .other: break
    }
    return claims
  }
}
