import ProofPrimitives

/// The source that a user's word stands for: an `http://` or `https://` URL, else a directory.
package func openObjectSource(_ location: String) throws(StorageError) -> any ObjectSource {
  let scheme = location.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
  guard !scheme.isEmpty, location[scheme.endIndex...].hasPrefix("://") else {
    return try DirectoryObjectSource(location)
  }
  switch scheme.lowercased() {
  case "http", "https": return try HTTPObjectSource(location)
  default:
    throw StorageError(
      .unsupported, at: printable(location), "only directories and http or https servers are read",
      remedy: "give a path, or a URL that starts with https://")
  }
}
