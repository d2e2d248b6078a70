import ProofPrimitives

/// The base URL of a server's objects, checked and without its trailing slashes.
struct HTTPLocation: Sendable {
  let base: String
  /// A server on this machine is never asked through a proxy.
  let isLoopback: Bool

  static let byteLimit = 2048

  /// - Throws: `.malformed` for anything but `http[s]://host[:port][/path]` in printed ASCII. A user
  ///   name or password is refused because the location is written into reports and messages.
  init(_ url: String) throws(StorageError) {
    func refusal(_ message: String, _ remedy: String) -> StorageError {
      // The URL is not repeated: it may hold a password.
      StorageError(.malformed, at: "the URL", message, remedy: remedy)
    }
    let lowered = url.lowercased()
    let scheme = ["http://", "https://"].first { lowered.hasPrefix($0) }
    guard let scheme else {
      throw refusal("it is neither http nor https", "start it with https://")
    }
    let bytes = Array(url.utf8)
    guard bytes.count <= Self.byteLimit, bytes.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 92 })
    else {
      throw refusal(
        "it is longer than \(Self.byteLimit) bytes, or holds a space, a backslash, or a character "
          + "that is not ASCII", "percent-encode such characters")
    }
    let rest = String(decoding: bytes[scheme.utf8.count...], as: UTF8.self)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard !authority.contains("@") else {
      throw refusal(
        "it holds a user name or a password, which would end up in reports",
        "use a server that needs none, or a proxy of your own that adds them")
    }
    guard !rest.contains("?"), !rest.contains("#") else {
      throw refusal("it holds a query or a fragment", "give only the part before ? and #")
    }
    guard !authority.isEmpty, !authority.hasPrefix(":") else {
      throw refusal("the host is missing", "write it as https://host/path")
    }
    var base = scheme + rest
    while base.hasSuffix("/") { base.removeLast() }
    self.base = base

    let host =
      authority.hasPrefix("[")
      ? authority.prefix { $0 != "]" }.dropFirst() : authority.prefix { $0 != ":" }
    isLoopback = host == "localhost" || host == "::1" || host.hasPrefix("127.")
  }

  /// The URL of an object; every byte of a component but RFC 3986's unreserved ones is percent-encoded.
  func url(of name: ObjectName) -> String {
    name.components.reduce(base) { $0 + "/" + Self.encode($1) }
  }

  static func encode(_ component: String) -> String {
    component.utf8.reduce(into: "") { out, byte in
      switch byte {
      case 48...57, 65...90, 97...122, 45, 46, 95, 126:
        out.unicodeScalars.append(Unicode.Scalar(byte))
      default: out += "%" + Hex.encode([byte]).uppercased()
      }
    }
  }
}
