internal import ChunkStorage
package import ProofArchive
internal import ProofPrimitives

/// Writes a checkpoint of an archive as files of other programs, piece by piece (`spec/conversion.md` §6).
///
/// Each file stands at its path whole or not at all. Memory is a megabyte and the files' headers,
/// whatever the checkpoint's size.
package struct CheckpointWriter {
  let source: any StateSource
  let replaces: Bool
  /// Tensors to write, as positions in `source.specs`; skeletons are never among them.
  let chosen: [Int]

  static let pieceByteCount = 1 << 20

  /// - Parameters:
  ///   - roles: What is written, besides by `restore`, which takes what the skeletons name.
  ///   - replaces: False refuses a path where anything stands.
  package init(
    _ source: any StateSource, roles: Set<TensorRole> = [.weight, .buffer], replaces: Bool = false
  ) {
    self.source = source
    self.replaces = replaces
    chosen = source.specs.indices.filter {
      roles.contains(source.specs[$0].role)
        && CheckpointWriter.skeletonNumber(source.specs[$0]) == nil
    }
  }

  /// The number N of a tensor `source/N`.
  static func skeletonNumber(_ spec: TensorSpec) -> Int? {
    guard spec.role == .counter, spec.type == .u8, spec.shape.count == 1,
      spec.name.hasPrefix("source/"), let number = Int(spec.name.dropFirst(7)), number >= 0,
      FileSkeleton.tensorName(number) == spec.name
    else { return nil }
    return number
  }

  /// Hands the bytes `range` of tensor `index` to `body`, a piece at a time.
  func pieces(
    _ index: Int, _ range: Range<Int>,
    _ body: ([UInt8]) throws(StorageError) -> Void
  ) throws(CheckpointFileError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let count = min(CheckpointWriter.pieceByteCount, range.upperBound - offset)
      var piece = [UInt8](repeating: 0, count: count)
      var failure: ArchiveError?
      piece.withUnsafeMutableBytes { buffer in
        do throws(ArchiveError) {
          try source.read(tensor: index, at: offset, into: buffer)
        } catch {
          failure = error
        }
      }
      if let failure { throw CheckpointFileError(failure) }
      do throws(StorageError) { try body(piece) } catch { throw CheckpointFileError(error) }
      offset += count
    }
  }

  /// Appends a whole tensor.
  func append(_ index: Int, to file: DurableFileWriter) throws(CheckpointFileError) {
    try pieces(index, 0..<source.specs[index].byteCount) { piece throws(StorageError) in
      try file.append(piece)
    }
  }

  func open(_ path: String) throws(CheckpointFileError) -> DurableFileWriter {
    try storing { () throws(StorageError) in
      try DurableFileWriter(path, replaces: replaces)
    }
  }
}
