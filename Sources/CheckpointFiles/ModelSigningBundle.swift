internal import ChunkStorage
package import Cryptography
internal import Glibc
internal import ProofPrimitives

/// A signature over the files of a folder that the OpenSSF's `model_signing` verifies: a Sigstore
/// bundle v0.3 with a DSSE envelope around an in-toto statement (`spec/conversion.md` §7).
package enum ModelSigningBundle {
  /// What `model_signing` leaves out by itself.
  private static let gitNames = [".git", ".gitattributes", ".github", ".gitignore"]
  /// A published model has tens of files; each costs some 150 bytes of the bundle.
  private static let fileLimit = 100_000
  private static let depthLimit = 32
  private static let payloadType = "application/vnd.in-toto+json"

  /// The bundle for all regular files beneath `folder`.
  ///
  /// - Parameter signatureName: The name in `folder` under which the bundle will stand, if it will: it
  ///   cannot cover itself.
  /// - Throws: `.malformed` for a link or a device, `.missing` for an empty folder.
  /// - Complexity: Every file is read once.
  package static func make(
    folder: String, signatureName: String?, key: P256SigningKey
  ) throws(CheckpointFileError) -> [UInt8] {
    let ignored = gitNames + (signatureName.map { [$0] } ?? [])
    var names: [String] = []
    try list(folder, "", ignored: ignored, into: &names, depth: 0)
    guard !names.isEmpty else {
      throw CheckpointFileError(
        .missing, at: folder, "the folder has no files to sign", remedy: "export a checkpoint first"
      )
    }
    names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let root = SHA256()
    var resources: [JSONValue] = []
    for name in names {
      let digest = try hash("\(folder)/\(name)")
      root.update(digest.bytes)
      resources.append(
        .map([
          ("algorithm", .string("sha256")), ("digest", .string(digest.hex)),
          ("name", .string(name)),
        ]))
    }
    let statement = JSONValue.map([
      ("_type", .string("https://in-toto.io/Statement/v1")),
      (
        "subject",
        .array([
          .map([
            ("digest", .map([("sha256", .string(root.finish().hex))])),
            ("name", .string(try folderName(folder))),
          ])
        ])
      ),
      ("predicateType", .string("https://model_signing/signature/v1.0")),
      (
        "predicate",
        .map([
          (
            "serialization",
            .map([
              ("method", .string("files")), ("hash_type", .string("sha256")),
              ("allow_symlinks", .bool(false)),
              ("ignore_paths", .array(ignored.map { .string($0) })),
            ])
          ),
          ("resources", .array(resources)),
        ])
      ),
    ])
    return try bundle(statement.encoded, key)
  }

  private static func bundle(
    _ payload: [UInt8], _ key: P256SigningKey
  ) throws(CheckpointFileError) -> [UInt8] {
    // DSSE's pre-authentication encoding: type and payload, each with its length.
    let head = "DSSEv1 \(payloadType.utf8.count) \(payloadType) \(payload.count) "
    let signature: [UInt8]
    let hint: Digest
    do throws(CryptographyError) {
      signature = try key.signature(over: Array(head.utf8) + payload)
      hint = SHA256.hash(try key.publicPEM())
    } catch {
      throw CheckpointFileError(.io, at: "the signing key", error.message, remedy: error.remedy)
    }
    let json = JSONValue.map([
      ("mediaType", .string("application/vnd.dev.sigstore.bundle.v0.3+json")),
      (
        "verificationMaterial",
        .map([
          ("publicKey", .map([("hint", .string(hint.hex))])), ("tlogEntries", .array([])),
        ])
      ),
      (
        "dsseEnvelope",
        .map([
          ("payload", .string(Base64.encode(payload))), ("payloadType", .string(payloadType)),
          (
            "signatures",
            .array([
              .map([("keyid", .string("")), ("sig", .string(Base64.encode(signature)))])
            ])
          ),
        ])
      ),
    ])
    return json.encoded
  }

  private static func list(
    _ folder: String, _ prefix: String, ignored: [String], into names: inout [String], depth: Int
  ) throws(CheckpointFileError) {
    let entries = try FileFolder(prefix.isEmpty ? folder : "\(folder)/\(prefix.dropLast())")
    guard entries.unnamedCount == 0, depth < depthLimit else {
      throw CheckpointFileError(
        .unsupported, at: entries.path,
        "a file's name is no plain text, or the folders are more than \(depthLimit) deep",
        remedy: "sign a folder that an export wrote")
    }
    for name in entries.names where !(prefix.isEmpty && ignored.contains(name)) {
      if entries.isRegular(name) {
        names.append(prefix + name)
        guard names.count <= fileLimit else {
          throw CheckpointFileError(
            .limit, at: folder, "the folder has more than \(fileLimit) files",
            remedy: "sign a folder that an export wrote")
        }
      } else if entries.isRealFolder(name) {
        try list(folder, "\(prefix)\(name)/", ignored: ignored, into: &names, depth: depth + 1)
      } else {
        throw CheckpointFileError(
          .malformed, at: "\(entries.path)/\(name)", "this is a link or no file",
          remedy: "copy the folder with the files themselves")
      }
    }
  }

  private static func hash(_ path: String) throws(CheckpointFileError) -> Digest {
    let file = try storing { () throws(StorageError) in try RandomAccessFile(path) }
    let hasher = SHA256()
    var offset = 0
    while offset < file.byteCount {
      let end = min(offset + (1 << 20), file.byteCount)
      let piece = try storing { [offset] () throws(StorageError) in
        try file.bytes(offset..<end)
      }
      hasher.update(piece)
      offset = end
    }
    return hasher.finish()
  }

  /// The folder's own name, also where the path is `.` or ends with a link.
  private static func folderName(_ path: String) throws(CheckpointFileError) -> String {
    guard let real = realpath(path, nil) else {
      throw CheckpointFileError(
        .missing, at: path, "the folder is not there", remedy: "check the path")
    }
    defer { free(real) }
    return FileFolder.lastComponent(String(cString: real))
  }
}
