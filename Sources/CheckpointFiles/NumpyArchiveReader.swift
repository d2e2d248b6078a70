internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// Arrays in a zip, as `numpy.savez` and `numpy.savez_compressed` write them (`spec/conversion.md` §3.3).
enum NumpyArchiveReader {
  /// 64 GiB of inflated arrays: what a disk has room for, and a thousandth of what deflate could claim
  /// in a file of the same size.
  static let inflatedLimit = 64 << 30

  static func read(
    _ file: RandomAccessFile, _ directory: ZipDirectory, name: String
  ) throws(CheckpointFileError) -> ReadFile {
    var result = ReadFile(name: name, file: file, tensors: [])
    var left = inflatedLimit
    for member in directory.members {
      guard member.name.hasSuffix(".npy") else {
        result.notes.append(
          "\(name): the member \"\(printable(member.name, limit: 60))\" is no array")
        if !member.isDeflated { try member.checkStored(file) }
        continue
      }
      result.tensors.append(try array(member, in: file, left: &left))
    }
    return result
  }

  private static func array(
    _ member: ZipMember, in file: RandomAccessFile, left: inout Int
  ) throws(CheckpointFileError) -> FoundTensor {
    let title = String(member.name.dropLast(4))
    let place = "\(file.place), array \"\(printable(title, limit: 60))\""
    guard member.isDeflated else {
      try member.checkStored(file)
      let header = try NumpyHeader.read(file, in: member.stored, place: place)
      let start = member.stored.lowerBound + header.byteCount
      guard header.isFortranOrder, header.shape.count > 1 else {
        return FoundTensor(
          path: [title], type: header.type, shape: header.shape, bytes: .stored(at: start))
      }
      let view = StridedView(
        type: header.type, shape: header.shape,
        strides: StridedView.columnMajor(header.shape), start: start,
        available: member.stored.upperBound - start)
      guard let view else { throw tooLarge(file, title) }
      return FoundTensor(
        path: [title], type: header.type, shape: header.shape, bytes: .strided(view))
    }
    guard member.byteCount <= left else {
      throw CheckpointFileError(
        .limit, at: file.place, "its arrays inflate to more than \(inflatedLimit) bytes",
        remedy: "write them with numpy.savez, which does not compress")
    }
    left -= member.byteCount
    let scratch = try member.inflated(file)
    let header = try NumpyHeader.read(scratch, in: 0..<scratch.byteCount, place: place)
    guard !header.isFortranOrder || header.shape.count <= 1 else {
      throw CheckpointFileError(
        .unsupported, at: file.place,
        "the array \"\(printable(title, limit: 60))\" is compressed and in Fortran order",
        remedy: "write it with numpy.ascontiguousarray, or with numpy.savez")
    }
    return FoundTensor(
      path: [title], type: header.type, shape: header.shape,
      bytes: .inflated(scratch, at: header.byteCount))
  }

  private static func tooLarge(_ file: RandomAccessFile, _ title: String) -> CheckpointFileError {
    CheckpointFileError(
      .limit, at: file.place,
      "the array \"\(printable(title, limit: 60))\" is in Fortran order and has more than "
        + "\(StridedView.byteLimit) bytes", remedy: "write it with numpy.ascontiguousarray")
  }
}
