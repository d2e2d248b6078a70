package import Cryptography
import ProofPrimitives

/// The name of a note's key: not empty, no Unicode space, no plus sign, no control character
/// (C2SP signed-note, "Format").
func isNoteKeyName(_ name: String) -> Bool {
  !name.isEmpty
    && name.unicodeScalars.allSatisfy {
      $0.value >= 32 && $0 != "+" && !$0.properties.isWhitespace
    }
}

/// A public key that checks notes: `<name>+<key ID in hex>+<base64(type || key)>` (C2SP
/// signed-note, "Verifier keys"). Only type 1, Ed25519, is taken.
package struct NoteVerifierKey: Hashable, Sendable, CustomStringConvertible {
  static let ed25519Type: UInt8 = 1
  /// Longer names are an attack on whoever prints them.
  static let textByteLimit = 1024

  package let name: String
  package let key: VerifyingKey
  /// The first four bytes of SHA-256(name || 0x0A || type || key), big-endian. It finds a key and
  /// proves nothing.
  package let keyID: UInt32

  package init(name: String, key: VerifyingKey) throws(LedgerError) {
    guard isNoteKeyName(name), name.utf8.count <= NoteVerifierKey.textByteLimit else {
      throw LedgerError(
        .badKey, "a log's name is not empty and holds no space, plus sign or control character",
        remedy: "choose a name such as example.org/log")
    }
    self.name = name
    self.key = key
    let digest = SHA256.hash(
      Array(name.utf8) + [10, NoteVerifierKey.ed25519Type] + key.rawBytes)
    keyID = digest.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Reads the text form; white space at its ends is the file's, not the key's, and is left to the
  /// caller.
  package init(text: String) throws(LedgerError) {
    let remedy = "copy the line again from the log's `vkey` file"
    guard text.utf8.count <= NoteVerifierKey.textByteLimit else {
      throw LedgerError(.badKey, "the verifier key is too long", remedy: remedy)
    }
    // Base64 may itself hold plus signs: only the first two separate.
    let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let id = Hex.decode(String(parts[1])), id.count == 4,
      let material = Base64.decode(parts[2])
    else {
      throw LedgerError(
        .badKey, "a verifier key is name+8 hex digits+base64 with padding", remedy: remedy)
    }
    guard material.first == NoteVerifierKey.ed25519Type,
      let key = VerifyingKey(rawBytes: material.dropFirst())
    else {
      throw LedgerError(
        .badKey, "the verifier key is not of type 1 with 32 bytes, Ed25519", remedy: remedy)
    }
    try self.init(name: String(parts[0]), key: key)
    guard id == keyIDBytes else {
      throw LedgerError(
        .badKey, "the key ID \(parts[1]) is not that of the name and key", remedy: remedy)
    }
  }

  var keyIDBytes: [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: keyID >> $0) }
  }

  package var description: String {
    let material = Base64.encode([NoteVerifierKey.ed25519Type] + key.rawBytes)
    return "\(name)+\(Hex.encode(keyIDBytes))+\(material)"
  }
}

/// A private key that signs notes under a name.
package struct NoteSigner: Sendable {
  private let key: SigningKey
  package let verifierKey: NoteVerifierKey

  package init(name: String, key: SigningKey) throws(LedgerError) {
    verifierKey = try NoteVerifierKey(name: name, key: key.verifyingKey)
    self.key = key
  }

  /// Signing is deterministic: the same text always gets the same line.
  func sign(_ text: [UInt8]) throws(LedgerError) -> NoteSignature {
    do {
      return NoteSignature(
        name: verifierKey.name, keyID: verifierKey.keyID, bytes: try key.signature(over: text))
    } catch {
      throw LedgerError(
        .cryptography, "the note could not be signed", remedy: error.remedy, cause: error)
    }
  }
}
