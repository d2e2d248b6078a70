internal import CZlib
internal import ChunkStorage
internal import ProofPrimitives

extension ZipMember {
  /// 64 KiB out of one read of as much: small enough for the stack's neighbours, large enough for
  /// few calls.
  private static let pieceByteCount = 1 << 16

  /// Refuses a stored member whose bytes changed (CRC-32).
  func checkStored(_ file: RandomAccessFile) throws(CheckpointFileError) {
    var sum: UInt = 0
    var offset = stored.lowerBound
    while offset < stored.upperBound {
      let end = min(offset + (1 << 20), stored.upperBound)
      let piece = try storing { [offset] () throws(StorageError) in
        try file.bytes(offset..<end)
      }
      sum = crc32(sum, piece, UInt32(piece.count))
      offset = end
    }
    try check(sum, file)
  }

  /// The bytes of a deflated member, in a scratch file.
  func inflated(_ file: RandomAccessFile) throws(CheckpointFileError) -> RandomAccessFile {
    var scratch = try storing { () throws(StorageError) in try SpoolFile() }
    var stream = z_stream()
    // Minus: raw deflate, without zlib's own header.
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else {
      throw CheckpointFileError(
        .io, at: file.place, "zlib does not start", remedy: "free some memory and try again")
    }
    defer { inflateEnd(&stream) }
    var sum: UInt = 0
    var offset = stored.lowerBound
    var isDone = false
    var output = [UInt8](repeating: 0, count: ZipMember.pieceByteCount)
    while !isDone, offset < stored.upperBound {
      let end = min(offset + ZipMember.pieceByteCount, stored.upperBound)
      var input = try storing { [offset] () throws(StorageError) in
        try file.bytes(offset..<end)
      }
      var consumed = 0
      repeat {
        let step = inflateStep(&stream, &input, from: consumed, into: &output)
        guard step.status == Z_OK || step.status == Z_STREAM_END || step.status == Z_BUF_ERROR,
          step.filled <= byteCount - scratch.byteCount
        else { throw damaged(file, "does not inflate to the \(byteCount) bytes that it claims") }
        let piece = Array(output[..<step.filled])
        sum = crc32(sum, piece, UInt32(piece.count))
        do throws(StorageError) {
          try scratch.append(piece)
        } catch {
          throw CheckpointFileError(error)
        }
        consumed += step.consumed
        isDone = step.status == Z_STREAM_END
        if step.consumed == 0, step.filled == 0 { break }
      } while !isDone
      guard isDone || consumed == input.count else {
        throw damaged(file, "does not inflate")
      }
      offset += consumed
    }
    guard isDone, offset == stored.upperBound, scratch.byteCount == byteCount else {
      throw damaged(file, "does not inflate to the \(byteCount) bytes that it claims")
    }
    try check(sum, file)
    return scratch.reader(place: "\(file.place), \(printable(name, limit: 60))")
  }

  private func inflateStep(
    _ stream: inout z_stream, _ input: inout [UInt8], from start: Int, into output: inout [UInt8]
  ) -> (status: Int32, consumed: Int, filled: Int) {
    input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        guard let from = input.baseAddress else { return (Z_BUF_ERROR, 0, 0) }
        stream.next_in = from + start
        stream.avail_in = UInt32(input.count - start)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        let status = inflate(&stream, Z_NO_FLUSH)
        return (
          status, input.count - start - Int(stream.avail_in),
          output.count - Int(stream.avail_out)
        )
      }
    }
  }

  private func check(_ sum: UInt, _ file: RandomAccessFile) throws(CheckpointFileError) {
    guard UInt32(truncatingIfNeeded: sum) == checksum else {
      throw damaged(file, "has another checksum than the zip's directory says")
    }
  }

  private func damaged(_ file: RandomAccessFile, _ message: String) -> CheckpointFileError {
    CheckpointFileError(
      .damaged, at: file.place, "the member \"\(printable(name, limit: 60))\" \(message)",
      remedy: "fetch the file again, or save it again with checksums")
  }
}
