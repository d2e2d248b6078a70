import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import ProofPrimitives

struct Keygen: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an Ed25519 key pair.",
    discussion: """
      The private key goes to FILE (mode 0600), the public one beside it to FILE with `.pub.pem` \
      for `.pem`. Neither replaces a file that stands there.

      Example:
        pol keygen --out key.pem
      """)

  @Option(help: ArgumentHelp("Where the private key goes.", valueName: "file"))
  var out = "key.pem"
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let publicPath = (out.hasSuffix(".pem") ? String(out.dropLast(4)) : out) + ".pub.pem"
      // Before the private key is made, so that never one of the two stands alone.
      guard access(publicPath, F_OK) != 0 else {
        throw CommandFailure(
          code: "io", place: printable(publicPath),
          message: "something stands here already and is not replaced",
          remedy: "choose another path with --out, or move it away")
      }
      let key = try SigningKey.generate()
      try DurableFile.write(Array(key.pem.utf8), to: out, mode: 0o600, replaces: false)
      try DurableFile.write(Array(key.verifyingKey.pem.utf8), to: publicPath, replaces: false)
      let identity = key.verifyingKey
      output.rows([
        ("private key", printable(out)), ("public key", printable(publicPath)),
        ("public bytes", Hex.encode(identity.rawBytes)), ("key id", identity.keyID.hex),
      ])
      output.document(
        "pol-keygen/1",
        [
          ("privateKey", .string(out)), ("publicKey", .string(publicPath)),
          ("publicBytes", .string(Hex.encode(identity.rawBytes))),
          ("keyID", .string(identity.keyID.hex)),
        ])
      output.hint("keep \(printable(out)) secret: whoever has it signs in your name")
      return 0
    }
  }
}
