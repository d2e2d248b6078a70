/// Why bytes could not be read or written.
package struct StorageError: Error, Sendable, CustomStringConvertible {
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    package let description: String
    private init(_ description: String) { self.description = description }

    /// The object, or the asked range of it, is not there.
    package static let missing = Code("missing")
    /// The bytes are not what their length, checksum or digest says.
    package static let damaged = Code("damaged")
    /// The bytes break a rule of the format.
    package static let malformed = Code("malformed")
    /// A version or codec that this build does not know.
    package static let unsupported = Code("unsupported")
    /// Larger than a stated limit.
    package static let limit = Code("limit")
    /// The operating system or the server failed.
    package static let io = Code("io")
    /// Something stands where something new should, and is not replaced.
    package static let present = Code("present")
    /// A key or a grant of another archive.
    package static let otherArchive = Code("otherArchive")
    /// A key or a grant of another key epoch.
    package static let otherEpoch = Code("otherEpoch")
    /// A grant for another seal over the archive.
    package static let otherSeal = Code("otherSeal")
    /// A key that is not the one that the seal commits to.
    package static let wrongKey = Code("wrongKey")
    /// The grant holds no key for what is asked for.
    package static let outsideGrant = Code("outsideGrant")
    /// A folder that holds parts of an archive does not hold this one.
    package static let notHeld = Code("notHeld")
    /// The server gives objects whole alone, and this one is too large to take for a part of it.
    package static let noRanges = Code("noRanges")
    /// Somebody else holds the lock.
    package static let locked = Code("locked")

    /// Whether bytes could not be had that may be whole where they are.
    package var isUnread: Bool { self == .io || self == .noRanges }
  }

  package let code: Code
  /// File path or URL, and where in it.
  package let place: String
  package let message: String
  package let remedy: String

  package init(_ code: Code, at place: String, _ message: String, remedy: String) {
    self.code = code
    self.place = place
    self.message = message
    self.remedy = remedy
  }

  package var description: String { "\(code) at \(place): \(message); \(remedy)" }
}
