import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import LedgerService
import ProofPrimitives
import TransparencyLedger

/// Whom a reader believes about time. Nobody is believed by default.
struct TimeTrustOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Roots of time-stamping authorities that you believe, PEM or DER; may be repeated.",
      valueName: "file"))
  var tsaCa: [String] = []
  @Option(
    help: ArgumentHelp("Their revocation lists, PEM or DER; may be repeated.", valueName: "file"))
  var tsaCrl: [String] = []

  /// Nil without roots: tokens are named then, and not judged.
  func trust() throws -> TimestampTrust? {
    guard !tsaCa.isEmpty else { return nil }
    return TimestampTrust(
      roots: try tsaCa.flatMap { try TimeTrustOptions.load($0, .certificates) },
      revocationLists: try revocationLists())
  }

  func revocationLists() throws -> [[UInt8]] {
    try tsaCrl.flatMap { try TimeTrustOptions.load($0, .revocationLists) }
  }

  private static func load(_ path: String, _ kind: CertificateFile.Kind) throws -> [[UInt8]] {
    let bytes = try DurableFile.readWhole(
      path, limit: CertificateFile.byteLimit, followsSymlinks: true)
    return try CommandFailure.at(path) { try CertificateFile.parse(bytes, kind) }
  }
}

/// Whom a command asks for the time.
struct TimeAuthorityOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The time-stamping authority.", valueName: "url"))
  var authority: String?
  @Option(help: ArgumentHelp("The policy it has to work under; any without it.", valueName: "oid"))
  var policy: String?
  @Option(help: ArgumentHelp("How long it may be silent.", valueName: "seconds"))
  var timeout = TimeAuthority.usualPatience

  func validate() throws {
    guard (1...600).contains(timeout) else {
      throw ValidationError("--timeout is a number of seconds from 1 to 600")
    }
  }

  func open() throws -> TimeAuthority? {
    let policy = try policy.map { try TimestampPolicy($0) }
    return try authority.map { try TimeAuthority($0, policy: policy, silentSeconds: timeout) }
  }
}

/// Reads a token, or a reply of an authority that holds one.
func loadToken(_ path: String) throws -> TimestampToken {
  let bytes = try DurableFile.readWhole(
    path, limit: TimestampToken.byteLimit, followsSymlinks: true)
  return try CommandFailure.at(path) {
    do throws(TimestampError) {
      return try TimestampToken(der: bytes)
    } catch {
      if let token = try? TimestampRequest.token(inReply: bytes) { return token }
      throw error
    }
  }
}

/// A token from an authority, believed through the reader's roots where there are any.
///
/// - Returns: With what a later reader needs to judge it, of what was given.
func askedToken(
  over imprint: Digest, _ authority: TimeAuthority, _ trust: TimestampTrust?, _ output: Output
) throws -> (token: TimestampToken, standing: TimestampStanding?) {
  let token = try authority.token(over: imprint)
  let difference = token.time - Int64(time(nil))
  if abs(difference) > clockTolerance {
    output.hint(
      "the authority's clock and this machine's differ by \(abs(difference)) seconds: one is wrong")
  }
  guard let trust else {
    output.hint("nobody was said to be believed (--tsa-ca): who signed the token was not looked at")
    return (token, nil)
  }
  return (token, try token.check(trust))
}

/// Seconds: more than accuracy and the way of an answer explain.
private let clockTolerance: Int64 = 300
