import CKernels
import Cryptography
import ProofPrimitives
import Testing

/// Bytes in which no block is like another.
private func text(_ count: Int, seed: UInt32) -> [UInt8] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 1_664_525 &+ 1_013_904_223
    return UInt8(state >> 24)
  }
}

/// With the instructions where the processor has them, then without.
private func onBothPaths(_ body: () -> Void) {
  for isPortable in [false, true] {
    pol_kernels_force_portable(isPortable ? 1 : 0)
    defer { pol_kernels_force_portable(0) }
    body()
  }
}

@Suite("SHA-256 of two texts side by side (FIPS 180-4)", .serialized) struct SHA256PairTests {
  @Test("published digests, in either lane", arguments: try HashCase.all())
  private func published(vector: HashCase) {
    let message = vector.message
    let other = text(1000, seed: 7)
    onBothPaths {
      let pair = SHA256Pair()
      message.withUnsafeBytes { first in other.withUnsafeBytes { pair.update(first, $0) } }
      #expect(pair.finish().0.hex == vector.digest)
      // Both begin afresh.
      message.withUnsafeBytes { second in other.withUnsafeBytes { pair.update($0, second) } }
      #expect(pair.finish().1.hex == vector.digest)
    }
  }

  @Test("texts of every two lengths around the blocks have the digests that they have alone")
  func lengths() {
    let lengths = Array(0...130) + [191, 192, 193, 255, 256, 257, 1000]
    let first = text(1000, seed: 1)
    let second = text(1000, seed: 2)
    let firstAlone = lengths.map { SHA256.hash(first[..<$0]) }
    let secondAlone = lengths.map { SHA256.hash(second[..<$0]) }
    onBothPaths {
      let pair = SHA256Pair()
      for (i, a) in lengths.enumerated() {
        for (j, b) in lengths.enumerated() {
          first[..<a].withUnsafeBytes { one in
            second[..<b].withUnsafeBytes { pair.update(one, $0) }
          }
          let digests = pair.finish()
          #expect(digests == (firstAlone[i], secondAlone[j]), "\(a) and \(b) bytes")
        }
      }
    }
  }

  @Test("the cut into pieces makes no difference")
  func pieces() {
    let first = text(5000, seed: 3)
    let second = text(4321, seed: 4)
    let expected = (SHA256.hash(first), SHA256.hash(second))
    onBothPaths {
      let pair = SHA256Pair()
      for (a, b) in [(1, 1), (63, 65), (64, 64), (100, 1), (0, 17), (128, 512), (1000, 999)] {
        var rest = (first[...], second[...])
        while !rest.0.isEmpty || !rest.1.isEmpty {
          // A length of 0 says: all at once, at the end.
          let now = (
            a == 0 && rest.1.isEmpty ? rest.0 : rest.0.prefix(a), rest.1.prefix(b)
          )
          now.0.withUnsafeBytes { one in now.1.withUnsafeBytes { pair.update(one, $0) } }
          rest = (rest.0.dropFirst(now.0.count), rest.1.dropFirst(now.1.count))
        }
        let digests = pair.finish()
        #expect(digests == expected, "pieces of \(a) and \(b)")
      }
    }
  }
}
