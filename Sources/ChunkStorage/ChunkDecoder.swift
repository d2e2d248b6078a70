internal import CKernels
internal import CLZ4
internal import Glibc

/// Decodes chunks (`spec/filters.md`), one at a time; keeps its working memory from one to the next.
///
/// One for each thread. The payload comes from a stranger: every length is compared before it is used,
/// and nothing is believed of the content, which the chunk's digest decides.
package final class ChunkDecoder {
  /// One byte of an LZ4 block yields at most 255.
  private static let expansionLimit = 255

  private let chosen = WorkingMemory(byteCount: ChunkFrame.rawByteLimit)

  package init() {}

  /// The raw bytes, `rawByteCount` of them. Allocates nothing else.
  ///
  /// - Parameters:
  ///   - rawByteCount: As the frame says; `.limit` above `rawLimit`.
  ///   - parent: The chunk that a delta is against, and `nil` for every other codec.
  ///   - rawLimit: At most `ChunkFrame.rawByteLimit`.
  /// - Throws: `.limit` or `.malformed`, as spec §7 lists them.
  package func decode(
    codec: ChunkCodec, parameter: UInt8, payload: ArraySlice<UInt8>, rawByteCount: Int,
    parent: [UInt8]? = nil, rawLimit: Int = ChunkFrame.rawByteLimit, at place: String
  ) throws(StorageError) -> [UInt8] {
    let limit = min(rawLimit, ChunkFrame.rawByteLimit)
    let largest = max(rawByteCount, payload.count)
    guard largest <= limit else {
      throw ChunkFrame.tooLarge(place, largest, limit)
    }
    guard rawByteCount >= 1 else { throw Refusal.lengths.error(at: place) }
    guard codec.hasElement || parameter == 0 else { throw Refusal.parameter.error(at: place) }
    var element = ChunkElement.byte
    if codec.hasElement {
      guard let stated = ChunkElement(parameter: parameter) else {
        throw Refusal.parameter.error(at: place)
      }
      element = stated
    }
    guard rawByteCount % element.byteCount == 0 else { throw Refusal.elements.error(at: place) }
    guard codec.isDelta == (parent != nil), parent == nil || parent?.count == rawByteCount else {
      throw Refusal.parent.error(at: place)
    }
    if codec == .stored {
      guard payload.count == rawByteCount else { throw Refusal.lengths.error(at: place) }
      return Array(payload)
    }
    guard payload.count < rawByteCount else { throw Refusal.lengths.error(at: place) }
    var refusal: Refusal?
    let raw = [UInt8](unsafeUninitializedCapacity: rawByteCount) { out, count in
      payload.withUnsafeBufferPointer { payload in
        (parent ?? []).withUnsafeBufferPointer { parent in
          guard let payload = Bytes(payload), let out = out.baseAddress else {
            refusal = .lengths
            return
          }
          let chunk = Chunk(
            element: element, map: codec.map(of: element), byteCount: rawByteCount,
            parent: parent.baseAddress, raw: out)
          switch codec {
          case .stored: refusal = .lengths  // Answered above.
          case .lz4: refusal = decompress(payload, to: out, rawByteCount)
          case .constant: refusal = repeatElement(payload, chunk)
          case .bits, .deltaBits: refusal = joinBits(payload, chunk)
          case .deltaPlanes: refusal = joinPlanes(payload, chunk)
          }
        }
      }
      count = refusal == nil ? rawByteCount : 0
    }
    if let refusal { throw refusal.error(at: place) }
    return raw
  }

  private func repeatElement(_ payload: Bytes, _ chunk: Chunk) -> Refusal? {
    let size = chunk.element.byteCount
    guard payload.count == size else { return .lengths }
    var done = size
    memcpy(chunk.raw, payload.start, size)
    while done < chunk.byteCount {
      let now = min(done, chunk.byteCount - done)
      memcpy(chunk.raw + done, chunk.raw, now)
      done += now
    }
    return nil
  }

  /// Spec §5.
  private func joinBits(_ payload: Bytes, _ chunk: Chunk) -> Refusal? {
    let size = chunk.element.byteCount
    let elementCount = chunk.byteCount / size
    let planeByteCount = elementCount / 8
    var rest = payload
    guard let mask = rest.take(size),
      let tail = rest.take(elementCount % 8 * size)
    else { return .lengths }
    let chosenCount = (0..<size).reduce(0) { $0 + mask.start[$1].nonzeroBitCount }
    let plainCount = 8 * size - chosenCount
    // That some plane is chosen needs no check: all planes plain are not shorter than the chunk.
    guard let plain = rest.take(plainCount * planeByteCount) else { return .lengths }
    if let refusal = decompress(rest, to: chosen.bytes, chosenCount * planeByteCount) {
      return refusal
    }
    var nextChosen = UnsafePointer(chosen.bytes)
    var nextPlain = plain.start
    withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: 64) { planes in
      for plane in 0..<8 * size {
        let isChosen = mask.start[plane / 8] >> UInt8(plane % 8) & 1 == 1
        planes.initializeElement(at: plane, to: isChosen ? nextChosen : nextPlain)
        if isChosen { nextChosen += planeByteCount } else { nextPlain += planeByteCount }
      }
      pol_unfilter_bits(
        size, chunk.map, elementCount, planes.baseAddress, tail.start, chunk.parent, chunk.raw)
    }
    return nil
  }

  /// Spec §6.
  private func joinPlanes(_ payload: Bytes, _ chunk: Chunk) -> Refusal? {
    let size = chunk.element.byteCount
    let planeByteCount = chunk.byteCount / size
    var rest = payload
    guard let lengths = rest.take(4 * size) else { return .lengths }
    return withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: 8) { planes in
      for plane in 0..<size {
        var length: UInt32 = 0
        memcpy(&length, lengths.start + 4 * plane, 4)
        guard let stored = rest.take(Int(UInt32(littleEndian: length))),
          stored.count <= planeByteCount
        else { return Refusal.lengths }
        if stored.count == planeByteCount {
          planes.initializeElement(at: plane, to: stored.start)
          continue
        }
        let place = chosen.bytes + plane * planeByteCount
        if let refusal = decompress(stored, to: place, planeByteCount) { return refusal }
        planes.initializeElement(at: plane, to: UnsafePointer(place))
      }
      guard rest.count == 0 else { return Refusal.lengths }
      pol_unfilter_bytes(
        size, chunk.map, planeByteCount, planes.baseAddress, chunk.parent, chunk.raw)
      return nil
    }
  }

  /// An LZ4 block of exactly `count` bytes.
  private func decompress(
    _ block: Bytes, to out: UnsafeMutablePointer<UInt8>, _ count: Int
  ) -> Refusal? {
    guard count <= block.count * ChunkDecoder.expansionLimit else {
      return .expansion(count, of: block.count)
    }
    let written = UnsafeRawPointer(block.start).withMemoryRebound(
      to: CChar.self, capacity: block.count
    ) { source in
      UnsafeMutableRawPointer(out).withMemoryRebound(to: CChar.self, capacity: count) { target in
        LZ4_decompress_safe(source, target, Int32(block.count), Int32(count))
      }
    }
    return Int(written) == count ? nil : .block(count)
  }

  /// What a payload becomes, and where.
  private struct Chunk {
    let element: ChunkElement
    let map: pol_filter_map
    let byteCount: Int
    let parent: UnsafePointer<UInt8>?
    let raw: UnsafeMutablePointer<UInt8>
  }

  /// A cursor over the payload, valid while the payload is.
  private struct Bytes {
    private(set) var start: UnsafePointer<UInt8>
    private(set) var count: Int

    init?(_ buffer: UnsafeBufferPointer<UInt8>) {
      guard let start = buffer.baseAddress else { return nil }
      self.start = start
      count = buffer.count
    }

    mutating func take(_ wanted: Int) -> Bytes? {
      guard wanted >= 0, wanted <= count else { return nil }
      var taken = self
      taken.count = wanted
      start += wanted
      count -= wanted
      return taken
    }
  }

  private enum Refusal {
    case lengths, parameter, elements, parent
    case block(Int)
    case expansion(Int, of: Int)

    func error(at place: String) -> StorageError {
      switch self {
      case .lengths: ChunkFrame.malformed(place, "the lengths do not fit the codec")
      case .parameter: ChunkFrame.malformed(place, "the parameter does not fit the codec")
      case .elements: ChunkFrame.malformed(place, "the raw length is not of whole elements")
      case .parent:
        ChunkFrame.malformed(place, "a delta and only a delta has a parent, as long as itself")
      case .block(let count):
        ChunkFrame.malformed(place, "an LZ4 block is not \(count) bytes long when decoded")
      case .expansion(let count, let stored):
        ChunkFrame.tooLarge(place, count, stored * ChunkDecoder.expansionLimit)
      }
    }
  }
}
