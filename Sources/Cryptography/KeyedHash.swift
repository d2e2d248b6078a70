internal import COpenSSL
package import ProofPrimitives

/// HMAC-SHA256 (RFC 2104) under one key, for many messages: the key is prepared once.
///
/// Not for two threads at once.
package final class KeyedHash {
  // Written once before any use and only read after; OpenSSL's fetched methods are thread-safe.
  nonisolated(unsafe) private static let method: OpaquePointer? = EVP_MAC_fetch(nil, "HMAC", nil)

  private let context: OpaquePointer

  package init(key: [UInt8]) {
    // Each of the three fails only when memory is out or OpenSSL has no HMAC: nothing here can go on
    // without it, and no input reaches it.
    guard let method = KeyedHash.method, let context = EVP_MAC_CTX_new(method) else {
      fatalError("OpenSSL cannot provide HMAC-SHA256")
    }
    self.context = context
    var name = Array("SHA256".utf8CString)
    let isReady = name.withUnsafeMutableBufferPointer { name in
      var parameters = [
        OSSL_PARAM_construct_utf8_string("digest", name.baseAddress, 0), OSSL_PARAM_construct_end(),
      ]
      return EVP_MAC_init(context, key, key.count, &parameters) == 1
    }
    guard isReady else { fatalError("OpenSSL cannot provide HMAC-SHA256") }
  }

  deinit { EVP_MAC_CTX_free(context) }

  package func digest(of message: [UInt8]) -> Digest {
    var out = [UInt8](repeating: 0, count: Digest.byteCount)
    var count = 0
    // Without a key the context begins again with the one that it has.
    guard EVP_MAC_init(context, nil, 0, nil) == 1,
      EVP_MAC_update(context, message, message.count) == 1,
      EVP_MAC_final(context, &out, &count, out.count) == 1, let digest = Digest(out)
    else { fatalError("OpenSSL cannot provide HMAC-SHA256") }
    return digest
  }
}
