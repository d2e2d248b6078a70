internal import ChunkStorage
internal import Cryptography
internal import MerkleTrees
internal import ProofPrimitives

/// Files whose parts can be told right from wrong one by one.
extension ArchiveRepair {
  /// A part of a file and where copies have it.
  struct Piece {
    let range: Range<Int>
    /// What to say when it is lost.
    let name: String
    /// Different bytes, each of which may be right.
    var choices: [Choice] = []
  }

  struct Choice {
    let copy: ArchiveCopy
    let range: Range<Int>
    let digest: Digest
  }

  private enum Judgement {
    case wrong
    /// The checksum is right.
    case possible
    /// A digest says so.
    case right
  }

  /// Combinations of frames that all have a right checksum; two frames that changed places are such.
  private static let tryLimit = 64

  /// Nil for a file without frames, or when what says where they stand is lost too.
  func pieces(of row: ObjectTable.Row) -> [Piece]? {
    if row.name == ArchiveFiles.records { return recordPieces(row) }
    if row.name == ArchiveFiles.points { return pointPieces(row) }
    guard row.name.hasSuffix(".pack"), let number = UInt32(row.name.dropFirst(6).prefix(8)) else {
      return nil
    }
    return packPieces(row, number)
  }

  /// Writes the file out of its pieces; true when it has its digest.
  func assemble(_ row: ObjectTable.Row, _ pieces: [Piece]) throws(ArchiveError) -> Bool {
    // A signed length may be false under a digest that is right. Without a choice there would be no turn.
    guard pieces.last?.range.upperBound == row.byteCount,
      pieces.allSatisfy({ !$0.choices.isEmpty })
    else { return false }
    var tries = 1
    for piece in pieces {
      tries *= piece.choices.count
      if tries > ArchiveRepair.tryLimit { return false }
    }
    for turn in 0..<tries {
      let isDone = try write(row, isComplete: true) { add throws(ArchiveError) in
        var rest = turn
        for piece in pieces {
          let choice = piece.choices[rest % piece.choices.count]
          rest /= piece.choices.count
          guard let bytes = choice.copy.bytes(row.name, choice.range) else { return false }
          try add(bytes)
        }
        return true
      }
      if isDone { return true }
    }
    return false
  }

  /// Writes what is whole of a file that is not complete, each piece at its place, and says what is lost.
  func keepRest(_ row: ObjectTable.Row, _ pieces: [Piece]?) throws(ArchiveError) -> String {
    guard let pieces, let end = pieces.last?.range.upperBound else {
      return "no copy has it whole, and its parts cannot be told right from wrong"
    }
    // A false length is not written out as zeros.
    guard end <= row.byteCount else { return "no copy has it whole" }
    _ = try write(row, isComplete: false) { add throws(ArchiveError) in
      for piece in pieces {
        try add(
          piece.choices.first.flatMap { $0.copy.bytes(row.name, $0.range) }
            ?? [UInt8](repeating: 0, count: piece.range.count))
      }
      return true
    }
    let lost = pieces.filter(\.choices.isEmpty)
    let first = lost.prefix(8).map { "\($0.name) (byte \($0.range.lowerBound))" }
    let more = lost.count > first.count ? " and \(lost.count - first.count) more" : ""
    let tail = end < row.byteCount ? ["everything from byte \(end)"] : []
    guard !lost.isEmpty || !tail.isEmpty else {
      return "its frames are whole and not those that were sealed"
    }
    return (first + tail).joined(separator: ", ") + more
  }

  // MARK: - Packs

