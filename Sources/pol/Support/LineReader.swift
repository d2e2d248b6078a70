import Glibc
import ProofPrimitives

/// Lines of standard input, of at most `limit` bytes each.
struct LineReader {
  private let limit: Int
  private var buffer: [UInt8] = []
  private var isEnded = false
  private static let blockByteCount = 65_536

  init(limit: Int) { self.limit = limit }

  /// The next line without its newline; nil at the end. Of a line that is too long, `limit` + 1 bytes,
  /// which whoever reads it refuses by their count.
  mutating func next() throws -> [UInt8]? {
    var searched = 0
    var isTooLong = false
    while true {
      if let end = buffer[searched...].firstIndex(of: 10) {
        let line = Array(buffer[0..<min(end, limit + 1)])
        buffer.removeFirst(end + 1)
        return isTooLong ? [UInt8](repeating: 32, count: limit + 1) : line
      }
      searched = buffer.count
      if buffer.count > limit {
        isTooLong = true
        buffer.removeAll(keepingCapacity: true)
        searched = 0
      }
      guard !isEnded else {
        // A last line without a newline was cut: the writer died while it wrote.
        return nil
      }
      try fill()
    }
  }

  private mutating func fill() throws {
    var block = [UInt8](repeating: 0, count: LineReader.blockByteCount)
    while true {
      let count = read(STDIN_FILENO, &block, block.count)
      if count >= 0 {
        isEnded = count == 0
        buffer += block[0..<count]
        return
      }
      guard errno == EINTR else {
        throw CommandFailure(
          code: "io", place: "standard input",
          message: "reading failed: \(String(cString: strerror(errno)))",
          remedy: "check what writes to it")
      }
    }
  }
}
