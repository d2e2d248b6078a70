internal import Cryptography
package import ProofPrimitives

/// How many segments to draw, which, and what that catches (`spec/verification.md` §6).
package enum SegmentDraw {
  /// P(catch) = 1 - C(N-b, n) / C(N, n): the chance that n segments drawn without replacement hit one of
  /// b forged among N. Source: the hypergeometric distribution; Jia et al. 2021 sample likewise.
  ///
  /// - Complexity: O(n).
  package static func probability(segments: Int, forged: Int, drawn: Int) -> Double {
    guard forged > 0, drawn > 0 else { return 0 }
    guard segments - forged >= drawn else { return 1 }
    var missed = 1.0
    for index in 0..<drawn {
      missed *= Double(segments - forged - index) / Double(segments - index)
    }
    return 1 - missed
  }

  /// Segments that a forged fraction amounts to: rounded up, at least one.
  package static func forgedCount(segments: Int, fraction: Double) -> Int {
    min(segments, max(1, Int((Double(segments) * fraction).rounded(.up))))
  }

  /// The smallest draw that catches with `confidence`; all segments when no smaller one does.
  package static func count(segments: Int, fraction: Double, confidence: Double) -> Int {
    let forged = forgedCount(segments: segments, fraction: fraction)
    var missed = 1.0
    for drawn in 0..<segments {
      if 1 - missed >= confidence { return drawn }
      missed *= Double(max(0, segments - forged - drawn)) / Double(segments - drawn)
    }
    return segments
  }

  /// `count` distinct segments, sorted: the first steps of a Fisher-Yates shuffle over the ChaCha20
  /// stream of the seed. Anyone who has the nonce draws the same.
  package static func draw(
    _ count: Int, of segments: Int, archiveRoot: Digest, sealDigest: Digest, nonce: [UInt8]
  ) -> [Int] {
    let seed = SHA256.hash(.draw, archiveRoot.bytes, sealDigest.bytes, nonce)
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
  /// busy start uses up the budget. NaN counts as largest: it is what one wants to see.
  package static func targeted(
    relativeSizes: [Double], largest: Int, smallest: Int
  ) -> Set<Int> {
    var picked = Set<Int>()
    func parts(_ count: Int) -> [Range<Int>] {
      (0..<count).map {
        $0 * relativeSizes.count / count..<($0 + 1) * relativeSizes.count / count
      }
    }
    for part in parts(largest) {
      let found = part.max { order(relativeSizes[$0]) < order(relativeSizes[$1]) }
      if let found { picked.insert(found) }
    }
    for part in parts(smallest) {
      let found = part.min { order(relativeSizes[$0]) < order(relativeSizes[$1]) }
      if let found { picked.insert(found) }
    }
    return picked
  }

  private static func order(_ value: Double) -> Double { value.isNaN ? .infinity : value }
}
