internal import ProofPrimitives

/// Who an age file is encrypted to: an X25519 public key, written `age1…` (C2SP age.md, "The X25519
/// recipient type").
package struct AgeRecipient: Hashable, Sendable, CustomStringConvertible {
  private static let prefix = "age"
  let publicKey: [UInt8]

  init(publicKey: [UInt8]) { self.publicKey = publicKey }

  /// Reads `age1…`, 62 lower-case characters.
  package init(_ text: String) throws(CryptographyError) {
    guard let bytes = Bech32.decode(text, prefix: AgeRecipient.prefix), bytes.count == 32 else {
      throw CryptographyError(
        .badKey, "\(printable(text, limit: 80)) is no age X25519 recipient",
        remedy: "give the `age1…` line that `age-keygen -y FILE` prints")
    }
    publicKey = bytes
  }

  package var description: String { Bech32.encode(prefix: AgeRecipient.prefix, publicKey) }
}

/// Who opens an age file: an X25519 private key, written `AGE-SECRET-KEY-1…`.
package struct AgeIdentity: Sendable {
  private static let prefix = "AGE-SECRET-KEY-"
  /// An identity file holds a handful of keys and comments; age-keygen writes 189 bytes.
  package static let fileByteLimit = 65_536
  /// A file with more was not written by a person or by age-keygen.
  package static let countLimit = 100

  let key: KeyAgreementKey
  package var recipient: AgeRecipient { AgeRecipient(publicKey: key.publicKey) }

  private init(key: KeyAgreementKey) { self.key = key }

  package static func generate() throws(CryptographyError) -> AgeIdentity {
    AgeIdentity(key: try .generate())
  }

  /// Reads `AGE-SECRET-KEY-1…`, 74 upper-case characters. The error does not repeat the text.
  package init(_ text: String) throws(CryptographyError) {
    guard let bytes = Bech32.decode(text, prefix: AgeIdentity.prefix), bytes.count == 32 else {
      throw CryptographyError(
        .badKey, "this is no age X25519 identity",
        remedy: "give the `AGE-SECRET-KEY-1…` line that `age-keygen` wrote")
    }
    key = try KeyAgreementKey(rawBytes: bytes)
  }

  /// The secret line itself: for a file of mode 0600, never for a log.
  package var secretText: String {
    Bech32.encode(prefix: AgeIdentity.prefix.lowercased(), key.rawBytes).uppercased()
  }

  /// An identity file as age-keygen writes it, less the time.
  package var fileText: String { "# public key: \(recipient)\n\(secretText)\n" }

  /// Reads an identity file: lines ending in LF, each a key, empty, or a comment that begins with `#`.
  ///
  /// - Returns: At least one identity, in the order of the file.
  package static func parseFile(_ bytes: [UInt8]) throws(CryptographyError) -> [AgeIdentity] {
    func refused(_ message: String) -> CryptographyError {
      CryptographyError(.badKeyFile, message, remedy: "make one with `age-keygen -o FILE`")
    }
    guard bytes.count <= fileByteLimit else {
      throw refused("an identity file has at most \(fileByteLimit) bytes")
    }
    var identities: [AgeIdentity] = []
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      guard !line.isEmpty, line.first != UInt8(ascii: "#") else { continue }
      guard let text = String(validating: line, as: UTF8.self),
        let identity = try? AgeIdentity(text)
      else { throw refused("line \(index + 1) is neither a comment nor an age X25519 identity") }
      guard identities.count < countLimit else {
        throw refused("an identity file has at most \(countLimit) identities")
      }
      identities.append(identity)
    }
    guard !identities.isEmpty else { throw refused("no identity is in the file") }
    return identities
  }
}

/// What is printed or dumped of an identity is its recipient.
extension AgeIdentity: CustomStringConvertible, CustomReflectable {
  package var description: String { "AgeIdentity(of \(recipient))" }
  package var customMirror: Mirror { Mirror(self, children: ["recipient": recipient]) }
}
