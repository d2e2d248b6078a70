internal import CZlib
internal import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

extension CheckpointWriter {
  /// An archive of arrays as `numpy.savez` writes it: stored members `NAME.npy`, dated 1980-01-01, in
  /// the order of the checkpoint. The same checkpoint gives the same bytes.
  ///
  /// - Throws: `.unsupported` for BF16 and eight-bit floats, which NumPy has not, and for names that a
  ///   program which unpacks the zip could take for a path out of its folder.
  /// - Returns: Bytes written.
  @discardableResult
  package func writeNumpyArchive(to path: String) throws(CheckpointFileError) -> Int {
    try writeNumpyArchive(to: path, wideFrom: ZipWriter.narrowLimit)
  }

  /// - Parameter wideFrom: Lengths and offsets from here on are written in zip64's fields.
  func writeNumpyArchive(to path: String, wideFrom: UInt64) throws(CheckpointFileError) -> Int {
    let specs = try names(prefixesRoles: false, place: path)
    var heads: [[UInt8]] = []
    for spec in specs {
      guard let type = NumpyHeader.descriptor(spec.type) else {
        throw CheckpointFileError(
          .unsupported, at: path,
          "\"\(printable(spec.name, limit: 60))\" is of type \(spec.type.name), which NumPy has not",
          remedy: "export as safetensors")
      }
      let parts = spec.name.split(separator: "/", omittingEmptySubsequences: false)
      guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }),
        !spec.name.contains("\\")
      else {
        throw CheckpointFileError(
          .unsupported, at: path,
          "the name \"\(printable(spec.name, limit: 60))\" could be taken for a path",
          remedy: "export as safetensors")
      }
      heads.append(NumpyHeader.encode(type, spec.shape))
    }
    let file = try open(path)
    var zip = ZipWriter(wideFrom: wideFrom)
    for (position, index) in chosen.enumerated() {
      let spec = specs[position]
      let head = heads[position]
      let start = file.byteCount
      let row = ZipWriter.Row(
        name: Array((spec.name + ".npy").utf8), byteCount: UInt64(head.count + spec.byteCount),
        offset: UInt64(start))
      try storing { () throws(StorageError) in
        try file.append(zip.header(row, checksum: 0))
        try file.append(head)
      }
      var sum = crc32(0, head, UInt32(head.count))
      try pieces(index, 0..<spec.byteCount) { piece throws(StorageError) in
        sum = crc32(sum, piece, UInt32(piece.count))
        try file.append(piece)
      }
      let checksum = UInt32(truncatingIfNeeded: sum)
      // The checksum stands before what it covers.
      try storing { () throws(StorageError) in
        try file.replace(zip.header(row, checksum: checksum), at: start)
      }
      zip.add(row, checksum: checksum)
    }
    try storing { () throws(StorageError) in
      try file.append(zip.end(at: UInt64(file.byteCount)))
      try file.finish()
    }
    return file.byteCount
  }
}

/// The parts of a zip of stored members that are no data (PKWARE APPNOTE 6.3.10 §4.3).
struct ZipWriter {
  struct Row {
    let name: [UInt8]
    let byteCount: UInt64
    let offset: UInt64
  }

  /// All ones stand for "see the zip64 field".
  static let narrowLimit = UInt64(UInt32.max)
  /// 1980-01-01, the first day that the format has.
  private static let date: UInt16 = 0x21

  let wideFrom: UInt64
  private var directory = ByteWriter()
  private var count: UInt64 = 0

  init(wideFrom: UInt64) { self.wideFrom = wideFrom }

  /// What stands before a member's bytes; its length does not depend on the checksum.
  func header(_ row: Row, checksum: UInt32) -> [UInt8] {
    let isWide = row.byteCount >= wideFrom
    var writer = ByteWriter()
    writer.u32(0x0403_4b50)
    fixed(&writer, row, checksum: checksum, isWide: isWide)
    writer.u16(UInt16(row.name.count))
    writer.u16(isWide ? 20 : 0)
    writer.raw(row.name)
    if isWide {
      writer.u16(1)
      writer.u16(16)
      writer.u64(row.byteCount)
      writer.u64(row.byteCount)
    }
    return writer.bytes
  }

  mutating func add(_ row: Row, checksum: UInt32) {
    let isLong = row.byteCount >= wideFrom
    let isFar = row.offset >= wideFrom
    var extra = ByteWriter()
    if isLong {
      extra.u64(row.byteCount)
      extra.u64(row.byteCount)
    }
    if isFar { extra.u64(row.offset) }
    directory.u32(0x0201_4b50)
    // Made by version 4.5 on Unix, so that the attributes are permissions.
    directory.u16(3 << 8 | 45)
    fixed(&directory, row, checksum: checksum, isWide: isLong || isFar, isLong: isLong)
    directory.u16(UInt16(row.name.count))
    directory.u16(extra.bytes.isEmpty ? 0 : UInt16(extra.bytes.count + 4))
    directory.raw([0, 0, 0, 0, 0, 0])
    directory.u32(0o100644 << 16)
    directory.u32(isFar ? UInt32.max : UInt32(row.offset))
    directory.raw(row.name)
    if !extra.bytes.isEmpty {
      directory.u16(1)
      directory.u16(UInt16(extra.bytes.count))
      directory.raw(extra.bytes)
    }
    count += 1
  }

  /// The directory and the end records.
  func end(at offset: UInt64) -> [UInt8] {
    let byteCount = UInt64(directory.bytes.count)
    let isWide = offset >= wideFrom || byteCount >= wideFrom || count >= 0xffff
    var writer = ByteWriter()
    writer.raw(directory.bytes)
    if isWide {
      writer.u32(0x0606_4b50)
      writer.u64(44)
      writer.u16(3 << 8 | 45)
      writer.u16(45)
      writer.raw([UInt8](repeating: 0, count: 8))
      writer.u64(count)
      writer.u64(count)
      writer.u64(byteCount)
      writer.u64(offset)
      writer.u32(0x0706_4b50)
      writer.u32(0)
      writer.u64(offset + byteCount)
      writer.u32(1)
    }
    writer.u32(0x0605_4b50)
    writer.u32(0)
    writer.u16(isWide ? 0xffff : UInt16(count))
    writer.u16(isWide ? 0xffff : UInt16(count))
    writer.u32(isWide ? UInt32.max : UInt32(byteCount))
    writer.u32(isWide ? UInt32.max : UInt32(offset))
    writer.u16(0)
    return writer.bytes
  }

  /// From the version that is needed to the lengths: the same in both places.
  private func fixed(
    _ writer: inout ByteWriter, _ row: Row, checksum: UInt32, isWide: Bool, isLong: Bool? = nil
  ) {
    writer.u16(isWide ? 45 : 20)
    // Bit 11: the name is UTF-8.
    writer.u16(1 << 11)
    writer.u16(0)
    writer.u16(0)
    writer.u16(ZipWriter.date)
    writer.u32(checksum)
    let narrow = isLong ?? isWide ? UInt32.max : UInt32(row.byteCount)
    writer.u32(narrow)
    writer.u32(narrow)
  }
}
