internal import COpenSSL
internal import Glibc
package import ProofPrimitives

/// A time-stamping authority's word that a digest existed at a time (RFC 3161 §2.4.2): a CMS message.
///
/// Parsing says what the token says; `check` in `TimestampToken+Checking.swift` says whether to believe it.
package struct TimestampToken: Hashable, Sendable {
  /// Authorities' tokens have 1 to 10 kB, with their certificates; more belongs into no ledger entry.
  package static let byteLimit = 65_535

  /// DER of the ContentInfo, as it came.
  package let der: [UInt8]
  /// The SHA-256 that it is over; tokens over other hashes are refused.
  package let imprint: Digest
  /// Whole seconds since 1970, UTC; a fraction is cut.
  package let time: Int64
  /// The authority's own bound on how far `time` is off, in microseconds; nil where it gives none.
  package let accuracyMicroseconds: Int64?
  /// Big-endian, without leading zeros.
  package let serial: [UInt8]
  /// As the serial; nil where the request had none.
  package let nonce: [UInt8]?
  /// Under which the authority says it worked, as dotted numbers.
  package let policy: String

  package init(der: [UInt8]) throws(TimestampError) {
    let message = try TimestampMessage(der)
    self = try TimestampToken(der, message.info)
  }

  private init(_ der: [UInt8], _ info: OpaquePointer) throws(TimestampError) {
    self.der = der
    guard TS_TST_INFO_get_version(info) == 1 else {
      throw .badToken("the token's version is not 1")
    }
    guard let imprint = TS_TST_INFO_get_msg_imprint(info) else { throw .badToken("no imprint") }
    guard let algorithm = TS_MSG_IMPRINT_get_algo(imprint) else { throw .badToken("no imprint") }
    var object: OpaquePointer?
    X509_ALGOR_get0(&object, nil, nil, algorithm)
    guard OBJ_obj2nid(object) == NID_sha256 else {
      throw .badToken("the token is over another hash than SHA-256")
    }
    guard let text = TS_MSG_IMPRINT_get_msg(imprint),
      let digest = Digest(TimestampToken.bytes(text))
    else { throw .badToken("the token's digest has not 32 bytes") }
    self.imprint = digest
    guard let time = TimestampToken.seconds(TS_TST_INFO_get_time(info)) else {
      throw .badToken("the token's time is none")
    }
    self.time = time
    guard let serial = TimestampToken.magnitude(TS_TST_INFO_get_serial(info)) else {
      throw .badToken("the token's serial number is none")
    }
    self.serial = serial
    if let nonce = TS_TST_INFO_get_nonce(info) {
      guard let value = TimestampToken.magnitude(nonce) else {
        throw .badToken("the token's nonce is negative")
      }
      self.nonce = value
    } else {
      nonce = nil
    }
    for position in 0..<TS_TST_INFO_get_ext_count(info) {
      guard X509_EXTENSION_get_critical(TS_TST_INFO_get_ext(info, position)) == 0 else {
        throw .badToken("the token has a critical extension, and none is known here")
      }
    }
    policy = TimestampToken.dotted(TS_TST_INFO_get_policy_id(info))
    if let accuracy = TS_TST_INFO_get_accuracy(info) {
      guard let value = TimestampToken.microseconds(accuracy) else {
        throw .badToken("the token's accuracy is no length of time")
      }
      accuracyMicroseconds = value
    } else {
      accuracyMicroseconds = nil
    }
  }

  static func bytes(_ string: UnsafePointer<ASN1_STRING>) -> [UInt8] {
    guard let start = ASN1_STRING_get0_data(string) else { return [] }
    return Array(UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(string))))
  }

  /// Nil for a time that is no calendar's.
  static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
    guard let time else { return nil }
    var parts = tm()
    guard ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
    return Int64(timegm(&parts))
  }

  /// Nil for a negative number.
  private static func magnitude(_ number: UnsafePointer<ASN1_INTEGER>?) -> [UInt8]? {
    guard let number, let value = ASN1_INTEGER_to_BN(number, nil) else { return nil }
    defer { BN_free(value) }
    guard BN_is_negative(value) == 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(BN_num_bits(value) + 7) / 8)
    _ = BN_bn2bin(value, &bytes)
    return bytes
  }

  /// Accuracy ::= SEQUENCE { seconds, millis 1..999, micros 1..999 }, each optional.
  private static func microseconds(_ accuracy: OpaquePointer) -> Int64? {
    func part(_ number: UnsafePointer<ASN1_INTEGER>?, _ limit: Int) -> Int64? {
      guard let number else { return 0 }
      let value = ASN1_INTEGER_get(number)
      return (0...limit).contains(value) ? Int64(value) : nil
    }
    guard let seconds = part(TS_ACCURACY_get_seconds(accuracy), 1 << 32),
      let millis = part(TS_ACCURACY_get_millis(accuracy), 999),
      let micros = part(TS_ACCURACY_get_micros(accuracy), 999)
    else { return nil }
    return (seconds * 1000 + millis) * 1000 + micros
  }

  static func dotted(_ object: OpaquePointer?) -> String {
    guard let object else { return "" }
    var text = [CChar](repeating: 0, count: 256)
    let count = OBJ_obj2txt(&text, Int32(text.count), object, 1)
    guard count > 0, count < text.count else { return "" }
    return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// A token in OpenSSL's hands.
final class TimestampMessage {
  /// PKCS7.
  let content: UnsafeMutablePointer<PKCS7>
  /// TS_TST_INFO.
  let info: OpaquePointer

  init(_ der: [UInt8]) throws(TimestampError) {
    guard der.count <= TimestampToken.byteLimit else {
      throw .badToken("the token has \(der.count) bytes, over \(TimestampToken.byteLimit)")
    }
    var used = 0
    let content = der.withUnsafeBufferPointer { bytes -> UnsafeMutablePointer<PKCS7>? in
      var cursor = bytes.baseAddress
      let content = d2i_PKCS7(nil, &cursor, bytes.count)
      if let cursor, let start = bytes.baseAddress { used = cursor - start }
      return content
    }
    guard let content else {
      throw .badToken("it is no CMS message (\(TimestampError.lastReason() ?? "DER"))")
    }
    guard used == der.count else {
      PKCS7_free(content)
      throw .badToken("\(der.count - used) bytes follow the token")
    }
    guard let info = PKCS7_to_TS_TST_INFO(content) else {
      PKCS7_free(content)
      throw .badToken(
        "what is signed is no time-stamp (\(TimestampError.lastReason() ?? "content"))")
    }
    self.content = content
    self.info = info
  }

  deinit {
    TS_TST_INFO_free(info)
    PKCS7_free(content)
  }
}
