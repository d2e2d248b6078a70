import ArgumentParser
import ChunkStorage
import Glibc
import ProofArchive
import ProofPrimitives

/// Where bytes of a remote archive are kept for the next run. Off unless asked for: a report then says
/// what a verification really fetches.
struct CacheOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep what is fetched in this folder, for the next run.", valueName: "folder"))
  var cache: String?
  @Option(
    help: ArgumentHelp(
      "Keep at most this much, in ~/.cache/pol unless --cache says where.", valueName: "MiB"))
  var cacheSize: Int?
  @OptionGroup var storeOptions: StoreOptions

  /// 1 GiB holds the sampled segments of several archives.
  private static let defaultMebibytes = 1024

  func validate() throws {
    guard let cacheSize else { return }
    guard (1...(1 << 24)).contains(cacheSize) else {
      throw ValidationError("--cache-size is between 1 and 16777216 MiB")
    }
  }

  /// The source of an archive, behind the cache if one was asked for and something is far away.
  func open(_ location: String) throws -> any ObjectSource {
    let source = try storeOptions.open(location)
    guard cache != nil || cacheSize != nil, !source.isNear else { return source }
    let folder = try CacheFolder(
      try path(), byteLimit: (cacheSize ?? CacheOptions.defaultMebibytes) << 20)
    return CachingObjectSource(source, in: folder, anchor: ArchiveFiles.seal)
  }

  /// `$XDG_CACHE_HOME/pol`, else `~/.cache/pol` (XDG Base Directory Specification).
  private func path() throws(StorageError) -> String {
    if let cache { return cache }
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    if let base = variable("XDG_CACHE_HOME") { return base + "/pol" }
    if let home = variable("HOME") { return home + "/.cache/pol" }
    throw StorageError(
      .missing, at: "the environment", "neither XDG_CACHE_HOME nor HOME names a folder",
      remedy: "give --cache")
  }
}

extension ObjectSource {
  /// Runs `body`; if it ends badly, what the cache holds of this archive may be why, and is dropped.
  func dropping<Value>(
    if isBad: (Value) -> Bool = { _ in false }, _ body: () throws -> Value
  ) throws -> Value {
    do {
      let value = try body()
      if isBad(value) { (self as? CachingObjectSource)?.forget() }
      return value
    } catch {
      (self as? CachingObjectSource)?.forget()
      throw error
    }
  }
}
