package import MerkleTrees
import ProofPrimitives

extension LedgerView {
  /// The entries at `indices`, in that order, each checked to stand under the head at its index.
  ///
  /// Reads each bundle once, and nothing of it is kept but what was asked for.
  package func entries(at indices: [LeafIndex]) throws(LedgerError) -> [LocatedEntry] {
    let nodes = nodes()
    let hasher = TreeHasher()
    var found: [LeafIndex: LocatedEntry] = [:]
    for number in Set(indices.map { $0.value >> 8 }) {
      let (path, entries) = try bundle(number)
      for index in indices where index.value >> 8 == number && found[index] == nil {
        let position = Int(index.value & 255)
        guard position < entries.count else {
          throw LedgerError(.beyondHead, "there is no entry \(index)", remedy: "check the number")
        }
        let leafHash = hasher.leaf(entries[position])
        let (stored, _) = try inclusionProof(
          index: index, size: head.size, root: head.root, nodes)
        guard stored == leafHash else { throw LedgerView.damagedBundle(path, index) }
        found[index] = LocatedEntry(
          index: index, bytes: entries[position], leafHash: leafHash)
      }
    }
    return indices.compactMap { found[$0] }
  }
}

extension SignedNote {
  /// What lines under a note say of themselves. Nothing is checked: for showing, never for trusting.
  package struct StatedLine: Sendable {
    package let name: String
    package let keyID: UInt32
    /// Seconds since 1970, where the line has the form of a witness's.
    package let time: UInt64?
  }

  package var statedLines: [StatedLine] {
    signatures.map {
      StatedLine(name: $0.name, keyID: $0.keyID, time: Cosignature($0)?.time)
    }
  }
}
