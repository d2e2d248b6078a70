import ArgumentParser
import ChunkStorage
import Cryptography
import ProofArchive
import ProofPrimitives

/// What opens an encrypted archive: the prover's key file, or a grant and an age identity.
struct AccessOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The prover's content key.", valueName: "file"))
  var contentKey: String?
  @Option(help: ArgumentHelp("A grant that was made for you.", valueName: "file"))
  var grant: String?
  @Option(
    help: ArgumentHelp("Your age identity, for --grant; may be repeated.", valueName: "file"))
  var identity: [String] = []

  func validate() throws {
    guard contentKey == nil || grant == nil else {
      throw ValidationError("give --content-key or --grant")
    }
    guard identity.isEmpty == (grant == nil) else {
      throw ValidationError("--grant and --identity go together")
    }
  }

  func access() throws -> ArchiveAccess {
    if let contentKey { return .epochKey(try ContentKeyFile.read(contentKey)) }
    guard let grant else { return .none }
    var identities: [AgeIdentity] = []
    for path in identity {
      let bytes = try DurableFile.readWhole(
        path, limit: AgeIdentity.fileByteLimit, followsSymlinks: true)
      identities += try CommandFailure.at(path) { try AgeIdentity.parseFile(bytes) }
    }
    let file = try DurableFile.readWhole(
      grant, limit: AgeFile.armoredByteLimit, followsSymlinks: true)
    return try CommandFailure.at(grant) { .grant(try Grant(opening: file, with: identities)) }
  }
}
