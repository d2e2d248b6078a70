import ChunkStorage
import Cryptography
import Glibc
import ProofPrimitives

/// Speeds of the chunk codecs over that of SHA-256, and what they save, on weights made here.
///
/// All figures are taken in turn in one process, processor time of one thread; of the repetitions the
/// fastest counts for each.
struct FilterBenchmark {
  private static let chunkByteCount = 256 << 10
  private static let chunkCount = 16
  private static let repetitions = 9

  func run() throws -> JSONValue {
    let (older, newer) = FilterBenchmark.weights()
    let half = (FilterBenchmark.upperHalves(older), FilterBenchmark.upperHalves(newer))
    return .map([
      ("bfloat16", try measure(half.1, parent: half.0, byteCount: 2)),
      ("float32", try measure(newer, parent: older, byteCount: 4)),
    ])
  }

  private func measure(_ raw: [UInt8], parent: [UInt8], byteCount: Int) throws -> JSONValue {
    guard let element = ChunkElement(byteCount: byteCount, isFloat: true) else {
      throw BenchmarkFailure(message: "there is no such element")
    }
    var members: [(String, JSONValue)] = []
    for codec in [ChunkCodec.lz4, .bits, .deltaPlanes, .deltaBits] {
      members.append(("\(codec)", try measure(raw, parent, element, codec)))
    }
    return .map(members.sorted { $0.0 < $1.0 })
  }

  private func measure(
    _ raw: [UInt8], _ parent: [UInt8], _ element: ChunkElement, _ codec: ChunkCodec
  ) throws -> JSONValue {
    let chunks = stride(from: 0, to: raw.count, by: FilterBenchmark.chunkByteCount).map {
      (
        Array(raw[$0..<$0 + FilterBenchmark.chunkByteCount]),
        Array(parent[$0..<$0 + FilterBenchmark.chunkByteCount])
      )
    }
    let encoder = ChunkEncoder()
    let decoder = ChunkDecoder()
    var encodings: [ChunkEncoding] = []
    var hashing = Double.infinity
    var encoding = Double.infinity
    var both = Double.infinity
    var decoding = Double.infinity
    func encode(_ chunk: ([UInt8], [UInt8])) -> ChunkEncoding {
      chunk.0.withUnsafeBytes { raw in
        chunk.1.withUnsafeBytes { parent in
          encoder.encode(raw, as: element, codec: codec, parent: codec.isDelta ? parent : nil)
        }
      }
    }
    for _ in 0..<FilterBenchmark.repetitions {
      var mark = threadSeconds()
      func lap() -> Double {
        let now = threadSeconds()
        defer { mark = now }
        return now - mark
      }
      for chunk in chunks { _ = SHA256.hash(chunk.0) }
      hashing = min(hashing, lap())
      encodings = chunks.map(encode)
      encoding = min(encoding, lap())
      for chunk in chunks {
        _ = SHA256.hash(chunk.0)
        _ = encode(chunk)
      }
      both = min(both, lap())
      for (chunk, one) in zip(chunks, encodings) {
        let back = try decoder.decode(
          codec: one.codec, parameter: one.parameter, payload: one.payload[...],
          rawByteCount: one.rawByteCount, parent: one.codec.isDelta ? chunk.1 : nil,
          at: "memory")
        guard back.count == chunk.0.count else {
          throw BenchmarkFailure(message: "a chunk has another length")
        }
      }
      decoding = min(decoding, lap())
      for (chunk, one) in zip(chunks, encodings) {
        let back = try decoder.decode(
          codec: one.codec, parameter: one.parameter, payload: one.payload[...],
          rawByteCount: one.rawByteCount, parent: one.codec.isDelta ? chunk.1 : nil,
          at: "memory")
        guard back == chunk.0 else { throw BenchmarkFailure(message: "a chunk came back changed") }
      }
    }
    let stored = encodings.reduce(0) { $0 + $1.payload.count }
    return .map([
      ("bytesOverStored", .double(Double(raw.count) / Double(stored))),
      ("decodeOverHash", .double(hashing / decoding)),
      ("encodeAndHashOverHash", .double(hashing / both)),
      ("encodeOverHash", .double(hashing / encoding)),
      ("hashGigabytesPerSecond", .double(Double(raw.count) / hashing / 1e9)),
    ])
  }

  /// Binary32 weights and the same some steps of training later: normal around 0 with the spread that
  /// a layer of 784 inputs starts with, each moved by about the 30th part of that.
  private static func weights() -> (older: [UInt8], newer: [UInt8]) {
    var generator = ChaCha20Generator(key: [UInt8](repeating: 9, count: 32))
    /// The sum of four 32-bit integers is near enough to normal, of variance 1 after scaling.
    func normal() -> Double {
      let sum = (0..<4).reduce(0.0) { sum, _ in sum + Double(generator.nextWord()) * 0x1p-32 }
      return (sum - 2) * 1.7320508
    }
    var older: [UInt8] = []
    var newer: [UInt8] = []
    for _ in 0..<chunkCount * chunkByteCount / 4 {
      let weight = normal() * 0.05
      let moved = weight + normal() * 0.0015
      withUnsafeBytes(of: Float(weight).bitPattern.littleEndian) { older.append(contentsOf: $0) }
      withUnsafeBytes(of: Float(moved).bitPattern.littleEndian) { newer.append(contentsOf: $0) }
    }
    return (older, newer)
  }

  /// Binary32 as bfloat16, rounded toward zero.
  private static func upperHalves(_ bytes: [UInt8]) -> [UInt8] {
    stride(from: 0, to: bytes.count, by: 4).flatMap { [bytes[$0 + 2], bytes[$0 + 3]] }
  }

  private func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
