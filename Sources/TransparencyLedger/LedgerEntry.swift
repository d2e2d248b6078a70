package import Cryptography
import MerkleTrees
import ProofPrimitives

/// A statement whose envelope is in strict form and whose signature is by the key it names.
package struct SignedStatement: Hashable, Sendable {
  package let envelope: DSSEEnvelope
  package let key: VerifyingKey
  package let statement: LedgerStatement
}

/// What an entry turned out to be.
package enum ParsedEntry: Sendable {
  case signed(SignedStatement)
  /// Anything else. It has its place in the tree and claims nothing.
  case opaque(reason: LedgerError)

  package var signed: SignedStatement? {
    if case .signed(let statement) = self { statement } else { nil }
  }
}

/// The meaning of entry bytes, which the tree itself does not know.
package enum LedgerEntry {
  package static func parse(_ bytes: [UInt8]) -> ParsedEntry {
    do throws(LedgerError) {
      let envelope = try DSSEEnvelope(parsing: bytes)
      let (statement, key) = try LedgerStatement.parse(envelope.payload)
      try envelope.verify(by: key)
      return .signed(SignedStatement(envelope: envelope, key: key, statement: statement))
    } catch {
      return .opaque(reason: error)
    }
  }

  /// What makes two submissions the same entry: key and payload, and for opaque bytes the bytes.
  ///
  /// A signature is not part of it: whoever can alter one without breaking it must not get a second
  /// entry. Only a *valid* envelope has this identity, so garbage cannot take the place of a
  /// statement that comes later.
  static func identity(of bytes: [UInt8], _ parsed: ParsedEntry) -> Digest {
    switch parsed {
    case .signed(let signed):
      SHA256.hash(.entryIdentity, [1], signed.key.rawBytes, signed.envelope.payload)
    case .opaque: SHA256.hash(.entryIdentity, [0], bytes)
    }
  }

  /// A signed entry around a statement: the bytes to append.
  package static func signed(
    _ statementBytes: [UInt8], by key: SigningKey
  ) throws(LedgerError) -> [UInt8] {
    try DSSEEnvelope(signing: statementBytes, by: key).encoded
  }
}
