import Cryptography
import MerkleTrees
package import ProofPrimitives

/// What a digest in an entry says of it; the raw value is the index's `kind` column.
package enum ClaimKind: String, CaseIterable, Sendable {
  case archiveID
  case archiveRoot
  case checkpointWeights
  case commitment
  case datasetRoot
  /// The entry's own leaf hash: how commitments and parents are named.
  case entry
  case model
  case proverKey
  case runSecret
  case sketch
  case tensor
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
    switch signed.statement {
    case .commitment(let statement):
      claims.insert(Claim(.datasetRoot, statement.datasetRoot))
      claims.insert(Claim(.runSecret, statement.runSecretDigest))
    case .proof(let statement):
      claims.insert(Claim(.archiveID, statement.archiveID))
      claims.insert(Claim(.archiveRoot, statement.archiveRoot))
      claims.insert(Claim(.commitment, statement.commitment))
      claims.insert(Claim(.datasetRoot, statement.datasetRoot))
      claims.insert(Claim(.model, statement.modelDigest))
      for digest in statement.checkpointWeights { claims.insert(Claim(.checkpointWeights, digest)) }
      for digest in statement.sketch { claims.insert(Claim(.sketch, digest)) }
      for digest in statement.tensors { claims.insert(Claim(.tensor, digest)) }
    case .other: break
    }
    return claims
  }
}
