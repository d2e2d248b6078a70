package import MerkleTrees
import ProofPrimitives

/// What a log sends a witness: its new tree head, and the proof that it goes on from the one that the
/// witness cosigned last (C2SP tlog-witness, `add-checkpoint`; `spec/witness.md` §4).
package struct AddCheckpointRequest: Hashable, Sendable {
  /// The lines before the note take less than 3 kB.
  package static let byteLimit = SignedNote.byteLimit + 4096
  static let hashLimit = 63

  package let oldSize: TreeSize
  package let proof: ConsistencyProof
  package let note: SignedNote

  package init(oldSize: TreeSize, proof: ConsistencyProof, note: SignedNote) {
    self.oldSize = oldSize
    self.proof = proof
    self.note = note
  }

  /// - Throws: `.badRequest`, and `.badNote` for the note in it.
  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    func bad(_ reason: String) -> LedgerError {
      LedgerError(.badRequest, reason, remedy: "send the body that tlog-witness describes")
    }
    guard bytes.count <= AddCheckpointRequest.byteLimit else { throw bad("the body is too long") }
    // Neither the old size nor a hash is an empty line, so the first one ends them.
    guard
      let newline = bytes.indices.dropLast().first(where: { bytes[$0] == 10 && bytes[$0 + 1] == 10 }
      )
    else { throw bad("no empty line stands before the tree head") }
    var lines = bytes[..<newline].split(separator: 10, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }[...]
    guard let first = lines.popFirst(), first.utf8.starts(with: "old ".utf8),
      let size = decimal(Substring(first.utf8.dropFirst(4)))
    else { throw bad("the first line is not `old` and a size") }
    guard lines.count <= AddCheckpointRequest.hashLimit else {
      throw bad("it has more than \(AddCheckpointRequest.hashLimit) hashes")
    }
    var hashes: [Digest] = []
    for line in lines {
      guard let decoded = Base64.decode(line), let hash = Digest(decoded) else {
        throw bad("hash \(hashes.count + 1) is not base64 of 32 bytes")
      }
      hashes.append(hash)
    }
    self.init(
      oldSize: TreeSize(size), proof: ConsistencyProof(hashes: hashes),
      note: try SignedNote(parsing: Array(bytes[(newline + 2)...])))
  }

  package var encoded: [UInt8] {
    let lines = ["old \(oldSize)"] + proof.hashes.map { Base64.encode($0.bytes) }
    return Array((lines.joined(separator: "\n") + "\n\n").utf8) + note.encoded
  }
}

/// What a witness answers, as HTTP carries it.
package struct WitnessAnswer: Hashable, Sendable {
  package static let textType = "text/plain; charset=utf-8"
  package static let sizeType = "text/x.tlog.size"

  package let status: Int
  package let contentType: String
  package let body: [UInt8]

  package init(status: Int, contentType: String = textType, body: [UInt8]) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }
}
