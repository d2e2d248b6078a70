internal import ChunkStorage

/// One copy of an archive that is being repaired. What cannot be read of it is as if it were not there,
/// and the first reason is kept: nothing is believed that no digest confirms.
final class ArchiveCopy {
  let source: any ObjectSource
  private(set) var failure: ArchiveError?
  private var reader: ForwardReader?
  /// Lengths that were asked for: a server is asked once.
  private var byteCounts: [String: Int?] = [:]

  init(_ source: any ObjectSource) { self.source = source }

  var location: String { source.location }

  func byteCount(_ name: String) -> Int? {
    if let known = byteCounts[name] { return known }
    let found = askedByteCount(name)
    byteCounts[name] = .some(found)
    return found
  }

  private func askedByteCount(_ name: String) -> Int? {
    reading { () throws(ArchiveError) in
      try storing { () throws(StorageError) in try source.byteCount(of: name) }
    } ?? nil
  }

  /// Nil where the file has no such bytes.
  func bytes(_ name: String, _ range: Range<Int>) -> [UInt8]? {
    if reader?.name != name {
      guard let byteCount = byteCount(name) else { return nil }
      reader = ForwardReader(name, byteCount: byteCount, in: source)
    }
    guard var reader, range.lowerBound >= 0, range.upperBound <= reader.byteCount else {
      return nil
    }
    // Out of the property while it changes, so that its buffer is not copied.
    self.reader = nil
    defer { self.reader = reader }
    return reading { () throws(ArchiveError) in try reader.bytes(range) }
  }

  /// The whole file, or its beginning where it is longer than `limit`.
  func whole(_ name: String, limit: Int) -> [UInt8]? {
    byteCount(name).flatMap { bytes(name, 0..<min($0, limit)) }
  }

  private func reading<Value>(_ body: () throws(ArchiveError) -> Value) -> Value? {
    do throws(ArchiveError) {
      return try body()
    } catch {
      if error.code.isUnread, failure == nil { failure = error }
      return nil
    }
  }
}
