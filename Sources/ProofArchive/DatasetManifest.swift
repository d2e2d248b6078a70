internal import MerkleTrees
package import ProofPrimitives

/// The commitment to a dataset, held by whoever has all of it (`spec/dataset.md` §3, §4).
///
/// Memory: 64 bytes a point beside the points themselves.
package struct DatasetManifest: Sendable {
  package let points: [SaltedPoint]
  package let signatures: [Digest]
  private let tree: StoredTree

  /// - Parameter points: At most 2^32 - 1, in index order; none where no data is known.
  package init(points: [DataPoint], secret: DatasetSecret) {
    precondition(points.count <= Int(UInt32.max))
    self.init(
      salted: points.enumerated().map {
        SaltedPoint(salt: secret.salt(of: $0.offset), point: $0.element)
      })
  }

  /// From points that carry their salts.
  init(salted points: [SaltedPoint]) {
    self.points = points
    signatures = points.map(\.signature)
    tree = StoredTree(leafHashes: signatures.map { MerkleTree.leafHash(of: $0.bytes) })
  }

  package var root: Digest { tree.root }
  package var count: Int { points.count }

  /// The files of the manifest, by name in an archive that is not encrypted.
  package var files: [(name: String, bytes: [UInt8])] { files(nil) }

  /// The files of the manifest, by name in the archive.
  ///
  /// - Parameter sealer: Of an encrypted archive: each point is then an object of its own.
  func files(_ sealer: ArchiveSealer?) -> [(name: String, bytes: [UInt8])] {
    var body: [UInt8] = []
    var offsets = ByteWriter()
    for point in points {
      offsets.u64(UInt64(body.count))
      if let sealer {
        body +=
          EncryptedPoint(sealing: point.encoded, with: sealer.key, by: sealer.cipher).encoded
      } else {
        body += point.encoded
      }
    }
    offsets.u64(UInt64(body.count))
    var files = [(ArchiveFiles.points, body), (ArchiveFiles.offsets, offsets.bytes)]
    for (fileLevel, level) in stride(from: 0, to: tree.levels.count, by: 8).enumerated() {
      var bytes: [UInt8] = []
      for hash in tree.levels[level] { hash.append(to: &bytes) }
      if !bytes.isEmpty { files.append((ArchiveFiles.tree(level: fileLevel), bytes)) }
    }
    return files.map { (name: $0.0, bytes: $0.1) }
  }

  /// RFC 6962 root over the signatures of `indices`, in this order (`spec/archive.md` §3.3).
  package func signatureRoot(of indices: some Sequence<UInt32>) -> Digest {
    ProofArchive.signatureRoot(of: indices.map { signatures[Int($0)] })
  }
}

/// RFC 6962 root whose leaf data are dataset signatures.
package func signatureRoot(of signatures: [Digest]) -> Digest {
  signatureRoot(ofLeafHashes: signatures.map { MerkleTree.leafHash(of: $0.bytes) })
}

/// The same from the leaf hashes that `tree.0` holds.
func signatureRoot(ofLeafHashes leaves: [Digest]) -> Digest {
  MerkleTree.root(ofLeafHashes: leaves)
}
