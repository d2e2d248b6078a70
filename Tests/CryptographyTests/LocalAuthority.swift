import Foundation
import ProofPrimitives
import Testing

/// A time-stamping authority on this machine: `openssl ts`, with a root, an authority of certificates between,
/// and signers good and bad.
struct LocalAuthority {
  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "tsa-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try write("ca.cnf", LocalAuthority.configuration)
    for name in ["root.txt", "between.txt"] { try write(name, "") }
    try write("unique.attr", "unique_subject = no\n")
    for name in ["root.txt.attr", "between.txt.attr"] { try write(name, "unique_subject = no\n") }
    for name in [
      "root.serial", "between.serial", "tsa.serial", "root.crlnumber", "between.crlnumber",
    ] {
      try write(name, "1000\n")
    }
    for name in ["root", "stranger"] {
      try key(name)
      // Valid long before now, which `req -x509` cannot make.
      try run(
        "req", "-new", "-key", "\(name).key", "-subj", "/CN=Root", "-config", "ca.cnf", "-out",
        "\(name).csr")
      try run(
        "ca", "-batch", "-selfsign", "-notext", "-config", "ca.cnf", "-name", name, "-extensions",
        "authority",
        "-keyfile", "\(name).key", "-startdate", "20200101000000Z", "-enddate", "20400101000000Z",
        "-in",
        "\(name).csr", "-out", "\(name).pem")
    }
    try key("between")
    try certify("between", by: "root", "authority", subject: "/CN=Between")
    try certify(keyOf: "tsa", "tsa", "stamping")
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  /// A signer with a key of its own.
  func certify(
    keyOf name: String, _ certificate: String, _ extensions: String,
    from start: String = "20200101000000Z", to end: String = "20400101000000Z"
  ) throws {
    if !FileManager.default.fileExists(atPath: "\(folder)/\(name).key") { try key(name) }
    try certify(certificate, by: "between", extensions, from: start, to: end, key: name)
  }

  func certify(
    _ name: String, by issuer: String, _ extensions: String, subject: String = "/CN=Stamps",
    from start: String = "20200101000000Z", to end: String = "20400101000000Z", key: String? = nil
  ) throws {
    try run(
      "req", "-new", "-key", "\(key ?? name).key", "-subj", subject, "-config", "ca.cnf", "-out",
      "\(name).csr")
    try run(
      "ca", "-batch", "-notext", "-config", "ca.cnf", "-name", issuer, "-extensions", extensions,
      "-startdate",
      start, "-enddate", end, "-in", "\(name).csr", "-out", "\(name).pem")
  }

  func key(_ name: String, bits: Int? = nil) throws {
    if let bits {
      try run("genrsa", "-out", "\(name).key", "\(bits)")
    } else {
      try run("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", "\(name).key")
    }
  }

  /// The authority's answer to a request.
  func reply(_ request: [UInt8], section: String = "stamps") throws -> [UInt8] {
    try write("query", bytes: request)
    try run(
      "ts", "-reply", "-config", "ca.cnf", "-section", section, "-queryfile", "query", "-signer",
      "tsa.pem",
      "-inkey", "tsa.key", "-chain", "between.pem", "-out", "reply")
    return try read("reply")
  }

  /// What a token signs, signed anew.
  func sign(
    _ info: [UInt8], by signers: [String] = ["tsa"], hash: String = "sha256",
    namesSigner: Bool = true
  ) throws -> [UInt8] {
    try write("info", bytes: info)
    var arguments = [
      "cms", "-sign", "-binary", "-nodetach", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-md",
      hash,
      "-in", "info", "-outform", "DER", "-out", "token", "-certfile", "between.pem",
    ]
    if namesSigner { arguments.append("-cades") }
    for signer in signers {
      // Signers whose certificate is another for the authority's key.
      let key = FileManager.default.fileExists(atPath: "\(folder)/\(signer).key") ? signer : "tsa"
      arguments += ["-signer", "\(signer).pem", "-inkey", "\(key).key"]
    }
    try run(arguments)
    return try read("token")
  }

  /// What a token signs.
  func info(of token: [UInt8]) throws -> [UInt8] {
    try write("token", bytes: token)
    try run("cms", "-verify", "-noverify", "-inform", "DER", "-in", "token", "-out", "info")
    return try read("info")
  }

  func certificate(_ name: String) throws -> [UInt8] {
    try run("x509", "-in", "\(name).pem", "-outform", "DER", "-out", "der")
    return try read("der")
  }

  /// A revocation list, after what was revoked.
  func revocationList(by issuer: String, extensions: String = "plain") throws -> [UInt8] {
    try run(
      "ca", "-gencrl", "-config", "ca.cnf", "-name", issuer, "-crldays", "3650", "-crlexts",
      extensions, "-out",
      "crl.pem")
    try run("crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl")
    return try read("crl")
  }

  func revoke(_ name: String, by issuer: String, reason: String? = nil) throws {
    try run(
      ["ca", "-config", "ca.cnf", "-name", issuer, "-revoke", "\(name).pem"]
        + (reason.map { ["-crl_reason", $0] } ?? []))
  }

  func write(_ name: String, _ text: String) throws { try write(name, bytes: Array(text.utf8)) }

  func write(_ name: String, bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(filePath: "\(folder)/\(name)"))
  }

  func read(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
  }

  func run(_ arguments: String...) throws { try run(arguments) }

  func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = arguments
    process.currentDirectoryURL = URL(filePath: folder)
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    try #require(
      process.terminationStatus == 0, "openssl \(arguments.joined(separator: " ")): \(text)")
  }

  private static let configuration = """
    [req]
    distinguished_name = names
    [names]
    [authority]
    basicConstraints = critical,CA:TRUE
    keyUsage = critical,keyCertSign,cRLSign
    subjectKeyIdentifier = hash
    [stamping]
    extendedKeyUsage = critical,timeStamping
    keyUsage = critical,digitalSignature
    [lax]
    extendedKeyUsage = timeStamping
    [many]
    extendedKeyUsage = critical,timeStamping,codeSigning
    [none]
    keyUsage = critical,digitalSignature
    [plain]
    authorityKeyIdentifier = keyid
    [part]
    issuingDistributionPoint = critical,@users
    [users]
    onlyuser = TRUE
    [root]
    database = root.txt
    serial = root.serial
    crlnumber = root.crlnumber
    new_certs_dir = .
    certificate = root.pem
    private_key = root.key
    default_md = sha256
    policy = anything
    [between]
    database = between.txt
    serial = between.serial
    crlnumber = between.crlnumber
    new_certs_dir = .
    certificate = between.pem
    private_key = between.key
    default_md = sha256
    policy = anything
    [stranger]
    database = root.txt
    serial = root.serial
    crlnumber = root.crlnumber
    new_certs_dir = .
    certificate = stranger.pem
    private_key = stranger.key
    default_md = sha256
    policy = anything
    [anything]
    commonName = supplied
    [tsa]
    default_tsa = stamps
    [stamps]
    serial = tsa.serial
    default_policy = 1.2.3.4.1
    signer_digest = sha256
    digests = sha256, sha512
    accuracy = secs:1, millisecs:500, microsecs:100
    ess_cert_id_alg = sha256
    [picky]
    serial = tsa.serial
    default_policy = 1.2.3.4.1
    signer_digest = sha256
    digests = sha512
    ess_cert_id_alg = sha256
    """
}