  private func packPieces(_ row: ObjectTable.Row, _ number: UInt32) -> [Piece]? {
    let tag = seal.suite == 1 ? ObjectCipher.tagByteCount : 0
    let start = piece(row, 0..<PackIndex.packHeaderByteCount, "its header") {
      $0 == PackWriter.header(number) ? .right : .wrong
    }
    guard let index = index(of: number, byteCount: row.byteCount) else {
      return walk(row, [start], headerByteCount: ChunkFrame.headerByteCount, "frame") { header in
        try? ChunkFrame.frameByteCount(header: header, tagByteCount: tag, at: "")
      } isWhole: {
        (try? ChunkFrame.parse($0, tagByteCount: tag, at: "")) != nil
      }
    }
    let decoder = ChunkDecoder()
    return [start]
      + index.rows.enumerated().map { position, frame in
        piece(row, frame.range, "frame \(position)") { bytes in
          guard let content = try? ChunkFrame.parse(bytes, tagByteCount: tag, at: "") else {
            return .wrong
          }
          return judge(content, frame.storedID, decoder)
        }
      }
  }

  /// Whether a frame is the one with this stored id, where that can be told from the frame alone.
  private func judge(
    _ content: ChunkFrame.Content, _ id: Digest, _ decoder: ChunkDecoder
  ) -> Judgement {
    guard seal.suite == 0 else {
      guard let keys, let isOpened = keys.opens(content, id: id) else { return .possible }
      return isOpened ? .right : .wrong
    }
    guard !content.codec.isDelta,
      let raw = try? decoder.decode(
        codec: content.codec, parameter: content.parameter, payload: content.storedPayload,
        rawByteCount: content.rawByteCount, rawLimit: ChunkFrame.rawByteLimit, at: "")
    else { return .possible }
    // A frame that no record names has another id.
    return PackWriter.storedID(of: SHA256.hash(raw), in: seal.archiveID) == id ? .right : .possible
  }

  /// The index that was sealed, or one that has a right checksum and fits.
  private func index(of number: UInt32, byteCount: Int) -> PackIndex? {
    let name = ArchiveFiles.packIndex(number)
    let sources = [made] + copies.map(\.source)
    for source in sources {
      guard let bytes = try? source.readWhole(name, limit: PackIndex.byteLimit),
        let index = try? PackIndex(parsing: bytes), index.packNumber == number,
        index.packByteCount == byteCount
      else { continue }
      return index
    }
    return nil
  }

  // MARK: - Records

  private func recordPieces(_ row: ObjectTable.Row) -> [Piece]? {
    let isEncrypted = seal.suite == 1
    let start = piece(row, 0..<RecordsHeader.byteCount, "its header") { bytes in
      // The suite follows from the epoch, in both.
      guard let header = try? RecordsHeader(parsing: bytes), header.archiveID == seal.archiveID,
        header.keyEpoch == seal.keyEpoch
      else { return .wrong }
      return .possible
    }
    func isWhole(_ bytes: [UInt8]) -> Bool {
      (try? RecordFrame.checked(bytes, isEncrypted: isEncrypted)) != nil
    }
    if let index = try? ArchiveReader.index(made, seal, isEncrypted ? keys : nil),
      ArchiveRepair.isContiguous(index.rows, byteCount: row.byteCount)
    {
      return [start]
        + index.rows.enumerated().map { number, record in
          piece(row, record.range, "record \(number)") { isWhole($0) ? .possible : .wrong }
        }
    }
    return walk(row, [start], headerByteCount: RecordFrame.headerByteCount, "record") { header in
      (try? RecordFrame.Header(header))?.frameByteCount
    } isWhole: {
      isWhole($0)
    }
  }

  /// The places are hints of whoever signed.
  private static func isContiguous(_ rows: [RecordIndex.Row], byteCount: Int) -> Bool {
    var offset = RecordsHeader.byteCount
    for row in rows {
      guard row.offset == offset else { return false }
      offset = row.range.upperBound
    }
    return offset == byteCount
  }

  // MARK: - Data points

  /// Offsets of 2^32 points.
  static let offsetsLimit = 8 << 32

