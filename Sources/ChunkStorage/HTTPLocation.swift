import ProofPrimitives

/// The base URL of a server's objects, checked and without its trailing slashes.
struct HTTPLocation: Sendable {
  let base: String
  /// `scheme://host[:port]`.
  let origin: String
  /// `host[:port]`.
  let authority: String
  /// What follows the origin, percent-encoded by whoever wrote the URL; empty or with a slash first.
  let path: String
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
    origin = scheme + authority
    self.authority = String(authority)
    path = String(base.dropFirst(origin.count))

    let host =
      authority.hasPrefix("[")
      ? authority.prefix { $0 != "]" }.dropFirst() : authority.prefix { $0 != ":" }
    isLoopback = host == "localhost" || host == "::1" || host.hasPrefix("127.")
  }

  private init(_ server: HTTPLocation, path: String) {
    origin = server.origin
    authority = server.authority
    isLoopback = server.isLoopback
    self.path = path
    base = server.origin + path
  }

  /// Further down on the same server; every byte of a component but RFC 3986's unreserved ones is
  /// percent-encoded.
  func appending(_ components: [String]) -> HTTPLocation {
    HTTPLocation(self, path: components.reduce(path) { $0 + "/" + Self.encode($1) })
  }

  /// Where an object lies.
  func target(of name: ObjectName) -> HTTPTarget {
    HTTPTarget(origin: origin, path: appending(name.components).path)
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

  /// The text that `encode` made this of, also with `+` for a space; nil when it is none.
  static func decode(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        let digits = String(decoding: rest.prefix(2), as: UTF8.self).lowercased()
        guard let value = Hex.decode(digits)?.first else { return nil }
        bytes.append(value)
        rest = rest.dropFirst(2)
      default: bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
