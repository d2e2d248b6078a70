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

  /// There is one spelling of an envelope, so it is compared and cut, not parsed: what is between its fixed
  /// parts is the payload, the key ID and the signature.
  package init(parsing bytes: [UInt8]) throws(LedgerError) {
    guard bytes.count <= DSSEEnvelope.byteLimit else {
      throw LedgerError(
        .entryTooLong, "the envelope has \(bytes.count) bytes, the limit is 65,535",
        remedy: "name fewer tensors, chunks or checkpoints in it")
    }
    guard let parts = DSSEEnvelope.cut(bytes), let payload = Base64.decode(ascii: parts.payload),
      let keyID = Hex.decode(ascii: parts.keyID).flatMap({ Digest($0) }),
      let signature = Base64.decode(ascii: parts.signature),
      signature.count == VerifyingKey.signatureByteCount
    else {
      throw LedgerError(
        .badEnvelope, DSSEEnvelope.fault(of: bytes), remedy: "make it again with `pol publish`")
    }
    self.payload = payload
    self.keyID = keyID
    self.signature = signature
  }

  private static let beforePayload = Array(#"{"payload":""#.utf8)
  private static let beforeKeyID = Array(
    #"","payloadType":"\#(payloadType)","signatures":[{"keyid":""#.utf8)
  private static let beforeSignature = Array(#"","sig":""#.utf8)
  private static let end = Array(#""}]}"#.utf8)

  private static func cut(
    _ bytes: [UInt8]
  ) -> (payload: ArraySlice<UInt8>, keyID: ArraySlice<UInt8>, signature: ArraySlice<UInt8>)? {
    var rest = bytes[...]
    func take(_ fixed: [UInt8]) -> Bool {
      guard rest.starts(with: fixed) else { return false }
      rest = rest.dropFirst(fixed.count)
      return true
    }
    func text() -> ArraySlice<UInt8>? {
      guard let quote = rest.firstIndex(of: 34) else { return nil }
      defer { rest = rest[quote...] }
      return rest[..<quote]
    }
    guard take(beforePayload), let payload = text(), take(beforeKeyID), let keyID = text(),
      take(beforeSignature), let signature = text(), take(end), rest.isEmpty
    else { return nil }
    return (payload, keyID, signature)
  }

  /// What is wrong with bytes that are no envelope, in words; it decides nothing.
  private static func fault(of bytes: [UInt8]) -> String {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes, form: .canonical)
    } catch {
      return "at byte \(error.offset): \(error.reason)"
    }
    guard json.members?.map(\.key) == ["payload", "payloadType", "signatures"] else {
      return "its members are not exactly payload, payloadType and signatures"
    }
    guard json["payloadType"] == .string(payloadType) else {
      return "the payload type is not \(payloadType)"
    }
    guard let text = json["payload"]?.stringValue, Base64.decode(text) != nil else {
      return "the payload is not standard base64 with padding"
    }
    guard let signatures = json["signatures"]?.arrayValue, signatures.count == 1 else {
      return "there is not exactly one signature"
    }
    guard signatures[0].members?.map(\.key) == ["keyid", "sig"] else {
      return "the signature's members are not exactly keyid and sig"
    }
    guard let keyText = signatures[0]["keyid"]?.stringValue, Digest(hex: keyText) != nil else {
      return "the key ID is not 64 lower-case hexadecimal digits"
    }
    return "the signature is not base64 of 64 bytes"
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
