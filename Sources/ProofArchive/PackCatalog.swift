internal import ChunkStorage
internal import ProofPrimitives

/// The whole frames of a pack that has no index.
struct OpenPack {
  let index: PackIndex
  /// Where bytes stand after them that are no whole frame.
  var tornOffset: Int?
}

/// The frames of the packs that are read, by number: indexes are fetched when they are needed, all
/// that one step needs in one round trip.
///
/// Not thread-safe.
final class PackCatalog {
  private let source: any ObjectSource
  private let rawLimit: Int
  /// Packs that have no index yet, because the archive is not sealed.
  private let open: [UInt32: OpenPack]
  private var closed: [UInt32: PackIndex] = [:]
  private var rowCount = 0
  /// About 24 MiB of rows; a pack of 64 MiB has a few hundred.
  private static let rowLimit = 1 << 19

  init(_ source: any ObjectSource, rawLimit: Int, open: [UInt32: OpenPack] = [:]) {
    self.source = source
    self.rawLimit = rawLimit
    self.open = open
  }

  private func missing(_ numbers: Set<UInt32>) -> [UInt32] {
    numbers.filter { open[$0] == nil && closed[$0] == nil }.sorted()
  }

  private func request(_ number: UInt32) -> ObjectRequest {
    ObjectRequest(ArchiveFiles.packIndex(number), .whole(limit: PackIndex.byteLimit))
  }

  /// What `load` asks for.
  func requests(_ numbers: Set<UInt32>) -> [ObjectRequest] { missing(numbers).map(request) }

  /// Fetches the indexes of these packs that are not here yet.
  func load(_ numbers: Set<UInt32>) throws(ArchiveError) {
    let missing = missing(numbers)
    guard !missing.isEmpty else { return }
    let answers = try storing { () throws(StorageError) in
      try source.readTogether(missing.map(request))
    }
    for (number, bytes) in zip(missing, answers) {
      let index = try PackCatalog.index(number, bytes, source, rawLimit)
      if rowCount + index.rows.count > PackCatalog.rowLimit {
        closed = [:]
        rowCount = 0
      }
      closed[number] = index
      rowCount += index.rows.count
    }
  }

  /// Where a frame stands. Fetches the pack's index when it is not here.
  func row(
    _ place: Envelope.Place, for what: @autoclosure () -> String
  ) throws(ArchiveError) -> PackIndex.Row {
    if open[place.pack] == nil, closed[place.pack] == nil { try load([place.pack]) }
    guard let index = open[place.pack]?.index ?? closed[place.pack],
      Int(place.frame) < index.rows.count
    else {
      // Bytes stand where the frame should: it is not missing.
      if let offset = open[place.pack]?.tornOffset {
        throw ArchiveError(
          .damaged, at: "\(source.location)/\(ArchiveFiles.pack(place.pack)), byte \(offset)",
          "the frame here is not whole, and without an index none after it can be found")
      }
      throw ArchiveError(
        .missing, at: "\(source.location)/\(ArchiveFiles.pack(place.pack))",
        "it has no frame \(place.frame), which should hold \(what())")
    }
    return index.rows[Int(place.frame)]
  }

  /// Lengths of the frames of a pack that is loaded, in order of place.
  func frameByteCounts(ofPack number: UInt32) -> [Int] {
    (open[number]?.index ?? closed[number])?.rows.map(\.byteCount) ?? []
  }

  /// The index of one pack as it stands in its file.
  static func index(
    _ number: UInt32, _ source: any ObjectSource, rawLimit: Int = ChunkFrame.rawByteLimit
  ) throws(ArchiveError) -> PackIndex {
    let bytes = try storing { () throws(StorageError) in
      try source.readWhole(ArchiveFiles.packIndex(number), limit: PackIndex.byteLimit)
    }
    return try index(number, bytes, source, rawLimit)
  }

  private static func index(
    _ number: UInt32, _ bytes: [UInt8]?, _ source: any ObjectSource, _ rawLimit: Int
  ) throws(ArchiveError) -> PackIndex {
    let name = ArchiveFiles.packIndex(number)
    guard let bytes else {
      let pack = ArchiveFiles.pack(number)
      let isPackThere = try storing { () throws(StorageError) in
        try source.byteCount(of: pack) != nil
      }
      throw ArchiveError(
        .missing, at: "\(source.location)/\(isPackThere ? name : pack)", "the file is not there")
    }
    let index = try parsing("\(source.location)/\(name)") { () throws(ParsingError) in
      try PackIndex(parsing: bytes, rawLimit: rawLimit)
    }
    guard index.packNumber == number else {
      throw ArchiveError(
        .malformed, at: "\(source.location)/\(name)", "it is the index of another pack")
    }
    return index
  }

  /// Compares a pack's length with what its index says; a pack that is not there says nothing.
  static func comparePack(
    _ number: UInt32, _ claimed: Int, _ source: any ObjectSource
  ) throws(ArchiveError) {
    let name = ArchiveFiles.pack(number)
    let found = try storing { () throws(StorageError) in try source.byteCount(of: name) }
    if let found, found != claimed {
      throw ArchiveError(
        .damaged, at: name, "it has \(found) bytes, its index says \(claimed)")
    }
  }
}
