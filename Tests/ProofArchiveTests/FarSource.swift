import ChunkStorage
import ProofPrimitives
import Synchronization

@testable import ProofArchive

/// A folder as a server would give it: counts what is asked, and can give one byte wrong.
final class FarSource: ObjectSource {
  struct Lie: Sendable {
    let name: String
    let byte: Int
  }

  private struct State {
    var transfer = TransferCount()
    var requests: [ObjectRequest] = []
  }

  let location = "https://far.example/run.pol"
  private let folder: DirectoryObjectSource
  private let lie: Lie?
  private let state = Mutex(State())

  init(_ path: String, lie: Lie? = nil) throws {
    folder = try DirectoryObjectSource(path)
    self.lie = lie
  }

  var transfer: TransferCount { state.withLock { $0.transfer } }
  var requests: [ObjectRequest] { state.withLock { $0.requests } }

  func byteCount(of name: String) throws(StorageError) -> Int? {
    state.withLock { $0.transfer.roundTrips += 1 }
    return try folder.byteCount(of: name)
  }

  func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    state.withLock { $0.transfer.roundTrips += 1 }
    return try answer(ObjectRequest(name, .range(range))) ?? []
  }

  func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    state.withLock { $0.transfer.roundTrips += 1 }
    return try answer(ObjectRequest(name, .whole(limit: limit)))
  }

  func readTogether(_ requests: [ObjectRequest]) throws(StorageError) -> [[UInt8]?] {
    guard !requests.isEmpty else { return [] }
    state.withLock { $0.transfer.roundTrips += 1 }
    var answers: [[UInt8]?] = []
    for request in requests { answers.append(try answer(request)) }
    return answers
  }

  private func answer(_ request: ObjectRequest) throws(StorageError) -> [UInt8]? {
    var bytes: [UInt8]?
    let start: Int
    switch request.part {
    case .whole(let limit):
      start = 0
      bytes = try folder.readWhole(request.name, limit: limit)
    case .range(let range):
      start = range.lowerBound
      bytes = try folder.read(request.name, range: range)
    }
    let count = bytes?.count ?? 0
    state.withLock {
      $0.requests.append(request)
      $0.transfer.requests += 1
      $0.transfer.bytes += count
    }
    if let lie, lie.name == request.name, lie.byte >= start, lie.byte - start < count {
      bytes?[lie.byte - start] ^= 0x10
    }
    return bytes
  }
}
