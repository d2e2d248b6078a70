internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// The safetensors format, read without its data (`spec/conversion.md` §3.1).
enum SafetensorsReader {
  /// 32 MiB, a third of what the format allows: 300,000 tensors; parsed JSON is some 30 times as large.
  static let headerLimit = 32 << 20

  static func read(_ file: RandomAccessFile, name: String) throws(CheckpointFileError) -> ReadFile {
    guard file.byteCount >= 8 else {
      throw CheckpointFileError(
        .malformed, at: file.place,
        "\(file.byteCount) bytes are no checkpoint in a format that is read here",
        remedy: "give safetensors, .npz, a PyTorch file (torch.save since 1.6) or a folder of them")
    }
    let head = try storing { () throws(StorageError) in try file.bytes(0..<8) }
    let count = head.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard count <= UInt64(file.byteCount - 8) else {
      throw CheckpointFileError(
        .malformed, at: file.place,
        "this is not safetensors (its first eight bytes claim a header longer than the file), .npz or "
          + "a PyTorch zip", remedy: CheckpointFileError.again)
    }
    guard count <= UInt64(headerLimit) else {
      throw CheckpointFileError(
        .limit, at: file.place, "the header has \(count) bytes, the limit is \(headerLimit)",
        remedy: "split the model over several files")
    }
    let start = 8 + Int(count)
    let header = try storing { () throws(StorageError) in try file.bytes(8..<start) }
    let rows = try parsing(file.place) { () throws(ParsingError) in
      try SafetensorsFile.rows(
        header: header, dataByteCount: file.byteCount - start, role: .weight)
    }
    let tensors = rows.map { row in
      FoundTensor(
        path: [row.spec.name], type: row.spec.type, shape: row.spec.shape,
        bytes: .stored(at: start + row.range.lowerBound))
    }
    return ReadFile(name: name, file: file, tensors: tensors)
  }
}
