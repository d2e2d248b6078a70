import Cryptography
import ProofPrimitives
import Synchronization

/// Another source, whose answers are kept on this machine.
///
/// Nothing is kept until `anchor` was read: the object that changes whenever any other does (an
/// archive's seal). Its digest goes into every key, so that an archive that is replaced is not mixed
/// with the one before. The anchor itself and the lengths of objects are asked for each time.
///
/// What is kept is what the server said. Whoever checks it and finds it wrong calls `forget`, and the
/// next run asks the server again.
package final class CachingObjectSource: ObjectSource {
  private let base: any ObjectSource
  private let cache: CacheFolder
  private let anchor: String
  private let state = Mutex(State())

  private struct State {
    var scope: Digest?
    var used: Set<Digest> = []
  }

  package init(_ base: any ObjectSource, in cache: CacheFolder, anchor: String) {
    self.base = base
    self.cache = cache
    self.anchor = anchor
  }

  package var location: String { base.location }
  package var ignoresRanges: Bool { base.ignoresRanges }
  /// What was asked of the other source.
  package var transfer: TransferCount { base.transfer }

  /// Removes all that was read from the cache or kept by this object.
  package func forget() {
    let used = state.withLock { state in
      defer { state.used = [] }
      return state.used
    }
    for key in used { cache.remove(key) }
  }

  package func byteCount(of name: String) throws(StorageError) -> Int? {
    try base.byteCount(of: name)
  }

  package func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    let request = ObjectRequest(name, .range(range))
    if let known = known(request) { return known }
    let bytes = try base.read(name, range: range)
    keep(bytes, request)
    return bytes
  }

  package func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    let request = ObjectRequest(name, .whole(limit: limit))
    if let known = known(request) { return known }
    let bytes = try base.readWhole(name, limit: limit)
    if let bytes { keep(bytes, request) }
    return bytes
  }

  /// Asks for the anchor along with the rest: what is kept under the anchor that this location had last
  /// is used only if it still has that one, and else asked for after all.
  package func readTogether(_ requests: [ObjectRequest]) throws(StorageError) -> [[UInt8]?] {
    let anchorPosition = requests.firstIndex { isAnchor($0) }
    let guess = anchorPosition != nil && scope == nil ? remembered() : nil
    if guess != nil { state.withLock { $0.scope = guess } }
    var answers = requests.map { known($0) }
    var missing = answers.indices.filter { answers[$0] == nil }
    var fetched: [[UInt8]?]
    do throws(StorageError) {
      fetched = try base.readTogether(missing.map { requests[$0] })
      if let anchorPosition {
        let anchor = missing.firstIndex(of: anchorPosition).flatMap { fetched[$0] }
        let found = anchor.map { SHA256.hash($0) }
        state.withLock { $0.scope = found }
        if let found { remember(found) }
        if let guess, guess != found {
          let stale = answers.indices.filter { answers[$0] != nil }
          fetched += try base.readTogether(stale.map { requests[$0] })
          missing += stale
        }
      }
    } catch {
      if guess != nil { state.withLock { $0.scope = nil } }
      throw error
    }
    for (position, bytes) in zip(missing, fetched) {
      answers[position] = bytes
      if let bytes { keep(bytes, requests[position]) }
    }
    return answers
  }

  private var scope: Digest? { state.withLock { $0.scope } }

  private func isAnchor(_ request: ObjectRequest) -> Bool {
    guard request.name == anchor, case .whole = request.part else { return false }
    return true
  }

  /// Under this key stands the digest of the anchor that was read last.
  private var anchorKey: Digest {
    SHA256.hash(Array([location, "anchor", anchor].joined(separator: "\0").utf8))
  }

  private func remembered() -> Digest? {
    let key = anchorKey
    guard let bytes = cache.read(key, limit: Digest.byteCount) else { return nil }
    state.withLock { _ = $0.used.insert(key) }
    return Digest(bytes)
  }

  private func remember(_ scope: Digest) {
    let key = anchorKey
    state.withLock { _ = $0.used.insert(key) }
    cache.write(scope.bytes, key)
  }

  private func known(_ request: ObjectRequest) -> [UInt8]? {
    guard let key = key(request) else { return nil }
    let limit: Int
    switch request.part {
    case .whole(let most): limit = most
    case .range(let range): limit = range.count
    }
    guard let bytes = cache.read(key, limit: limit) else { return nil }
    if case .range(let range) = request.part, bytes.count != range.count { return nil }
    state.withLock { _ = $0.used.insert(key) }
    return bytes
  }

  private func keep(_ bytes: [UInt8], _ request: ObjectRequest) {
    if request.name == anchor {
      guard case .whole = request.part else { return }
      state.withLock { $0.scope = SHA256.hash(bytes) }
      return
    }
    guard let key = key(request) else { return }
    state.withLock { _ = $0.used.insert(key) }
    cache.write(bytes, key)
  }

  /// Nil for what is not kept.
  private func key(_ request: ObjectRequest) -> Digest? {
    guard request.name != anchor, let scope = state.withLock({ $0.scope }) else { return nil }
    let part =
      switch request.part {
      case .whole: "whole"
      case .range(let range): "\(range.lowerBound)-\(range.upperBound)"
      }
    // No name or location holds a NUL.
    let text = [location, scope.hex, request.name, part].joined(separator: "\0")
    return SHA256.hash(Array(text.utf8))
  }
}
