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
/// signed-note, "Verifier keys").
package struct NoteVerifierKey: Hashable, Sendable, CustomStringConvertible {
  /// What a key signs, by its signature type. The type is part of the key ID, so the lines of one
  /// role are unknown lines to the other.
  package enum Role: UInt8, Sendable {
    /// Ed25519 over a note's text: a log.
    case log = 1
    /// A timestamped Ed25519 cosignature (C2SP tlog-cosignature): a witness.
    case cosigner = 4
  }

  /// Longer names are an attack on whoever prints them.
  static let textByteLimit = 1024

  package let name: String
  package let key: VerifyingKey
  package let role: Role
  /// The first four bytes of SHA-256(name || 0x0A || type || key), big-endian. It finds a key and
  /// proves nothing.
  package let keyID: UInt32

  package init(name: String, key: VerifyingKey, role: Role = .log) throws(LedgerError) {
    guard isNoteKeyName(name), name.utf8.count <= NoteVerifierKey.textByteLimit else {
      throw LedgerError(
        .badKey, "a key's name is not empty and holds no space, plus sign or control character",
        remedy: "choose a name such as example.org/log")
    }
    self.name = name
    self.key = key
    self.role = role
    let digest = SHA256.hash(Array(name.utf8) + [10, role.rawValue] + key.rawBytes)
    keyID = digest.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Reads the text form of a key of one role; white space at its ends is the file's, not the key's,
  /// and is left to the caller.
  package init(text: String, role: Role = .log) throws(LedgerError) {
    let remedy = "copy the line again from the owner's `vkey` file"
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
    guard material.first == role.rawValue, let key = VerifyingKey(rawBytes: material.dropFirst())
    else {
      throw LedgerError(
        .badKey, "the verifier key is not of type \(role.rawValue) with 32 bytes of Ed25519",
        remedy: remedy)
    }
    try self.init(name: String(parts[0]), key: key, role: role)
    guard id == keyIDBytes else {
      throw LedgerError(
        .badKey, "the key ID \(parts[1]) is not that of the name and key", remedy: remedy)
    }
  }

  var keyIDBytes: [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: keyID >> $0) }
  }

  package var description: String {
    let material = Base64.encode([role.rawValue] + key.rawBytes)
    return "\(name)+\(Hex.encode(keyIDBytes))+\(material)"
  }

  /// Whether a line says that it is by this key; names are compared byte for byte.
  func isNamed(by signature: NoteSignature) -> Bool {
    keyID == signature.keyID && name.utf8.elementsEqual(signature.name.utf8)
  }

  /// Whether what a line carries is this key's over a note's text, by the rule of its role.
  func isValid(_ signature: NoteSignature, over text: [UInt8]) -> Bool {
    switch role {
    case .log: key.isValid(signature.bytes, over: text)
    case .cosigner: Cosignature(signature)?.isValid(by: key, over: text) ?? false
    }
  }
}

/// A log's private key, which signs notes under a name. Witnesses have a `Cosigner`.
package struct NoteSigner: Sendable {
  private let key: SigningKey
  package let verifierKey: NoteVerifierKey

  package init(name: String, key: SigningKey) throws(LedgerError) {
    verifierKey = try NoteVerifierKey(name: name, key: key.verifyingKey)
    self.key = key
  }

  /// An entry in which the log itself speaks (`spec/statements.md` §10b).
  ///
  /// DSSE's signed bytes begin with `DSSEv1 ` and a note's text with the log's name, which has no space:
  /// neither signature is ever the other's.
  func entry(_ statement: [UInt8]) throws(LedgerError) -> [UInt8] {
    try LedgerEntry.signed(statement, by: key)
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
