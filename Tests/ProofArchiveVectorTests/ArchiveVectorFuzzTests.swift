internal import Foundation
internal import ProofArchive
internal import ProofTestSupport
internal import Testing

/// SplitMix64 (Steele et al., 2014): the same mutations on every machine.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

@Suite("Mutated archives (archive.md §8)") struct ArchiveVectorFuzzTests {
  @Test("no mutation of a file is taken for whole, traps or hangs", arguments: [1, 2, 3])
  func mutated(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let name = seed == 3 ? "ledger" : "minimal"
    try withVectorArchive(name) { path in
      let files = try FileManager.default.subpathsOfDirectory(atPath: path).sorted().filter {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: "\(path)/\($0)", isDirectory: &isFolder)
          && !isFolder.boolValue
      }
      // Without the seal the parsers get further before a digest stops them.
      let tables = ["seal", "objects", "norms", "records.index"]
      for turn in 0..<1000 {
        let isSealed = turn % 2 == 0
        let file =
          files.filter { isSealed || !tables.contains($0) }
          .randomElement(using: &generator) ?? "records"
        let place = URL(fileURLWithPath: "\(path)/\(file)")
        let original = try Data(contentsOf: place)
        let changed = Self.mutate(Array(original), &generator)
        guard changed != Array(original) else { continue }
        try Data(changed).write(to: place)
        let seal = "\(path)/seal"
        if !isSealed { try FileManager.default.moveItem(atPath: seal, toPath: "\(path).seal") }
        let report = try? ArchiveChecker.check(path)
        // An unsealed archive has nothing that says how long it was, or what journal and envelopes were.
        if isSealed { #expect(report?.isWhole != true, "seed \(seed), turn \(turn): \(file)") }
        for finding in report?.findings ?? [] {
          #expect(!finding.error.isSigned, "seed \(seed), turn \(turn): \(finding.error)")
        }
        if !isSealed { try FileManager.default.moveItem(atPath: "\(path).seal", toPath: seal) }
        try original.write(to: place)
      }
      #expect(try ArchiveChecker.check(path).isWhole)
    }
  }

  static func mutate(_ input: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = input
    guard !bytes.isEmpty else { return [UInt8.random(in: 0...255, using: &generator)] }
    let place = Int.random(in: 0..<bytes.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes.removeSubrange(place...)
    case 2:
      let count = Int.random(in: 0...min(64, bytes.count - place), using: &generator)
      let from = Int.random(in: 0...bytes.count - count, using: &generator)
      bytes.insert(contentsOf: bytes[from..<from + count], at: place)
    case 3:
      let count = Int.random(in: 1...min(64, bytes.count - place), using: &generator)
      bytes.removeSubrange(place..<place + count)
    default:
      // A length, count or offset field: the values at which arithmetic goes wrong.
      let extremes: [UInt64] = [
        0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 40, 1 << 63, .max,
      ]
      let value = extremes.randomElement(using: &generator) ?? 0
      let start = place & ~3
      for position in 0..<(Bool.random(using: &generator) ? 4 : 8)
      where start + position < bytes.count {
        bytes[start + position] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(position)))
      }
    }
    return bytes
  }
}