  private func pointPieces(_ row: ObjectTable.Row) -> [Piece]? {
    // Encrypted points have no checksum of their own, and are told apart by their digest alone.
    guard seal.suite == 0,
      let table = try? made.readWhole(ArchiveFiles.offsets, limit: ArchiveRepair.offsetsLimit),
      let leaves = try? made.readWhole(
        ArchiveFiles.tree(level: 0), limit: ArchiveRepair.offsetsLimit * 4),
      table.count == (leaves.count / Digest.byteCount + 1) * 8
    else { return nil }
    var reader = ByteReader(table)
    var offsets: [Int] = []
    while let value = try? reader.u64("offset") { offsets.append(Int(clamping: value)) }
    guard offsets.first == 0, offsets.last == row.byteCount,
      zip(offsets, offsets.dropFirst()).allSatisfy({
        // A false length is not held in memory as zeros.
        $0 < $1 && $1 - $0 <= SaltedPoint.byteLimit
      })
    else { return nil }
    return offsets.indices.dropLast().map { index in
      let leaf = leaves[index * Digest.byteCount..<(index + 1) * Digest.byteCount]
      return piece(row, offsets[index]..<offsets[index + 1], "data point \(index)") { bytes in
        guard let signature = SaltedPoint.signature(ofEncoded: bytes[...]),
          MerkleTree.leafHash(of: signature.bytes).bytes.elementsEqual(leaf)
        else { return .wrong }
        return .right
      }
    }
  }

  // MARK: - Finding pieces in the copies

  /// Looks for a piece at its place, and in a copy of another length also where what was taken out or put
  /// in before it moved it.
  private func piece(
    _ row: ObjectTable.Row, _ range: Range<Int>, _ name: String, _ judge: ([UInt8]) -> Judgement
  ) -> Piece {
    var piece = Piece(range: range, name: name)
    for copy in copies {
      guard let byteCount = copy.byteCount(row.name) else { continue }
      for shift in byteCount == row.byteCount ? [0] : [0, byteCount - row.byteCount] {
        // A piece ends within the sealed length, so that no sum overflows; out of the copy there are none.
        let start = range.lowerBound + shift
        guard let bytes = copy.bytes(row.name, start..<start + range.count) else { continue }
        let judgement = judge(bytes)
        guard judgement != .wrong else { continue }
        let choice = Choice(
          copy: copy, range: start..<start + range.count, digest: SHA256.hash(bytes))
        if judgement == .right {
          piece.choices = [choice]
          return piece
        }
        if !piece.choices.contains(where: { $0.digest == choice.digest }) {
          piece.choices.append(choice)
        }
      }
    }
    return piece
  }

  /// Frame after frame, each from a copy that has it whole; ends where no copy has.
  private func walk(
    _ row: ObjectTable.Row, _ start: [Piece], headerByteCount: Int, _ name: String,
    length: ([UInt8]) -> Int?, isWhole: ([UInt8]) -> Bool
  ) -> [Piece] {
    var pieces = start
    var offset = start.last?.range.upperBound ?? 0
    while offset < row.byteCount {
      var lengths = Set<Int>()
      for copy in copies {
        guard let found = copy.byteCount(row.name) else { continue }
        for shift in Set([0, found - row.byteCount]) {
          guard
            let header = copy.bytes(row.name, offset + shift..<offset + shift + headerByteCount),
            let count = length(header), count <= row.byteCount - offset
          else { continue }
          lengths.insert(count)
        }
      }
      let number = pieces.count - start.count
      var found: Piece?
      for count in lengths.sorted() where found == nil {
        let piece = piece(row, offset..<offset + count, "\(name) \(number)") {
          isWhole($0) ? .possible : .wrong
        }
        if !piece.choices.isEmpty { found = piece }
      }
      guard let found else { return pieces }
      pieces.append(found)
      offset = found.range.upperBound
    }
    return pieces
  }
}

extension ArchiveKeys {
  /// Whether a frame opens under its stored id; nil when this key cannot tell.
  func opens(_ content: ChunkFrame.Content, id: Digest) -> Bool? {
    guard case .all(let key) = source else { return nil }
    let shape = ObjectShape.chunk(
      codec: content.codec.rawValue, parameter: content.parameter,
      rawByteCount: UInt32(content.rawByteCount))
    return
      (try? openChunk(
        content.storedPayload, id: id, shape, key: key.objectKey(of: id, .chunk), pack: 0, at: ""))
      != nil
  }
}
