import CKernels
import Testing

@testable import ChunkStorage

/// Serialized: the path is chosen for the whole process.
@Suite("Filter kernels (filters.md §4)", .serialized) struct FilterKernelTests {
  static let counts = [1, 2, 7, 8, 9, 63, 64, 511, 512, 513, 519, 1024, 1543, 4096]
  static let elements = [1, 2, 4, 8].flatMap { size in
    [false, true].compactMap { ChunkElement(byteCount: size, isFloat: $0) }
  }

  @Test("bit planes are the reference's on both paths, and come back", arguments: elements, counts)
  func bits(element: ChunkElement, count: Int) {
    for inputs in FilterInputs.pairs(byteCount: count * element.byteCount, element) {
      for isDelta in [false, true] {
        let codec: ChunkCodec = isDelta ? .deltaBits : .bits
        let mapped = ReferenceFilters.mapped(
          inputs.raw, element, parent: isDelta ? inputs.parent : nil)
        let expected = ReferenceFilters.bitPlanes(mapped, size: element.byteCount)
        for isPortable in [false, true] {
          pol_kernels_force_portable(isPortable ? 1 : 0)
          defer { pol_kernels_force_portable(0) }
          let found = filterBits(inputs, element, codec)
          #expect(found.planes == expected.planes.flatMap { $0 }, "\(inputs.name) \(isPortable)")
          #expect(found.tail == expected.tail, "\(inputs.name) \(isPortable)")
          let back = unfilterBits(expected.planes, expected.tail, inputs, element, codec)
          #expect(back == inputs.raw, "\(inputs.name) \(isPortable)")
        }
      }
    }
  }

  @Test("byte planes are the reference's on both paths, and come back", arguments: elements, counts)
  func bytes(element: ChunkElement, count: Int) {
    let size = element.byteCount
    let map = ChunkCodec.deltaPlanes.map(of: element)
    for inputs in FilterInputs.pairs(byteCount: count * size, element) {
      let mapped = ReferenceFilters.mapped(inputs.raw, element, parent: inputs.parent)
      let expected = ReferenceFilters.bytePlanes(mapped, size: size)
      for isPortable in [false, true] {
        pol_kernels_force_portable(isPortable ? 1 : 0)
        defer { pol_kernels_force_portable(0) }
        var planes = [UInt8](repeating: 0x55, count: inputs.raw.count)
        pol_filter_bytes(size, map, count, inputs.raw, inputs.parent, &planes)
        #expect(planes == expected.flatMap { $0 }, "\(inputs.name) \(isPortable)")
        var back = [UInt8](repeating: 0xaa, count: inputs.raw.count)
        planes.withUnsafeBufferPointer { planes in
          let places = (0..<size).map { byte in planes.baseAddress.map { $0 + byte * count } }
          pol_unfilter_bytes(size, map, count, places, inputs.parent, &back)
        }
        #expect(back == inputs.raw, "\(inputs.name) \(isPortable)")
      }
    }
  }

  @Test("repeats are counted and bytes copied the same on both paths", arguments: counts)
  func repeatsAndCopies(count: Int) {
    for inputs in FilterInputs.pairs(byteCount: count, .byte) {
      let expected = zip(inputs.raw, inputs.raw.dropFirst()).count { $0 == $1 }
      for isPortable in [false, true] {
        pol_kernels_force_portable(isPortable ? 1 : 0)
        defer { pol_kernels_force_portable(0) }
        #expect(pol_repeat_count(count, inputs.raw) == expected)
        var copy = [UInt8](repeating: 0, count: count)
        pol_copy_bytes(count, inputs.raw, &copy)
        #expect(copy == inputs.raw)
      }
    }
  }

  /// The planes without the gaps between them; what is written into a gap shows as a wrong guard byte.
  private func filterBits(
    _ inputs: FilterInputs, _ element: ChunkElement, _ codec: ChunkCodec
  ) -> (planes: [UInt8], tail: [UInt8]) {
    let size = element.byteCount
    let count = inputs.raw.count / size
    let planeByteCount = count / 8
    let stride = planeByteCount + 3
    var planes = [UInt8](repeating: 0x55, count: 8 * size * stride)
    var tail = [UInt8](repeating: 0, count: count % 8 * size)
    pol_filter_bits(
      size, codec.map(of: element), count, inputs.raw, codec.isDelta ? inputs.parent : nil, &planes,
      stride, &tail)
    var packed: [UInt8] = []
    for plane in 0..<8 * size {
      let end = plane * stride + planeByteCount
      packed += planes[plane * stride..<end]
      #expect(planes[end..<end + 3].allSatisfy { $0 == 0x55 })
    }
    return (packed, tail)
  }

  private func unfilterBits(
    _ planes: [[UInt8]], _ tail: [UInt8], _ inputs: FilterInputs, _ element: ChunkElement,
    _ codec: ChunkCodec
  ) -> [UInt8] {
    let size = element.byteCount
    let count = inputs.raw.count / size
    let packed = planes.flatMap { $0 }
    var raw = [UInt8](repeating: 0xaa, count: inputs.raw.count)
    packed.withUnsafeBufferPointer { packed in
      let places = (0..<8 * size).map { plane in packed.baseAddress.map { $0 + plane * (count / 8) }
      }
      pol_unfilter_bits(
        size, codec.map(of: element), count, places, tail, codec.isDelta ? inputs.parent : nil, &raw
      )
    }
    return raw
  }
}

/// A chunk and a parent of the same length.
struct FilterInputs {
  let name: String
  let raw: [UInt8]
  let parent: [UInt8]

  /// Random, near and adversarial contents.
  static func pairs(byteCount: Int, _ element: ChunkElement) -> [FilterInputs] {
    var random = RandomBytes(seed: UInt64(byteCount) * 31 + UInt64(element.parameter))
    let noise = random.bytes(byteCount)
    let other = random.bytes(byteCount)
    let near = noise.enumerated().map { place, byte in
      place % element.byteCount == 0 ? byte ^ 3 : byte
    }
    // Zeros, infinities, NaN with payloads, denormals and the ends of the integers, in turn.
    let size = element.byteCount
    let edges: [[UInt8]] = [
      [UInt8](repeating: 0, count: size), [UInt8](repeating: 255, count: size),
      [UInt8](repeating: 0, count: size - 1) + [128],
      [UInt8](repeating: 255, count: size - 1) + [127],
      [1] + [UInt8](repeating: 0, count: size - 1),
      ([UInt8](repeating: 0, count: 8) + [0xc0, 0xff]).suffix(size) + [],
      ([UInt8](repeating: 7, count: 8) + [0x80, 0x7f]).suffix(size) + [],
    ]
    let odd = Array((0..<byteCount / size).flatMap { edges[$0 % edges.count] })
    let turned = Array((0..<byteCount / size).flatMap { edges[$0 / 3 % edges.count] })
    return [
      FilterInputs(name: "noise", raw: noise, parent: other),
      FilterInputs(name: "near", raw: near, parent: noise),
      FilterInputs(name: "edges", raw: odd, parent: turned),
      FilterInputs(name: "equal", raw: noise, parent: noise),
      FilterInputs(name: "zeros", raw: [UInt8](repeating: 0, count: byteCount), parent: odd),
    ]
  }
}

/// A seeded source of bytes (splitmix64), the same on every run.
struct RandomBytes {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func word() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: word() >> 32) }
  }
}
