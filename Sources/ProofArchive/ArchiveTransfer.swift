internal import ChunkStorage
internal import Synchronization

/// What copying a sealed archive between places did (`spec/store.md` §4, §5).
package struct ArchiveTransfer: Sendable {
  /// Of the files, `objects` and `seal` included.
  package internal(set) var fileCount = 0
  package internal(set) var byteCount = 0
  package internal(set) var copiedFileCount = 0
  /// Bytes of the copied files that travelled in this run.
  package internal(set) var copiedByteCount = 0
  package let seal: Seal
  /// What the folder holds now, of a pull of segments; nil where it holds the archive.
  package internal(set) var partial: Partial?
  /// What the user should know, in words.
  package internal(set) var warnings: [String] = []

  package struct Partial: Sendable {
    package let segments: RangeSet<Int>
    package let heldByteCount: Int
  }

  /// Files that are copied at a time.
  static let width = 4

  /// What a caller who shows progress or wants to stop gives: called from several threads.
  package struct Supervision: Sendable {
    let progress: @Sendable (_ done: Int, _ total: Int) -> Void
    let isStopped: @Sendable () -> Bool

    package init(
      progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in },
      isStopped: @escaping @Sendable () -> Bool = { false }
    ) {
      self.progress = progress
      self.isStopped = isStopped
    }
  }
}

/// The files of a sealed archive as its seal states them, read from where it is copied from.
struct SealedListing: Sendable {
  let seal: Seal
  let sealBytes: [UInt8]
  let table: ObjectTable
  let tableBytes: [UInt8]

  /// Seal and table, checked: the signature, and the rows against the seal's root.
  init(_ source: any ObjectSource) throws(ArchiveError) {
    seal = try ArchiveReader.seal(in: source)
    table = try ObjectTable.load(source, seal).table
    // One value, one encoding: these are the bytes that were read.
    sealBytes = seal.encoded
    tableBytes = table.encoded
  }

  /// Large files first, so that the last one does not keep the others waiting.
  var rows: [ObjectTable.Row] { table.rows.sorted { $0.byteCount > $1.byteCount } }

  var fileCount: Int { table.rows.count + 2 }

  /// - Throws: `.limit` when the lengths add up to more than can be: the prover signed them.
  func byteCount() throws(ArchiveError) -> Int {
    var sum = sealBytes.count + tableBytes.count
    for row in table.rows {
      let (next, overflow) = sum.addingReportingOverflow(row.byteCount)
      guard !overflow else {
        throw ArchiveError(
          .limit, at: ArchiveFiles.objects, "the lengths of the files add up to no possible size",
          remedy: "the prover signed this: ask for a corrected archive", isSigned: true)
      }
      sum = next
    }
    return sum
  }
}

/// Bytes done so far, told to whoever watches.
final class TransferProgress: Sendable {
  private struct State {
    var done = 0
    var total = 0
    var copiedFiles = 0
    var copiedBytes = 0
  }

  private let state: Mutex<State>
  private let supervision: ArchiveTransfer.Supervision

  init(total: Int, _ supervision: ArchiveTransfer.Supervision) {
    state = Mutex(State(total: total))
    self.supervision = supervision
  }

  /// - Parameter isCopied: False for what was there already.
  func add(_ byteCount: Int, isCopied: Bool) {
    let (done, total) = state.withLock {
      $0.done += byteCount
      if isCopied { $0.copiedBytes += byteCount }
      return ($0.done, $0.total)
    }
    supervision.progress(done, total)
  }

  /// More is to be done than was known. A record may claim any size.
  func expect(_ byteCount: Int) {
    state.withLock { $0.total = Int(clamping: UInt64($0.total) + UInt64(max(0, byteCount))) }
  }

  /// Bytes that travelled and are not what is counted as done.
  func addCopied(_ byteCount: Int) { state.withLock { $0.copiedBytes += byteCount } }

  func addCopiedFile() { state.withLock { $0.copiedFiles += 1 } }

  var copied: (files: Int, bytes: Int) { state.withLock { ($0.copiedFiles, $0.copiedBytes) } }
}
