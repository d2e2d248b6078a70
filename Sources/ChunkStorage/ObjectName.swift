import ProofPrimitives

/// A name that can only mean an object below the root of a source.
///
/// Names come from our own code, so a refusal here is a bug of the caller; it is an error and not a
/// trap, because a ledger or an archive decides which of those names are asked for.
struct ObjectName: Sendable {
  let components: [String]

  /// Ledger tiles have the deepest names, seven components at 2^40 entries.
  static let componentLimit = 8
  /// What file systems allow in one component.
  static let componentByteLimit = 255

  /// - Throws: `.malformed` for an absolute name, an empty component, `.`, `..` or a control character.
  init(_ name: String, in location: String) throws(StorageError) {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    let isSafe = parts.allSatisfy { part in
      !part.isEmpty && part != "." && part != ".." && part.utf8.count <= Self.componentByteLimit
        && part.utf8.allSatisfy { $0 >= 32 && $0 != 127 }
    }
    guard isSafe, parts.count <= Self.componentLimit else {
      throw StorageError(
        .malformed, at: printable(location, limit: 1000),
        "\"\(printable(name))\" is not the name of an object",
        remedy: "report this: names are made by pol itself")
    }
    components = parts
  }
}
