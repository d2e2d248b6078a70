import Glibc
import ProofPrimitives

/// An open file or directory, closed when its owner goes.
struct OwnedDescriptor: ~Copyable, Sendable {
  let raw: Int32

  /// Nil for the -1 of a failed call; `errno` then still says why.
  init?(_ raw: Int32) {
    guard raw >= 0 else { return nil }
    self.raw = raw
  }

  deinit { _ = close(raw) }
}

/// The few system calls that storage is built on, with their errors in our words.
enum SystemCalls {
  /// Opened this way nothing hangs on a FIFO and nothing leaks into a child process.
  static let safely = O_NONBLOCK | O_CLOEXEC

  static func error(_ action: String, at place: String, _ code: Int32) -> StorageError {
    let place = printable(place, limit: 1000)
    switch code {
    case ENOSPC, EDQUOT:
      return StorageError(
        .io, at: place, "no space left: \(action) failed (\(text(code)))",
        remedy: "free some space or raise the quota there, then run the command again")
    case ENOENT:
      return StorageError(
        .missing, at: place, "\(action) failed (\(text(code)))", remedy: "check the path")
    case ELOOP:
      return StorageError(
        .malformed, at: place, "a symbolic link stands here, and links are not followed",
        remedy: "put the file itself there")
    case ENXIO:
      return notRegular(at: place)
    case EACCES, EPERM, EROFS:
      return StorageError(
        .io, at: place, "\(action) is not allowed (\(text(code)))",
        remedy: "check the owner and the permissions")
    default:
      return StorageError(
        .io, at: place, "\(action) failed (\(text(code)))",
        remedy: "check the file system, then try again")
    }
  }

  static func notRegular(at place: String) -> StorageError {
    StorageError(
      .malformed, at: printable(place, limit: 1000), "this is not a regular file",
      remedy: "put a regular file there")
  }

  /// Why a directory could not be opened.
  static func folderError(_ code: Int32, at path: String) -> StorageError {
    guard code == ENOTDIR || code == ELOOP else {
      return error("opening the directory", at: path, code)
    }
    return StorageError(
      .malformed, at: printable(path, limit: 1000),
      "a file or a symbolic link stands where a directory should",
      remedy: "give a directory, and copy what is in it without links")
  }

  static func text(_ code: Int32) -> String {
    guard let message = strerror(code) else { return "error \(code)" }
    return String(cString: message)
  }

  /// A path that C sees whole.
  static func checkPath(_ path: String) throws(StorageError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw StorageError(
        .malformed, at: "\"\(printable(path))\"", "this is not a path", remedy: "give another path")
    }
  }

  static func open(
    _ path: String, _ flags: Int32, mode: UInt32 = 0, _ action: String = "opening"
  ) throws(StorageError) -> OwnedDescriptor {
    try checkPath(path)
    return try open(at: AT_FDCWD, path, flags, mode: mode, place: path, action)
  }

  static func open(
    at directory: Int32, _ name: String, _ flags: Int32, mode: UInt32 = 0, place: String,
    _ action: String = "opening"
  ) throws(StorageError) -> OwnedDescriptor {
    while true {
      if let opened = OwnedDescriptor(Glibc.openat(directory, name, flags | safely, mode)) {
        return opened
      }
      let code = errno
      if code != EINTR { throw error(action, at: place, code) }
    }
  }

  /// Byte count of an open file, which must be a regular one.
  static func regularFileByteCount(
    _ file: borrowing OwnedDescriptor, place: String
  ) throws(StorageError) -> Int {
    var status = stat()
    guard fstat(file.raw, &status) == 0 else { throw error("reading the size", at: place, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw notRegular(at: place)
    }
    return Int(status.st_size)
  }

  /// The bytes of `range`, or fewer when the file ends before. The caller has compared the range with
  /// the file's size, so what is allocated exists.
  static func read(
    _ file: borrowing OwnedDescriptor, range: Range<Int>, place: String
  ) throws(StorageError) -> [UInt8] {
    let descriptor = file.raw
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
      guard let base = buffer.baseAddress else { return }
      while filled < range.count {
        let got = pread(
          descriptor, base + filled, range.count - filled, off_t(range.lowerBound + filled))
        if got < 0 && errno == EINTR { continue }
        if got < 0 { failure = errno }
        if got <= 0 { return }
        filled += got
      }
    }
    guard failure == 0 else { throw error("reading", at: place, failure) }
    return bytes
  }

  /// Writes all bytes at `offset`.
  static func write(
    _ bytes: [UInt8], _ file: borrowing OwnedDescriptor, offset: Int, place: String
  ) throws(StorageError) {
    let descriptor = file.raw
    // A typed throw does not pass through `withUnsafeBytes`.
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(StorageError) in
        try write([buffer], to: descriptor, offset: offset, place: place, call: vectorWrite)
      }
    }
    try result.get()
  }

  /// `pwritev`; another one in tests of what a system may do.
  typealias VectorWrite = (Int32, UnsafePointer<iovec>?, Int32, off_t) -> Int

  private static func vectorWrite(
    _ descriptor: Int32, _ vectors: UnsafePointer<iovec>?, _ count: Int32, _ offset: off_t
  ) -> Int { pwritev(descriptor, vectors, count, offset) }

  /// Writes buffers one behind the other from `offset` on, as many as possible in one call: the system
  /// spends half the time on a mebibyte at once of what it spends on the same in pieces.
  static func write(
    _ buffers: [UnsafeRawBufferPointer], _ file: borrowing OwnedDescriptor, offset: Int,
    place: String, call: VectorWrite = vectorWrite
  ) throws(StorageError) {
    try write(buffers, to: file.raw, offset: offset, place: place, call: call)
  }

  private static func write(
    _ buffers: [UnsafeRawBufferPointer], to descriptor: Int32, offset: Int, place: String,
    call: VectorWrite
  ) throws(StorageError) {
    // POSIX lets no system take fewer; Linux takes 1,024.
    let most = 16
    var vectors = buffers.filter { !$0.isEmpty }.map {
      iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
    }[...]
    var offset = offset
    while !vectors.isEmpty {
      let count = vectors.prefix(most).withUnsafeBufferPointer {
        call(descriptor, $0.baseAddress, Int32($0.count), off_t(offset))
      }
      if count < 0 && errno == EINTR { continue }
      // A write of nothing would be asked again for ever.
      guard count > 0 else {
        throw error("writing", at: place, count < 0 ? errno : EIO)
      }
      offset += count
      var left = count
      while let first = vectors.first, left >= first.iov_len {
        left -= first.iov_len
        vectors.removeFirst()
      }
      if left > 0, let first = vectors.first {
        vectors[vectors.startIndex] = iovec(
          iov_base: first.iov_base.map { $0 + left }, iov_len: first.iov_len - left)
      }
    }
  }
}
