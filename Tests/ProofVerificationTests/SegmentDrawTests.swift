import Cryptography
import ProofPrimitives
import ProofVerification
import Testing

@Suite("Drawing segments (verification.md §6)") struct SegmentDrawTests {
  struct Row: Sendable {
    let segments: Int
    let fraction: Share
    let drawn: Int
  }

  /// From the hypergeometric distribution, computed apart from this project.
  static let table = [
    Row(segments: 1000, fraction: 0.05, drawn: 126), Row(segments: 100, fraction: 0.05, drawn: 74),
    Row(segments: 100, fraction: 0.10, drawn: 48), Row(segments: 500, fraction: 0.05, drawn: 118),
    Row(segments: 500, fraction: 0.10, drawn: 62), Row(segments: 7800, fraction: 0.01, drawn: 658),
    Row(segments: 7800, fraction: 0.05, drawn: 134),
  ]

  @Test("the draw is the smallest that reaches 99.9 %", arguments: table)
  func counts(row: Row) {
    let count = SegmentDraw.count(
      segments: row.segments, fraction: row.fraction, confidence: 0.999)
    let forged = SegmentDraw.forgedCount(segments: row.segments, fraction: row.fraction)
    #expect(count == row.drawn)
    #expect(
      SegmentDraw.probability(segments: row.segments, forged: forged, drawn: count) >= 0.999)
    #expect(
      SegmentDraw.probability(segments: row.segments, forged: forged, drawn: count - 1) < 0.999)
  }

  @Test("the probability is that of counting all ways to draw", arguments: 1...9)
  func exactProbability(forged: Int) {
    // Every subset of 10 segments, as bits; the forged ones are the lowest.
    for drawn in 0...10 {
      let subsets = (0..<1 << 10).filter { $0.nonzeroBitCount == drawn }
      let hits = subsets.count { $0 & (1 << forged - 1) != 0 }
      let exact = Double(hits) / Double(subsets.count)
      let stated = SegmentDraw.probability(segments: 10, forged: forged, drawn: drawn)
      #expect(abs(exact - stated) < 1e-12)
    }
  }

  @Test("a run of few segments is drawn whole", arguments: 1...20)
  func small(segments: Int) {
    #expect(SegmentDraw.count(segments: segments, fraction: 0.01, confidence: 0.999) == segments)
    let all = SegmentDraw.draw(
      segments, of: segments,
      seed: SegmentDraw.seed(archiveRoot: .zero, sealDigest: .zero, nonce: [1]))
    #expect(all == Array(0..<segments))
  }

  @Test("a draw has no segment twice and depends on archive, seal and nonce")
  func distinct() {
    let one = Digest.zero
    let other = SHA256.hash([1])
    let nonce = Judge.nonce(1)
    let draw = SegmentDraw.draw(
      40, of: 90, seed: SegmentDraw.seed(archiveRoot: one, sealDigest: one, nonce: nonce))
    #expect(Set(draw).count == 40)
    #expect(draw.allSatisfy { (0..<90).contains($0) })
    #expect(
      draw
        == SegmentDraw.draw(
          40, of: 90, seed: SegmentDraw.seed(archiveRoot: one, sealDigest: one, nonce: nonce)))
    #expect(
      draw
        != SegmentDraw.draw(
          40, of: 90, seed: SegmentDraw.seed(archiveRoot: other, sealDigest: one, nonce: nonce)))
    #expect(
      draw
        != SegmentDraw.draw(
          40, of: 90, seed: SegmentDraw.seed(archiveRoot: one, sealDigest: other, nonce: nonce)))
    #expect(
      draw
        != SegmentDraw.draw(
          40, of: 90,
          seed: SegmentDraw.seed(archiveRoot: one, sealDigest: one, nonce: Judge.nonce(2))))
  }

  @Test("each segment, and each pair, is drawn equally often")
  func uniform() {
    let (segments, drawn, rounds) = (24, 7, 4000)
    var counts = [Int](repeating: 0, count: segments)
    var pairs = [Int](repeating: 0, count: segments)
    for round in 0..<rounds {
      let picked = Set(
        SegmentDraw.draw(
          drawn, of: segments,
          seed: SegmentDraw.seed(archiveRoot: .zero, sealDigest: .zero, nonce: Judge.nonce(round))))
      for segment in picked {
        counts[segment] += 1
        if picked.contains((segment + 5) % segments) { pairs[segment] += 1 }
      }
    }
    // Draws without replacement spread less than independent ones: the factor corrects the statistic.
    let expected = Double(rounds * drawn) / Double(segments)
    let raw = counts.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) }
    let share = Double(drawn) / Double(segments)
    let statistic = raw / (expected * (1 - share)) * Double(segments - 1) / Double(segments)
    // 23 degrees of freedom: mean 23, deviation 6.8; both tails at about one in a hundred thousand.
    #expect((5...62).contains(statistic), "chi-square is \(statistic)")
    let both = share * Double(drawn - 1) / Double(segments - 1)
    let deviation = (Double(rounds) * both * (1 - both)).squareRoot()
    for count in pairs {
      #expect(abs(Double(count) - Double(rounds) * both) < 5 * deviation)
    }
  }

  @Test("targeted picks are the largest and smallest of equal parts of the run")
  func targeted() {
    var sizes = [Double](repeating: 0.5, count: 40)
    sizes[3] = 9
    sizes[4] = 8  // A second large one in the same part is left out.
    sizes[17] = .nan
    sizes[29] = 0
    sizes[38] = .infinity
    let picked = SegmentDraw.targeted(relativeSizes: sizes, largest: 4, smallest: 2)
    #expect(picked.isSuperset(of: [3, 17, 29, 38]))
    #expect(!picked.contains(4))
    #expect(picked.count <= 6)
    #expect(SegmentDraw.targeted(relativeSizes: sizes, largest: 0, smallest: 0).isEmpty)
    #expect(SegmentDraw.targeted(relativeSizes: [1, 2], largest: 8, smallest: 4) == [0, 1])
  }
}
