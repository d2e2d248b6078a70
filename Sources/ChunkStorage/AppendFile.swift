import Glibc
import ProofPrimitives
import Synchronization

/// A file that grows at its end and may be cut back. Its owner holds a `DirectoryLock`.
///
/// What was appended lasts once `sync` has returned. After a sync that failed the system may have
/// dropped what it could not write and report success the next time, so from then on every use is
/// refused: open the file again and start from the last state that is known to be good.
package final class AppendFile: Sendable {
  package let path: String
  private let state: Mutex<State>
  private let syncCall: @Sendable (Int32) -> Int32
  private let fault: Fault?

  /// What may fail.
  package enum Operation: Sendable { case write, sync, cut }
  /// Says, before an operation on the file of that path, the `errno` with which it is to fail, or 0. For
  /// tests of what a failing store does; nil in every other use.
  package typealias Fault = @Sendable (Operation, String) -> Int32

  private struct State: ~Copyable {
    let file: OwnedDescriptor
    var byteCount: Int
    var isBroken = false
  }

  /// Opens the regular file at `path`, or makes it and syncs its directory.
  package convenience init(
    _ path: String, mode: UInt32 = 0o644, fault: Fault? = nil
  ) throws(StorageError) {
    try self.init(path, mode: mode, fault: fault, syncCall: { fdatasync($0) })
  }

  init(
    _ path: String, mode: UInt32 = 0o644, fault: Fault? = nil,
    syncCall: @escaping @Sendable (Int32) -> Int32
  ) throws(StorageError) {
    self.path = path
    self.syncCall = syncCall
    self.fault = fault
    let file = try SystemCalls.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: mode)
    let byteCount = try SystemCalls.regularFileByteCount(file, place: path)
    try DurableFile.syncParent(of: path)
    state = Mutex(State(file: file, byteCount: byteCount))
  }

  /// Whether every use is refused.
  package var isBroken: Bool { state.withLock { $0.isBroken } }

  /// Bytes in the file, synced or not.
  package var byteCount: Int {
    get throws(StorageError) {
      try use { state throws(StorageError) in state.byteCount }
    }
  }

  /// Adds bytes at the end. When that fails, on a full disk for one, the file is as it was before.
  /// - Returns: Where the bytes begin.
  @discardableResult
  package func append(_ bytes: [UInt8]) throws(StorageError) -> Int {
    // A typed throw does not pass through `withUnsafeBytes`.
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(StorageError) in try append(buffers: [buffer]) }
    }
    return try result.get()
  }

  /// The same for bytes that stand in memory of the caller's own, one buffer behind the other.
  @discardableResult
  package func append(buffers: [UnsafeRawBufferPointer]) throws(StorageError) -> Int {
    // Not kept: `use` runs its body at once.
    nonisolated(unsafe) let buffers = buffers
    return try use { state throws(StorageError) in
      let offset = state.byteCount
      do throws(StorageError) {
        if let code = fault?(.write, path), code != 0 {
          throw SystemCalls.error("writing", at: path, code)
        }
        try SystemCalls.write(buffers, state.file, offset: offset, place: path)
      } catch {
        // A part may have been written; if it cannot be cut off, the end of the file is unknown.
        if fault?(.cut, path) ?? 0 != 0 || ftruncate(state.file.raw, off_t(offset)) != 0 {
          state.isBroken = true
        }
        throw error
      }
      state.byteCount = offset + buffers.reduce(0) { $0 + $1.count }
      return offset
    }
  }

  /// Returns when all that was appended or cut is on the disk.
  package func sync() throws(StorageError) {
    try use { state throws(StorageError) in
      let injected = fault?(.sync, path) ?? 0
      guard injected == 0, syncCall(state.file.raw) == 0 else {
        let code = injected == 0 ? errno : injected
        state.isBroken = true
        throw SystemCalls.error("syncing", at: path, code)
      }
    }
  }

  /// Lets the disk begin to write what was appended from `offset` on, so that a later `sync` finds less to
  /// wait for. Promises nothing, waits for nothing and cannot fail: whether the bytes last, `sync` says.
  package func beginWriting(from offset: Int) {
    state.withLock { state in
      guard offset < state.byteCount else { return }
      // An error stays with the file's pages: the next `fdatasync` on this descriptor reports it.
      _ = sync_file_range(
        state.file.raw, off_t(offset), off_t(state.byteCount - offset),
        UInt32(SYNC_FILE_RANGE_WRITE))
    }
  }

  /// Cuts the file back. Lasts after the next `sync`.
  package func truncate(to byteCount: Int) throws(StorageError) {
    try use { state throws(StorageError) in
      guard byteCount >= 0, byteCount <= state.byteCount else {
        throw rangeMissing(0..<max(0, byteCount), of: state.byteCount, at: printable(path))
      }
      while ftruncate(state.file.raw, off_t(byteCount)) != 0 {
        let code = errno
        if code != EINTR { throw SystemCalls.error("cutting the file", at: path, code) }
      }
      state.byteCount = byteCount
    }
  }

  /// Exactly the bytes of `range`.
  package func read(_ range: Range<Int>) throws(StorageError) -> [UInt8] {
    try use { state throws(StorageError) in
      guard range.lowerBound >= 0, range.upperBound <= state.byteCount else {
        throw rangeMissing(range, of: state.byteCount, at: printable(path, limit: 1000))
      }
      let bytes = try SystemCalls.read(state.file, range: range, place: path)
      guard bytes.count == range.count else {
        throw rangeMissing(range, of: range.lowerBound + bytes.count, at: printable(path))
      }
      return bytes
    }
  }

  private func use<Result: Sendable>(
    _ body: (inout State) throws(StorageError) -> Result
  ) throws(StorageError) -> Result {
    try state.withLock { state throws(StorageError) in
      guard !state.isBroken else {
        throw StorageError(
          .io, at: printable(path, limit: 1000),
          "an earlier write could not be made to last, so nothing here is believed",
          remedy: "check the disk, then start again from the last good state")
      }
      return try body(&state)
    }
  }
}
