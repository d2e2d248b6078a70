/// What was asked of a store so far.
package struct TransferCount: Sendable, Equatable {
  /// Every try counts.
  package var requests: Int
  /// Body bytes that arrived.
  package var bytes: Int
  /// How often the reader waited for a server before it could go on: once for a question, however
  /// often it was asked again, and once for a whole `readTogether`. A directory has none.
  package var roundTrips: Int
  /// Body bytes that were sent.
  package var sentBytes: Int

  package init(requests: Int = 0, bytes: Int = 0, roundTrips: Int = 0, sentBytes: Int = 0) {
    self.requests = requests
    self.bytes = bytes
    self.roundTrips = roundTrips
    self.sentBytes = sentBytes
  }
}

/// One of several things to read that do not depend on each other.
package struct ObjectRequest: Sendable, Equatable {
  package enum Part: Sendable, Equatable {
    /// As `ObjectSource.readWhole`.
    case whole(limit: Int)
    /// As `ObjectSource.read`.
    case range(Range<Int>)
  }

  package let name: String
  package let part: Part

  package init(_ name: String, _ part: Part) {
    self.name = name
    self.part = part
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

  /// The answers to all requests, in their order; nil for a whole object that is not there. A source
  /// with a network behind it asks for them at the same time: one round trip.
  func readTogether(_ requests: [ObjectRequest]) throws(StorageError) -> [[UInt8]?]

  /// Whether reading costs no round trip, so that little at a time is as good as all at once.
  var isNear: Bool { get }
  /// Whether bytes that nobody wants may be asked for along with others, to save requests. False where
  /// what stands between may not be there.
  var joinsRanges: Bool { get }
  /// Whether the server was seen to answer a range with the whole object: then one object after another
  /// is best.
  var ignoresRanges: Bool { get }

  /// Requests and bytes since the source was made.
  var transfer: TransferCount { get }
}

extension ObjectSource {
  package var isNear: Bool { false }
  package var joinsRanges: Bool { true }
  package var ignoresRanges: Bool { false }

  package func readTogether(_ requests: [ObjectRequest]) throws(StorageError) -> [[UInt8]?] {
    var answers: [[UInt8]?] = []
    for request in requests {
      switch request.part {
      case .whole(let limit): answers.append(try readWhole(request.name, limit: limit))
      case .range(let range): answers.append(try read(request.name, range: range))
      }
    }
    return answers
  }
}
