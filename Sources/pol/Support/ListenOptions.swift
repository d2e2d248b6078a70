import ArgumentParser

/// Where a service listens.
struct ListenOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where to listen; port 0 takes a free one. (default: 127.0.0.1:8080, a witness 8081)",
      valueName: "address:port"))
  var listen: String?

  func validate() throws { _ = try place(port: 0) }

  /// Host and port; an IPv6 address stands in brackets.
  ///
  /// - Parameter port: Where nothing was said.
  func place(port: Int) throws -> (host: String, port: Int) {
    guard let listen else { return ("127.0.0.1", port) }
    guard let colon = listen.lastIndex(of: ":"),
      let port = UInt16(listen[listen.index(after: colon)...])
    else { throw ValidationError("--listen is an address, a colon and a port up to 65535") }
    var host = listen[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    return (host.isEmpty ? "0.0.0.0" : String(host), Int(port))
  }

  static func url(_ host: String, _ port: Int) -> String {
    "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }
}
