internal import Synchronization

/// Another source, of which answers can be asked for ahead: many together, in one round trip.
///
/// Asking ahead decides nothing. What was not there, or was cut, is asked for again when somebody wants
/// it, so that faults are found one by one, in the order in which a reader makes its checks. Staged whole
/// objects are given once; staged ranges, and all ranges inside of them, until they are discarded.
package final class StagedObjectSource: ObjectSource {
  private let base: any ObjectSource
  private let staged = Mutex(Staged())

  private struct Staged {
    /// Nil for an object that is not there.
    var wholes: [String: [UInt8]?] = [:]
    /// Ascending by their start, for each object.
    var ranges: [String: [Piece]] = [:]

    struct Piece {
      let range: Range<Int>
      let bytes: [UInt8]
    }

    func piece(_ name: String, _ range: Range<Int>) -> Piece? {
      guard let pieces = ranges[name] else { return nil }
      var low = 0
      var high = pieces.count
      while low < high {
        let middle = (low + high) / 2
        if pieces[middle].range.lowerBound <= range.lowerBound {
          low = middle + 1
        } else {
          high = middle
        }
      }
      guard low > 0, pieces[low - 1].range.upperBound >= range.upperBound else { return nil }
      return pieces[low - 1]
    }
  }

  package init(_ base: any ObjectSource) { self.base = base }

  package var location: String { base.location }
  package var ignoresRanges: Bool { base.ignoresRanges }
  package var isNear: Bool { base.isNear }
  package var joinsRanges: Bool { base.joinsRanges }
  package var transfer: TransferCount { base.transfer }

  /// Asks for what is not staged yet. Keeps nothing when one of the requests fails.
  ///
  /// - Throws: What `isUnread` alone: a server that does not answer is not asked twice.
  package func stage(_ requests: [ObjectRequest]) throws(StorageError) {
    let missing = requests.filter { !holds($0) }
    guard !missing.isEmpty else { return }
    let answers: [[UInt8]?]
    do throws(StorageError) {
      answers = try base.readTogether(missing)
    } catch {
      guard !error.code.isUnread else { throw error }
      return
    }
    staged.withLock { staged in
      var touched = Set<String>()
      for (request, bytes) in zip(missing, answers) {
        switch request.part {
        case .whole: staged.wholes[request.name] = .some(bytes)
        case .range(let range):
          guard let bytes else { continue }
          staged.ranges[request.name, default: []].append(
            Staged.Piece(range: range, bytes: bytes))
          touched.insert(request.name)
        }
      }
      for name in touched {
        staged.ranges[name]?.sort { $0.range.lowerBound < $1.range.lowerBound }
      }
    }
  }

  /// Forgets what is staged of objects whose names begin so.
  package func discard(_ prefix: String) {
    staged.withLock { staged in
      staged.wholes = staged.wholes.filter { !$0.key.hasPrefix(prefix) }
      staged.ranges = staged.ranges.filter { !$0.key.hasPrefix(prefix) }
    }
  }

  package func holds(_ request: ObjectRequest) -> Bool {
    staged.withLock { staged in
      switch request.part {
      case .whole: staged.wholes[request.name] != nil
      case .range(let range): staged.piece(request.name, range) != nil
      }
    }
  }

  /// The outer nil says that nothing is staged, the inner one that there is no such object.
  private func known(_ request: ObjectRequest) -> [UInt8]?? {
    staged.withLock { staged in
      switch request.part {
      case .whole(let limit):
        guard let bytes = staged.wholes.removeValue(forKey: request.name) else { return nil }
        if let bytes, bytes.count > limit { return nil }
        return .some(bytes)
      case .range(let range):
        guard let piece = staged.piece(request.name, range) else { return nil }
        guard piece.range != range else { return piece.bytes }
        let start = range.lowerBound - piece.range.lowerBound
        return Array(piece.bytes[start..<start + range.count])
      }
    }
  }

  package func byteCount(of name: String) throws(StorageError) -> Int? {
    try base.byteCount(of: name)
  }

  package func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    if case .some(.some(let bytes)) = known(ObjectRequest(name, .range(range))) { return bytes }
    return try base.read(name, range: range)
  }

  package func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    if let known = known(ObjectRequest(name, .whole(limit: limit))) { return known }
    return try base.readWhole(name, limit: limit)
  }

  package func readTogether(_ requests: [ObjectRequest]) throws(StorageError) -> [[UInt8]?] {
    var answers = requests.map { known($0) }
    let missing = answers.indices.filter { answers[$0] == nil }
    let fetched = try base.readTogether(missing.map { requests[$0] })
    for (position, bytes) in zip(missing, fetched) { answers[position] = .some(bytes) }
    return answers.map { $0 ?? nil }
  }
}
