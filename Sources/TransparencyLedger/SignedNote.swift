import Cryptography
import ProofPrimitives

/// One line under a note.
package struct NoteSignature: Hashable, Sendable {
  package let name: String
  package let keyID: UInt32
  /// What follows the key ID: for Ed25519, 64 bytes.
  package let bytes: [UInt8]

  var blob: [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: keyID >> $0) } + bytes
  }

  var line: String { "\u{2014} \(name) \(Base64.encode(blob))\n" }
}

/// A text and the signatures under it (C2SP signed-note).
///
/// Parsing checks the form only: until `verify` has passed, the text is a stranger's.
package struct SignedNote: Hashable, Sendable {
  /// Sixteen signatures must be taken, and the largest kind in use has 2.5 kB; this leaves room.
  package static let byteLimit = 262_144
  package static let signatureLimit = 64

  /// Ends in a newline, which is signed too.
  package let text: [UInt8]
  package let signatures: [NoteSignature]
  /// The exact bytes: what was parsed, or what readers will parse. Made once: a note goes into the receipt of
  /// each entry of a batch.
  package let encoded: [UInt8]

  init(text: [UInt8], signatures: [NoteSignature]) {
    self.text = text
    self.signatures = signatures
    encoded = text + [10] + signatures.flatMap { Array($0.line.utf8) }
  }

  /// Signs `text`, which the caller has made: it ends in a newline and holds no other control
  /// character.
  package init(signing text: [UInt8], by signer: NoteSigner) throws(LedgerError) {
    self.init(text: text, signatures: [try signer.sign(text)])
  }

  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    func bad(_ reason: String) -> LedgerError {
      LedgerError(.badNote, reason, remedy: "fetch the note again from the log")
    }
    guard bytes.count <= SignedNote.byteLimit else {
      throw bad("the note has more than \(SignedNote.byteLimit) bytes")
    }
    guard String(validating: bytes, as: UTF8.self) != nil else { throw bad("it is not UTF-8") }
    guard bytes.allSatisfy({ $0 >= 32 || $0 == 10 }) else {
      throw bad("a control character other than newline stands in it")
    }
    guard bytes.last == 10 else { throw bad("it does not end in a newline") }
    // The text may hold empty lines: the last one separates.
    guard
      let newline = bytes.indices.dropLast().last(where: { bytes[$0] == 10 && bytes[$0 + 1] == 10 })
    else { throw bad("no empty line separates text and signatures") }
    let text = Array(bytes[...newline])
    let lines = bytes[(newline + 2)...].split(separator: 10, omittingEmptySubsequences: false)
      .dropLast()
    guard !lines.isEmpty else { throw bad("no signature stands under it") }
    guard lines.count <= SignedNote.signatureLimit else {
      throw bad("more than \(SignedNote.signatureLimit) signatures stand under it")
    }
    var found: [NoteSignature] = []
    for line in lines {
      guard let signature = NoteSignature(line: line) else {
        throw bad("signature line \(found.count + 1) is malformed")
      }
      found.append(signature)
    }
    self.init(text: text, signatures: found)
  }

  /// The signatures by `keys`, at least one and all of them valid.
  ///
  /// A line whose name and key ID are not both known is ignored, as it must be for witnesses and
  /// new keys to appear. A line of a known key that does not verify sinks the note.
  @discardableResult
  package func verify(by keys: [NoteVerifierKey]) throws(LedgerError) -> [NoteSignature] {
    let valid = try signatures(by: keys).map(\.signature)
    guard !valid.isEmpty else {
      throw LedgerError(
        .unsigned, "no signature is by a key that is known here",
        remedy: "check that the verifier key is the log's own")
    }
    return valid
  }

  /// The lines by `keys`, each with the position of its key; none is fine.
  ///
  /// - Throws: `.badSignature` for a line of one of `keys` that does not verify.
  func signatures(
    by keys: [NoteVerifierKey]
  ) throws(LedgerError) -> [(position: Int, signature: NoteSignature)] {
    var valid: [(Int, NoteSignature)] = []
    for signature in signatures {
      guard let position = keys.firstIndex(where: { $0.isNamed(by: signature) }) else { continue }
      guard keys[position].isValid(signature, over: text) else {
        throw LedgerError(
          .badSignature, "the signature of \(printable(signature.name)) is not over this text",
          remedy: "fetch the note again; if it stays so, the signer or the way to it is altered")
      }
      valid.append((position, signature))
    }
    return valid
  }

  /// The first line of the text, which in a tree head is the origin. A stranger's word until `verify`
  /// has passed: good for choosing the keys to verify with.
  var firstLine: [UInt8] { Array(text.prefix { $0 != 10 }) }
}

extension NoteSignature {
  /// `— <name> <base64>` without its newline; nil when malformed.
  fileprivate init?(line: ArraySlice<UInt8>) {
    let dash: [UInt8] = [0xE2, 0x80, 0x94, 0x20]
    guard line.starts(with: dash) else { return nil }
    let parts = line.dropFirst(dash.count).split(separator: 32, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    let name = String(decoding: parts[0], as: UTF8.self)
    guard isNoteKeyName(name),
      let blob = Base64.decode(String(decoding: parts[1], as: UTF8.self)), blob.count > 4
    else { return nil }
    self.init(
      name: name, keyID: blob.prefix(4).reduce(0) { $0 << 8 | UInt32($1) },
      bytes: Array(blob.dropFirst(4)))
  }
}
