package import Cryptography
package import ProofPrimitives

/// A signed statement in the one form this ledger takes (`spec/ledger.md` §4): DSSE with exactly one
/// Ed25519 signature, in canonical JSON.
///
/// DSSE allows more (several signatures, URL-safe base64, other members, any key ID). All of it is
/// refused: two byte strings that say the same would be two entries.
package struct DSSEEnvelope: Hashable, Sendable {
  package static let payloadType = "application/vnd.in-toto+json"
  /// A bundle counts an entry's bytes in sixteen bits.
  package static let byteLimit = 65_535

  package let payload: [UInt8]
  /// SHA-256 of the key's SubjectPublicKeyInfo.
  package let keyID: Digest
  package let signature: [UInt8]

  package init(signing payload: [UInt8], by key: SigningKey) throws(LedgerError) {
    self.payload = payload
    keyID = key.verifyingKey.keyID
    do {
      signature = try key.signature(over: DSSEEnvelope.signedBytes(payload))
    } catch {
      throw LedgerError(
        .cryptography, "the statement could not be signed", remedy: error.remedy, cause: error)
    }
    guard encoded.count <= DSSEEnvelope.byteLimit else {
      throw LedgerError(
        .entryTooLong, "the signed statement has \(encoded.count) bytes, the limit is 65,535",
        remedy: "name fewer tensors, chunks or checkpoints in it")
    }
  }

  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    func bad(_ reason: String) -> LedgerError {
      LedgerError(.badEnvelope, reason, remedy: "make it again with `pol publish`")
    }
    guard bytes.count <= DSSEEnvelope.byteLimit else {
      throw LedgerError(
        .entryTooLong, "the envelope has \(bytes.count) bytes, the limit is 65,535",
        remedy: "name fewer tensors, chunks or checkpoints in it")
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes, form: .canonical)
    } catch {
      throw bad("at byte \(error.offset): \(error.reason)")
    }
    guard json.members?.map(\.key) == ["payload", "payloadType", "signatures"] else {
      throw bad("its members are not exactly payload, payloadType and signatures")
    }
    guard json["payloadType"] == .string(DSSEEnvelope.payloadType) else {
      throw bad("the payload type is not \(DSSEEnvelope.payloadType)")
    }
    guard let text = json["payload"]?.stringValue, let payload = Base64.decode(text) else {
      throw bad("the payload is not standard base64 with padding")
    }
    guard let signatures = json["signatures"]?.arrayValue, signatures.count == 1 else {
      throw bad("there is not exactly one signature")
    }
    guard signatures[0].members?.map(\.key) == ["keyid", "sig"] else {
      throw bad("the signature's members are not exactly keyid and sig")
    }
    guard let keyText = signatures[0]["keyid"]?.stringValue, let keyID = Digest(hex: keyText) else {
      throw bad("the key ID is not 64 lower-case hexadecimal digits")
    }
    guard let signatureText = signatures[0]["sig"]?.stringValue,
      let signature = Base64.decode(signatureText),
      signature.count == VerifyingKey.signatureByteCount
    else { throw bad("the signature is not base64 of 64 bytes") }
    self.payload = payload
    self.keyID = keyID
    self.signature = signature
  }

  /// The entry's bytes.
  package var encoded: [UInt8] {
    JSONValue.map([
      ("payload", .string(Base64.encode(payload))),
      ("payloadType", .string(DSSEEnvelope.payloadType)),
      (
        "signatures",
        .array([
          .map([("keyid", .string(keyID.hex)), ("sig", .string(Base64.encode(signature)))])
        ])
      ),
    ]).encoded
  }

  /// Checks that `key` is the one named, and that it signed the payload.
  package func verify(by key: VerifyingKey) throws(LedgerError) {
    guard key.keyID == keyID else {
      throw LedgerError(
        .wrongKeyID,
        "the envelope names the key \(keyID.short)…, the statement \(key.keyID.short)…",
        remedy: "ask the prover to publish again with one key")
    }
    guard key.isValid(signature, over: DSSEEnvelope.signedBytes(payload)) else {
      throw LedgerError(
        .badSignature, "the prover's signature is not over this payload",
        remedy: "fetch the entry again; if it stays so, it is not the prover's")
    }
  }

  /// DSSE's pre-authentication encoding: the type is signed with the payload, and both lengths, so
  /// that no other split of the bytes has the same signature.
  static func signedBytes(_ payload: [UInt8]) -> [UInt8] {
    let head = "DSSEv1 \(payloadType.utf8.count) \(payloadType) \(payload.count) "
    return Array(head.utf8) + payload
  }
}
