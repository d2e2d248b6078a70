package import Cryptography
import ProofPrimitives

/// What a witness's line under a note carries: a time, and a signature over both time and text (C2SP
/// tlog-cosignature, "Ed25519 signed message"; `spec/witness.md` §2).
struct Cosignature {
  static let byteCount = 8 + VerifyingKey.signatureByteCount

  /// Seconds since 1970 on the witness's clock.
  let time: UInt64
  private let signature: ArraySlice<UInt8>

  /// Nil unless the line carries a time that a cosignature may have, and 64 bytes more.
  init?(_ line: NoteSignature) {
    guard line.bytes.count == Cosignature.byteCount else { return nil }
    time = line.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    guard Cosignature.isTime(time) else { return nil }
    signature = line.bytes.dropFirst(8)
  }

  func isValid(by key: VerifyingKey, over text: [UInt8]) -> Bool {
    key.isValid(signature, over: Cosignature.message(text, time: time))
  }

  /// Zero would mean that no time is stated; above 2^63 - 1 is not allowed.
  static func isTime(_ time: UInt64) -> Bool { time > 0 && time <= UInt64(Int64.max) }

  /// - Parameter text: A note's whole text, its final newline included.
  static func message(_ text: [UInt8], time: UInt64) -> [UInt8] {
    Array("cosignature/v1\ntime \(time)\n".utf8) + text
  }
}

/// A witness's private key, which cosigns notes under a name.
package struct Cosigner: Sendable {
  private let key: SigningKey
  package let verifierKey: NoteVerifierKey

  /// - Parameter key: Used for nothing else and under no other name: the name is not signed.
  package init(name: String, key: SigningKey) throws(LedgerError) {
    verifierKey = try NoteVerifierKey(name: name, key: key.verifyingKey, role: .cosigner)
    self.key = key
  }

  /// The line that says: at `time` this was the largest consistent tree head seen of its origin. The
  /// caller has made sure that it is.
  ///
  /// - Parameter time: Seconds since 1970.
  /// - Throws: `.badClock` for a time that no cosignature may carry.
  func cosign(_ text: [UInt8], time: UInt64) throws(LedgerError) -> NoteSignature {
    guard Cosignature.isTime(time) else {
      throw LedgerError(
        .badClock, "\(time) is not a time after 1970", remedy: "set the witness's clock")
    }
    do {
      let signature = try key.signature(over: Cosignature.message(text, time: time))
      let timeBytes = stride(from: 56, through: 0, by: -8).map {
        UInt8(truncatingIfNeeded: time >> UInt64($0))
      }
      return NoteSignature(
        name: verifierKey.name, keyID: verifierKey.keyID, bytes: timeBytes + signature)
    } catch {
      throw LedgerError(
        .cryptography, "the note could not be cosigned", remedy: error.remedy, cause: error)
    }
  }
}
