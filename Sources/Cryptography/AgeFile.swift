internal import ProofPrimitives

/// Files in the age v1 format (C2SP age.md), to X25519 recipients, whole in memory.
///
/// Not for large data: archives have their own encryption, and age carries their keys. ASCII armor is read
/// and never written; no passphrases; stanzas of other kinds are passed over as the format says. age does
/// not say who made a file: what is inside must be checked against something that is signed.
package enum AgeFile {
  /// The largest plaintext.
  package static let plaintextLimit = 64 << 20
  /// The largest file with such a plaintext.
  package static let byteLimit =
    AgeHeader.byteLimit + AgeStream.nonceByteCount + plaintextLimit
    + (plaintextLimit / AgeStream.chunkByteCount + 1) * AuthenticatedCipher.tagByteCount
  /// The same in ASCII armor, which is longer.
  package static let armoredByteLimit = AgeArmor.byteLimit(byteLimit)
  private static let fileKeyByteCount = 16
  private static let stanzaName = "X25519"
  private static let wrapInfo = Array("age-encryption.org/v1/X25519".utf8)
  private static let recipientLimit = 500

  /// Encrypts to all `recipients`: each can open it alone.
  ///
  /// - Throws: `.limit` for no recipient, too many or too large a plaintext; `.badKey` for a recipient
  ///   that is a point of low order.
  package static func encrypt(
    _ plaintext: [UInt8], to recipients: [AgeRecipient]
  ) throws(CryptographyError) -> [UInt8] {
    guard (1...recipientLimit).contains(recipients.count) else {
      throw CryptographyError(
        .limit, "an age file has 1 to \(recipientLimit) recipients, not \(recipients.count)",
        remedy: "make several files")
    }
    guard plaintext.count <= plaintextLimit else {
      throw CryptographyError(
        .limit, "at most \(plaintextLimit) bytes are encrypted with age here",
        remedy: "encrypt less at once")
    }
    let fileKey = randomBytes(fileKeyByteCount)
    var stanzas: [AgeHeader.Stanza] = []
    for recipient in recipients { stanzas.append(try wrap(fileKey, to: recipient)) }
    return AgeHeader.encoded(stanzas, fileKey: fileKey)
      + AgeStream.encrypt(plaintext, fileKey: fileKey)
  }

  /// The plaintext of a file that one of `identities` opens.
  ///
  /// - Parameter file: In binary form or in ASCII armor.
  /// - Throws: `.ageArmor` for armor, and `.badAgeFile` for a header or a stanza, that breaks the format;
  ///   `.noMatch` when no identity opens a stanza, `.ageHeaderMAC` and `.agePayload` for what was altered or
  ///   cut, `.limit`.
  package static func decrypt(
    _ file: [UInt8], with identities: [AgeIdentity]
  ) throws(CryptographyError) -> [UInt8] {
    try checkLimit(file, AgeArmor.isArmored(file) ? armoredByteLimit : byteLimit)
    let file = try binary(file)
    try checkLimit(file, byteLimit)
    let header = try parse(file)
    let fileKey = try fileKey(of: header, identities)
    // Compared in time that does not tell how much was right.
    guard isEqual(AgeHeader.mac(fileKey: fileKey, over: header.authenticated), header.mac) else {
      throw CryptographyError(
        .ageHeaderMAC, "the header is not the one that the file was made with",
        remedy: "fetch the file again")
    }
    let payload = file[header.byteCount...]
    guard payload.count >= AgeStream.nonceByteCount else {
      throw badFile("the payload's nonce is cut short")
    }
    return try AgeStream.decrypt(payload, fileKey: fileKey)
  }

  private static func checkLimit(_ file: [UInt8], _ limit: Int) throws(CryptographyError) {
    guard file.count <= limit else {
      throw CryptographyError(
        .limit, "an age file of \(file.count) bytes is over the limit of \(limit)",
        remedy: "check that this is the right file")
    }
  }

  /// The file without the armor that it may have.
  private static func binary(_ file: [UInt8]) throws(CryptographyError) -> [UInt8] {
    guard AgeArmor.isArmored(file) else { return file }
    do throws(ParsingError) {
      return try AgeArmor.decode(file)
    } catch {
      throw CryptographyError(
        .ageArmor, "\(error.reason) (byte \(error.offset))",
        remedy: "copy the text again, whole and unchanged, or ask for the file in binary form")
    }
  }

  private static func parse(_ file: [UInt8]) throws(CryptographyError) -> AgeHeader {
    do throws(ParsingError) {
      return try AgeHeader(parsing: file)
    } catch {
      let code: CryptographyError.Code =
        switch error.kind {
        case .unsupported: .unsupported
        case .limit: .limit
        case .malformed, .damaged: .badAgeFile
        }
      throw CryptographyError(
        code, "\(error.reason) (byte \(error.offset))", remedy: "fetch the file again")
    }
  }

  private static func badFile(_ message: String) -> CryptographyError {
    CryptographyError(.badAgeFile, message, remedy: "fetch the file again")
  }

  /// The body of a stanza: the file key under a key that only `recipient` can derive.
  private static func wrap(
    _ fileKey: [UInt8], to recipient: AgeRecipient
  ) throws(CryptographyError) -> AgeHeader.Stanza {
    let ephemeral = try KeyAgreementKey.generate()
    guard let shared = ephemeral.sharedSecret(with: recipient.publicKey) else {
      throw CryptographyError(
        .badKey, "\(recipient) is a point of low order: everybody could read the file",
        remedy: "ask the recipient for a key that `age-keygen` made")
    }
    let share = ephemeral.publicKey
    let key = hkdfSHA256(secret: shared, salt: share + recipient.publicKey, info: wrapInfo)
    // The key is used once, so its nonce may be zero.
    let body = AuthenticatedCipher(.chaCha20Poly1305).seal(
      fileKey[...], key: key.bytes, nonce: [UInt8](repeating: 0, count: 12), data: [])
    return AgeHeader.Stanza(arguments: [stanzaName, UnpaddedBase64.encode(share)], body: body)
  }

  private static func fileKey(
    of header: AgeHeader, _ identities: [AgeIdentity]
  ) throws(CryptographyError) -> [UInt8] {
    if header.stanzas.count > 1, header.stanzas.contains(where: { $0.arguments[0] == "scrypt" }) {
      throw badFile("a passphrase stands beside other recipients")
    }
    // Every X25519 stanza is held to the format, also those for others.
    var wrapped: [(share: [UInt8], body: [UInt8])] = []
    for stanza in header.stanzas where stanza.arguments[0] == stanzaName {
      guard stanza.arguments.count == 2,
        let share = UnpaddedBase64.decode(Array(stanza.arguments[1].utf8)[...]), share.count == 32,
        // Before any key is tried: a longer body could be made to open under many keys.
        stanza.body.count == fileKeyByteCount + AuthenticatedCipher.tagByteCount
      else { throw badFile("an X25519 stanza has another form than the format says") }
      wrapped.append((share, stanza.body))
    }
    let cipher = AuthenticatedCipher(.chaCha20Poly1305)
    for (share, body) in wrapped {
      for identity in identities {
        guard let shared = identity.key.sharedSecret(with: share) else {
          throw badFile("a stanza's share is a point of low order")
        }
        let key = hkdfSHA256(
          secret: shared, salt: share + identity.key.publicKey, info: wrapInfo)
        let nonce = [UInt8](repeating: 0, count: 12)
        if let fileKey = cipher.open(body[...], key: key.bytes, nonce: nonce, data: []) {
          return fileKey
        }
      }
    }
    throw CryptographyError(
      .noMatch, "the file is encrypted to none of the identities",
      remedy: "give the identity whose recipient the file was made for")
  }
}

extension CryptographyError.Code {
  /// An age file that breaks the format.
  package static let badAgeFile = CryptographyError.Code(name: "badAgeFile")
  /// ASCII armor that breaks the format.
  package static let ageArmor = CryptographyError.Code(name: "ageArmor")
  /// No identity opens the file.
  package static let noMatch = CryptographyError.Code(name: "noMatch")
  /// The header of an age file was altered.
  package static let ageHeaderMAC = CryptographyError.Code(name: "ageHeaderMAC")
  /// The payload of an age file was altered, cut or added to.
  package static let agePayload = CryptographyError.Code(name: "agePayload")
  package static let unsupported = CryptographyError.Code(name: "unsupported")
  package static let limit = CryptographyError.Code(name: "limit")
}
