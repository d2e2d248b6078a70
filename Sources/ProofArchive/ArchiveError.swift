package import ChunkStorage
internal import ProofPrimitives

/// Why an archive could not be read or written (`spec/archive.md` §8).
///
/// `malformed` or `limit` with `isSigned` is a statement of the prover's that breaks the format; all
/// else says that bytes are not there, are not those that were signed, or are not understood.
/// `place` begins with the file, by its name in the archive or whole path; after `, ` it says where.
package struct ArchiveError: Error, Sendable, CustomStringConvertible {
  package typealias Code = StorageError.Code

  package let code: Code
  package let place: String
  package let message: String
  package let remedy: String
  /// Whether the bytes matched a digest that the prover signed, so that the fault is the prover's.
  package let isSigned: Bool

  package init(
    _ code: Code, at place: String, _ message: String,
    remedy: String = "fetch the archive again, or run `pol check` to list what is intact",
    isSigned: Bool = false
  ) {
    self.code = code
    self.place = place
    self.message = message
    self.remedy = remedy
    self.isSigned = isSigned
  }

  package init(_ error: StorageError) {
    self.init(error.code, at: error.place, error.message, remedy: error.remedy)
  }

  package var description: String { "\(code) at \(place): \(message); \(remedy)" }
}

/// Turns a storage error into an archive error.
func storing<Value>(
  _ body: () throws(StorageError) -> Value
) throws(ArchiveError) -> Value {
  do throws(StorageError) { return try body() } catch { throw ArchiveError(error) }
}

/// Turns a parsing error into an archive error at `place`.
func parsing<Value>(
  _ place: String, isSigned: Bool = false,
  _ body: () throws(ParsingError) -> Value
) throws(ArchiveError) -> Value {
  do throws(ParsingError) {
    return try body()
  } catch {
    let code: ArchiveError.Code =
      switch error.kind {
      case .malformed: .malformed
      case .unsupported: .unsupported
      case .damaged: .damaged
      case .limit: .limit
      }
    // What this reader does not know, and what changed, is nobody's false statement.
    let isSigned = isSigned && (code == .malformed || code == .limit)
    throw ArchiveError(
      code, at: "\(place), byte \(error.offset)", error.reason,
      remedy: isSigned
        ? "the prover signed this: ask for a corrected archive"
        : "fetch the archive again, or run `pol check` to list what is intact",
      isSigned: isSigned)
  }
}

extension ObjectSource {
  /// The bytes of `range`; a file that ends before is damaged, and only a whole one is missing
  /// (`spec/archive.md` §8).
  func bytes(of name: String, _ range: Range<Int>) throws(ArchiveError) -> [UInt8] {
    do throws(StorageError) {
      return try read(name, range: range)
    } catch {
      guard error.code == .missing,
        let found = try storing({ () throws(StorageError) in try byteCount(of: name) })
      else { throw ArchiveError(error) }
      throw ArchiveError(
        .damaged, at: "\(location)/\(name)",
        "bytes \(range.lowerBound)..<\(range.upperBound) are named and there are \(found)")
    }
  }
}

extension ObjectSource {
  /// The bytes of several ranges in one round trip, as `bytes(of:_:)` reads one.
  func allBytes(of ranges: [(name: String, range: Range<Int>)]) throws(ArchiveError) -> [[UInt8]] {
    do throws(StorageError) {
      let answers = try readTogether(
        ranges.map { ObjectRequest($0.name, .range($0.range)) })
      return answers.map { $0 ?? [] }
    } catch {
      guard error.code == .missing else { throw ArchiveError(error) }
      // One of them is cut or gone: the one at fault says how.
      var answers: [[UInt8]] = []
      for item in ranges { answers.append(try bytes(of: item.name, item.range)) }
      return answers
    }
  }
}
