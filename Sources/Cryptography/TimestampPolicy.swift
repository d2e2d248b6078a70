internal import COpenSSL
internal import ProofPrimitives

/// The rules that an authority is asked to work under (RFC 3161 §2.4.1, `reqPolicy`): an object identifier.
package struct TimestampPolicy: Hashable, Sendable {
  /// Dotted numbers, in their one spelling.
  package let text: String
  let der: [UInt8]

  /// Keeps a request below 128 bytes, whose length is one byte then; identifiers in use have 10 to 20.
  static let byteLimit = 60

  /// - Parameter text: Such as `1.2.3.4.1`.
  package init(_ text: String) throws(TimestampError) {
    guard text.utf8.count <= 200, text.utf8.allSatisfy({ $0 == 46 || (48...57).contains($0) }),
      let object = OBJ_txt2obj(text, 1)
    else {
      ERR_clear_error()
      throw TimestampPolicy.bad(text)
    }
    defer { ASN1_OBJECT_free(object) }
    var der = [UInt8](repeating: 0, count: max(0, Int(i2d_ASN1_OBJECT(object, nil))))
    der.withUnsafeMutableBufferPointer { bytes in
      var cursor = bytes.baseAddress
      if cursor != nil { _ = i2d_ASN1_OBJECT(object, &cursor) }
    }
    guard !der.isEmpty, der.count <= TimestampPolicy.byteLimit else {
      throw TimestampPolicy.bad(text)
    }
    // OpenSSL reads more spellings than it writes: "1..2", leading zeros.
    guard TimestampToken.dotted(object) == text else { throw TimestampPolicy.bad(text) }
    self.der = der
    self.text = text
  }

  private static func bad(_ text: String) -> TimestampError {
    TimestampError(
      .badToken, "\(printable(text)) is no object identifier of at most 60 bytes",
      remedy: "write a policy as dotted numbers, such as 1.2.3.4.1")
  }
}
