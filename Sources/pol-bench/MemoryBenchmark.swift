import Cryptography
import Glibc
import ProofArchive
import ProofPrimitives
import ProofRecording

/// Peak memory of recording checkpoints of a given size, above what the process began with. In a
/// process of its own: a peak never falls.
struct MemoryBenchmark {
  /// A state whose bytes are a function of place and step: noise in the low bits, slowly changing.
  private struct Generated: StateSource {
    let specs: [TensorSpec]
    let step: UInt64

    func read(
      tensor index: Int, at offset: Int, into out: UnsafeMutableRawBufferPointer
    ) throws(ArchiveError) {
      let words = out.bindMemory(to: UInt32.self)
      for position in words.indices {
        var value = UInt64(index) << 40 | UInt64(offset / 4 + position)
        value = value &* 0x9e37_79b9_7f4a_7c15
        value ^= value >> 29
        // A float32 near 1, whose last bits move with the step.
        words[position] =
          0x3f80_0000 | UInt32(truncatingIfNeeded: value >> 20) & 0x7f_ff00
          | UInt32(truncatingIfNeeded: value &+ step) & 0xff
      }
    }
  }

  let byteCount: Int
  let scratch: String

  /// Peak resident bytes above the start.
  func run() throws -> Int {
    let start = peakByteCount()
    let key = try SigningKey.generate()
    let tensorCount = 16
    let specs = (0..<tensorCount).compactMap { number in
      TensorSpec(
        name: "layer.\(10 + number)", role: number < tensorCount / 2 ? .weight : .optimizer,
        type: .f32, shape: [byteCount / tensorCount / 4])
    }
    let path = "\(scratch)/memory.pol"
    try removeFolder(path)
    var options = ArchiveWriter.Options()
    options.workers = 2
    let run = try prepareRun(
      at: path, proverKey: key.verifyingKey,
      settings: RunDescription(
        parsing: JSONValue.map([
          ("algorithm", .string(RunDescription.importAlgorithm)), ("steps", .int(1)),
        ]).encoded),
      policy: Policy.proverDefault(
        every: 1, algorithm: RunDescription.importAlgorithm, steps: 1, passes: 0),
      points: [], options: options)
    for step in 0..<2 {
      try run.writer.append(
        Generated(specs: specs, step: UInt64(step)), steps: [],
        gap: step == 0 ? nil : CheckpointRecord.Gap(lostSteps: 1, cause: "imported"))
    }
    _ = try run.writer.seal(with: key)
    let peak = peakByteCount()
    try removeFolder(path)
    return peak - start
  }
}
