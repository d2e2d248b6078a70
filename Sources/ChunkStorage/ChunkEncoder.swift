internal import CKernels
internal import CLZ4
internal import Glibc

/// Encodes chunks (`spec/filters.md`), one at a time; keeps its working memory from one to the next.
///
/// One for each thread: nothing in it is shared, and nothing but the result is allocated per chunk.
package final class ChunkEncoder {
  /// A bit plane goes to LZ4 when at least one byte in 8 equals the one before it. Random bits have one
  /// in 256; planes in between cost LZ4 most of its time and gain it next to nothing (spec §9).
  private static let repeatShare = 8

  /// The planes of the chunk at hand, then those of them that go to LZ4, side by side.
  private let planes = WorkingMemory(byteCount: ChunkFrame.rawByteLimit + 64 * planeGap)
  private let chosen = WorkingMemory(byteCount: ChunkFrame.rawByteLimit)
  private let trial = WorkingMemory(byteCount: ChunkFrame.rawByteLimit)
  private let state = WorkingMemory(byteCount: Int(LZ4_sizeofState()))

  /// More than a cache line between planes, so that they do not all fall into the same cache sets.
  private static let planeGap = 128

  package init() {}

  /// The encoding by `codec`; by `.constant` where that serves, and `.stored` where nothing is gained.
  ///
  /// - Parameters:
  ///   - raw: 1 to `ChunkFrame.rawByteLimit` bytes. Whole elements, or it is stored.
  ///   - parent: As many bytes as `raw`; read by deltas alone, which need it.
  /// - Complexity: O(`raw.count`); speeds in spec §9.
  package func encode(
    _ raw: UnsafeRawBufferPointer, as element: ChunkElement, codec: ChunkCodec,
    parent: UnsafeRawBufferPointer? = nil
  ) -> ChunkEncoding {
    var used = codec
    let payload = [UInt8](unsafeUninitializedCapacity: raw.count) { out, count in
      (used, count) = encode(
        raw, as: element, codec: codec, parent: parent, into: UnsafeMutableRawBufferPointer(out))
    }
    return ChunkEncoding(
      codec: used, parameter: used.hasElement ? element.parameter : 0, payload: payload,
      rawByteCount: raw.count)
  }

  /// As `encode` of an array, with the payload at the start of `out`.
  ///
  /// - Parameter out: Room for `raw.count` bytes.
  package func encode(
    _ raw: UnsafeRawBufferPointer, as element: ChunkElement, codec: ChunkCodec,
    parent: UnsafeRawBufferPointer?, into out: UnsafeMutableRawBufferPointer
  ) -> (codec: ChunkCodec, byteCount: Int) {
    precondition(out.count >= raw.count)
    let start = out.bindMemory(to: UInt8.self).baseAddress
    var count = 0
    if codec != .constant, write(.constant, raw, element, parent, &count, start) {
      return (.constant, count)
    }
    if write(codec, raw, element, parent, &count, start) { return (codec, count) }
    out.copyMemory(from: raw)
    return (.stored, raw.count)
  }

  /// How many bytes `encode` would make of `raw`: ask it of a part of a chunk, such as `sample`.
  package func encodedByteCount(
    _ raw: UnsafeRawBufferPointer, as element: ChunkElement, codec: ChunkCodec,
    parent: UnsafeRawBufferPointer? = nil
  ) -> Int {
    var count = 0
    if write(.constant, raw, element, parent, &count, trial.bytes) { return count }
    return write(codec, raw, element, parent, &count, trial.bytes) ? count : raw.count
  }

  /// A part from the middle of a chunk that stands for the whole: at most 128 KiB of whole elements.
  /// A smaller part would favour bit planes: byte planes gain from what stands far apart.
  package static func sample(ofByteCount byteCount: Int) -> Range<Int> {
    let count = min(byteCount, 128 << 10)
    let start = (byteCount - count) / 2 / 8 * 8
    return start..<start + count
  }

  /// Writes the payload to `out`, which has room for `raw.count` bytes; false when it is not smaller.
  private func write(
    _ codec: ChunkCodec, _ raw: UnsafeRawBufferPointer, _ element: ChunkElement,
    _ parent: UnsafeRawBufferPointer?, _ count: inout Int, _ out: UnsafeMutablePointer<UInt8>?
  ) -> Bool {
    precondition(!raw.isEmpty && raw.count <= ChunkFrame.rawByteLimit)
    precondition(!codec.isDelta || parent?.count == raw.count, "a delta needs a parent as long")
    guard let out, let bytes = raw.baseAddress?.assumingMemoryBound(to: UInt8.self),
      !codec.hasElement || raw.count % element.byteCount == 0
    else { return false }
    let older = parent?.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let output = Output(start: out, limit: raw.count - 1)
    switch codec {
    case .stored:
      return false
    case .lz4:
      count = compress(bytes, raw.count, to: output)
      return count > 0
    case .constant:
      let size = element.byteCount
      guard size < raw.count, memcmp(bytes, bytes + size, raw.count - size) == 0 else {
        return false
      }
      memcpy(out, bytes, size)
      count = size
    case .bits, .deltaBits:
      guard let written = writeBits(codec, bytes, raw.count, element, older, output) else {
        return false
      }
      count = written
    case .deltaPlanes:
      guard let written = writePlanes(bytes, raw.count, element, older, output) else {
        return false
      }
      count = written
    }
    return true
  }

  /// Plane mask, tail, the planes that are not coded, one LZ4 block of those that are (spec §5).
  private func writeBits(
    _ codec: ChunkCodec, _ raw: UnsafePointer<UInt8>, _ byteCount: Int, _ element: ChunkElement,
    _ parent: UnsafePointer<UInt8>?, _ output: Output
  ) -> Int? {
    let size = element.byteCount
    let elementCount = byteCount / size
    let planeByteCount = elementCount / 8
    let tailByteCount = elementCount % 8 * size
    var position = size + tailByteCount
    // With no plane chosen, or none at all, the payload has no room: that ends here or in the loop.
    guard position <= output.limit else { return nil }
    let stride = (planeByteCount + 63) / 64 * 64 + 64
    pol_filter_bits(
      size, codec.map(of: element), elementCount, raw, parent, planes.bytes, stride,
      output.start + size)
    memset(output.start, 0, size)
    var chosenCount = 0
    for plane in 0..<8 * size {
      let place = planes.bytes + plane * stride
      if pol_repeat_count(planeByteCount, place) * ChunkEncoder.repeatShare >= planeByteCount {
        output.start[plane / 8] |= 1 << UInt8(plane % 8)
        pol_copy_bytes(planeByteCount, place, chosen.bytes + chosenCount)
        chosenCount += planeByteCount
      } else {
        guard position + planeByteCount <= output.limit else { return nil }
        pol_copy_bytes(planeByteCount, place, output.start + position)
        position += planeByteCount
      }
    }
    let coded = compress(chosen.bytes, chosenCount, to: output.after(position))
    return coded > 0 ? position + coded : nil
  }

  /// A u32 length for each byte plane, then the planes (spec §6).
  private func writePlanes(
    _ raw: UnsafePointer<UInt8>, _ byteCount: Int, _ element: ChunkElement,
    _ parent: UnsafePointer<UInt8>?, _ output: Output
  ) -> Int? {
    let size = element.byteCount
    let planeByteCount = byteCount / size
    var position = 4 * size
    guard position <= output.limit else { return nil }
    pol_filter_bytes(
      size, ChunkCodec.deltaPlanes.map(of: element), planeByteCount, raw, parent, planes.bytes)
    for plane in 0..<size {
      let place = planes.bytes + plane * planeByteCount
      // What gains less than 1/64 is not worth the reader's time.
      let worth = Output(
        start: output.start + position,
        limit: min(output.limit - position, planeByteCount - planeByteCount / 64 - 1))
      var stored = compress(place, planeByteCount, to: worth)
      if stored == 0 {
        guard position + planeByteCount <= output.limit else { return nil }
        pol_copy_bytes(planeByteCount, place, worth.start)
        stored = planeByteCount
      }
      var length = UInt32(stored).littleEndian
      memcpy(output.start + 4 * plane, &length, 4)
      position += stored
    }
    return position
  }

  /// The byte count of the LZ4 block, 0 when it has no room.
  private func compress(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, to output: Output
  ) -> Int {
    guard output.limit > 0 else { return 0 }
    return UnsafeRawPointer(bytes).withMemoryRebound(to: CChar.self, capacity: count) { source in
      UnsafeMutableRawPointer(output.start).withMemoryRebound(
        to: CChar.self, capacity: output.limit
      ) { target in
        max(
          0,
          Int(
            LZ4_compress_fast_extState(
              state.bytes, source, target, Int32(count), Int32(output.limit), 1)))
      }
    }
  }

  /// Where a payload is written, and at most how many bytes of it.
  private struct Output {
    let start: UnsafeMutablePointer<UInt8>
    let limit: Int

    func after(_ count: Int) -> Output { Output(start: start + count, limit: limit - count) }
  }
}

extension ChunkCodec {
  /// How the elements become integers (spec §4).
  func map(of element: ChunkElement) -> pol_filter_map {
    switch (isDelta, element.isFloat) {
    case (false, false): POL_MAP_PLAIN
    case (false, true): POL_MAP_ROTATE
    case (true, false): POL_MAP_DELTA
    case (true, true): POL_MAP_DELTA_FLOAT
    }
  }
}

/// Memory of a codec, uninitialized, on a cache line; its pages cost nothing before they are used.
final class WorkingMemory {
  let bytes: UnsafeMutablePointer<UInt8>
  private let memory: UnsafeMutableRawPointer

  init(byteCount: Int) {
    memory = .allocate(byteCount: byteCount, alignment: 64)
    bytes = memory.bindMemory(to: UInt8.self, capacity: byteCount)
  }

  deinit { memory.deallocate() }
}
