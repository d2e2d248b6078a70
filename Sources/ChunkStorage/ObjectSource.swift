/// What was asked of a store so far.
package struct TransferCount: Sendable, Equatable {
  package var requests: Int
  package var bytes: Int

  package init(requests: Int = 0, bytes: Int = 0) {
    self.requests = requests
    self.bytes = bytes
  }
}

/// Where the files of an archive or a ledger are read from: a directory, or a server.
///
/// Names are relative, made by our own code from a fixed set (`/` between folders), never taken from
/// what was read. All bytes are a stranger's: whoever reads checks digests before use.
package protocol ObjectSource: Sendable {
  /// For messages: a path or URL.
  var location: String { get }

  /// Byte count of an object, nil when there is none.
  func byteCount(of name: String) throws(StorageError) -> Int?

  /// Exactly the bytes of `range`. An object that ends before is `.missing`, never a short answer.
  func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8]

  /// The whole object, refused when it is larger than `limit` (before it is held in memory).
  /// Nil when there is none.
  func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]?

  /// Requests and bytes since the source was made.
  var transfer: TransferCount { get }
}
