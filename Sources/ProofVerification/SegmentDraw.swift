internal import Cryptography
package import ProofPrimitives

/// How many segments to draw, which, and what that catches (`spec/verification.md` §6).
package enum SegmentDraw {
  /// P = 1 - C(N-b, n) / C(N, n): the chance that n segments drawn without replacement hit one of
  /// b forged among N. Source: the hypergeometric distribution; Jia et al. 2021 sample likewise.
  ///
  /// - Complexity: O(n).
  package static func probability(segments: Int, forged: Int, drawn: Int) -> Double {
    var missed = 1.0
    for index in 0..<drawn { missed *= missing(index, segments, forged) }
    return 1 - missed
  }

  /// Segments that a forged fraction amounts to: rounded up, at least one. In whole numbers, for
  /// binary64 takes 7 % of 100 for more than 7.
  package static func forgedCount(segments: Int, fraction: Share) -> Int {
    let product = Int128(segments) * Int128(fraction.billionths)
    return max(1, Int((product + Int128(Share.one - 1)) / Int128(Share.one)))
  }

  /// The smallest draw that catches with `confidence`; all segments when no smaller one does.
  ///
  /// In binary64 and in this order (`spec/verification.md` §6), so that where rounding decides it
  /// decides for everybody alike.
  package static func count(segments: Int, fraction: Share, confidence: Share) -> Int {
    let forged = forgedCount(segments: segments, fraction: fraction)
    var missed = 1.0
    for drawn in 0..<segments {
      if missed <= confidence.complement { return drawn }
      missed *= missing(drawn, segments, forged)
    }
    return segments
  }

  /// The chance that the draw after `drawn` honest ones is honest too.
  private static func missing(_ drawn: Int, _ segments: Int, _ forged: Int) -> Double {
    Double(max(0, segments - forged - drawn)) / Double(segments - drawn)
  }

  /// Whether segments that hold `longest` of all steps are within twice the forged fraction, and one
  /// segment's share (`spec/verification.md` §3). In whole numbers.
  package static func allows(
    longest: Int, of steps: Int, segments: Int, fraction: Share
  ) -> Bool {
    let one = Int128(Share.one)
    let count = Int128(segments)
    return Int128(longest) * count * one
      <= Int128(steps) * (2 * Int128(fraction.billionths) * count + one)
  }

  /// The seed of a private draw: the nonce came after the seal, or so its owner says.
  package static func seed(archiveRoot: Digest, sealDigest: Digest, nonce: [UInt8]) -> Digest {
    SHA256.hash(.draw, archiveRoot.bytes, sealDigest.bytes, nonce)
  }

  /// The seed of a public draw: the nonce was fixed by a challenge on the ledger, and the head over that
  /// challenge was nobody's to choose.
  ///
  /// - Parameters:
  ///   - proof: Leaf hash of the proof that was challenged.
  ///   - challenge: Leaf hash of the challenge.
  ///   - headRoot: Of the first published head that covers the challenge.
  package static func publicSeed(
    proof: Digest, challenge: Digest, headRoot: Digest, nonce: [UInt8]
  ) -> Digest {
    SHA256.hash(.publicDraw, proof.bytes, challenge.bytes, headRoot.bytes, nonce)
  }

  /// `count` distinct segments, sorted: the first steps of a Fisher-Yates shuffle over the ChaCha20
  /// stream of the seed. Anyone who has the nonce draws the same.
  package static func draw(_ count: Int, of segments: Int, seed: Digest) -> [Int] {
    var generator = ChaCha20Generator(key: seed.bytes)
    var moved: [Int: Int] = [:]
    var picked: [Int] = []
    for index in 0..<min(count, segments) {
      let other = index + Int(generator.next(below: UInt32(segments - index)))
      picked.append(moved[other] ?? other)
      moved[other] = moved[index] ?? index
    }
    return picked.sorted()
  }

  /// The largest and smallest relative updates, one from each of equal parts of the run, so that no
  /// busy start uses up the budget. NaN counts as infinity: it is what one wants to see. Ties go to the
  /// last of the largest and to the first of the smallest.
  package static func targeted(
    relativeSizes: [Double], largest: Int, smallest: Int
  ) -> Set<Int> {
    var picked = Set<Int>()
    func parts(_ count: Int) -> [Range<Int>] {
      (0..<count).map {
        $0 * relativeSizes.count / count..<($0 + 1) * relativeSizes.count / count
      }
    }
    // Ties are decided here and not by the library's `max` and `min`, which promise nothing.
    for part in parts(largest) {
      guard var best = part.first else { continue }
      for place in part where order(relativeSizes[place]) >= order(relativeSizes[best]) {
        best = place
      }
      picked.insert(best)
    }
    for part in parts(smallest) {
      guard var best = part.first else { continue }
      for place in part where order(relativeSizes[place]) < order(relativeSizes[best]) {
        best = place
      }
      picked.insert(best)
    }
    return picked
  }

  private static func order(_ value: Double) -> Double { value.isNaN ? .infinity : value }
}
