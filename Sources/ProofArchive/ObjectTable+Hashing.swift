internal import ChunkStorage
internal import Cryptography
internal import ProofPrimitives

extension ObjectTable {
  /// Length and digest of the named files, read in pieces.
  static func ofFiles(
    in names: [String], at path: String
  ) throws(ArchiveError) -> ObjectTable {
    let source = try storing { () throws(StorageError) in try DirectoryObjectSource(path) }
    let wanted = names.filter {
      $0 != ArchiveFiles.seal && $0 != ArchiveFiles.objects && ArchiveFiles.isKnown($0)
    }
    return ObjectTable(rows: try rows(wanted, in: source))
  }

  /// Length and digest of files, in the order of their names as given.
  ///
  /// The longest two are hashed side by side, then the next two: packs are as long as each other.
  static func rows(
    _ names: [String], in source: any ObjectSource
  ) throws(ArchiveError) -> [Row] {
    var files: [(place: Int, name: String, byteCount: Int)] = []
    for (place, name) in names.enumerated() {
      let byteCount = try storing { () throws(StorageError) in try source.byteCount(of: name) }
      guard let byteCount else {
        throw ArchiveError(.missing, at: "\(source.location)/\(name)", "the file is not there")
      }
      files.append((place, name, byteCount))
    }
    files.sort { ($1.byteCount, $0.place) < ($0.byteCount, $1.place) }
    let pair = SHA256Pair()
    var rows: [(place: Int, row: Row)] = []
    for first in stride(from: 0, to: files.count, by: 2) {
      let two = files[first..<min(first + 2, files.count)]
      var offset = 0
      while two.contains(where: { $0.byteCount > offset }) {
        var pieces: [[UInt8]] = []
        for file in two {
          let range = min(offset, file.byteCount)..<min(offset + pieceByteCount, file.byteCount)
          pieces.append(
            range.isEmpty
              ? []
              : try storing { () throws(StorageError) in try source.read(file.name, range: range) })
        }
        let second = pieces.count == 2 ? pieces[1] : []
        pieces[0].withUnsafeBytes { bytes in second.withUnsafeBytes { pair.update(bytes, $0) } }
        offset += pieceByteCount
      }
      let digests = pair.finish()
      for (file, digest) in zip(two, [digests.0, digests.1]) {
        rows.append((file.place, Row(name: file.name, byteCount: file.byteCount, digest: digest)))
      }
    }
    return rows.sorted { $0.place < $1.place }.map(\.row)
  }

  /// A quarter of a mebibyte: what stays in the processor's cache between reading and hashing.
  private static let pieceByteCount = 1 << 18
}
