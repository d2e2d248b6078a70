import Cryptography
import Foundation
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofVerification

/// So that tests write shares as people do.
extension Share: ExpressibleByFloatLiteral {
  public init(floatLiteral value: Double) {
    self.init(billionths: Int((value * Double(Share.one)).rounded()))
  }
}

@Suite("Vectors of the draw (verification.md §6)") struct DrawVectorTests {
  static let vectors = Result {
    try JSONDecoder().decode(
      DrawVectors.self, from: Data(try TestVectors.bytes("verification/draw.json")))
  }

  @Test("shares are read exactly, or refused")
  func shares() throws {
    let cases = try DrawVectorTests.vectors.get().shares
    #expect(cases.contains { $0.expect == "refused" } && cases.contains { $0.billionths == 0 })
    for vector in cases {
      #expect(Share(vector.text)?.billionths == vector.billionths, "\(vector.id)")
      #expect((vector.expect == "accepted") == (vector.billionths != nil))
    }
  }

  @Test("the counts of forged and of drawn segments are exact")
  func counts() throws {
    let cases = try DrawVectorTests.vectors.get().counts
    #expect(cases.count > 50)
    for vector in cases {
      let fraction = try #require(Share(vector.fraction))
      let confidence = try #require(Share(vector.confidence))
      let segments = vector.segments
      #expect(
        SegmentDraw.forgedCount(segments: segments, fraction: fraction) == vector.forged,
        "\(vector.id)")
      #expect(
        SegmentDraw.count(segments: segments, fraction: fraction, confidence: confidence)
          == vector.drawn, "\(vector.id)")
    }
  }

  @Test("probabilities are near the exact ones, and the same bits everywhere")
  func probabilities() throws {
    for vector in try DrawVectorTests.vectors.get().probabilities {
      let stated = SegmentDraw.probability(
        segments: vector.segments, forged: vector.forged, drawn: vector.drawn)
      let exact = try #require(Double(vector.exact))
      let tolerance = try #require(Double(vector.tolerance))
      #expect(abs(stated - exact) <= tolerance, "\(vector.id)")
      #expect(stated.bitPattern == UInt64(vector.binary64, radix: 16), "\(vector.id)")
    }
  }

  @Test("the limit on steps in the longest segments is exact")
  func stepShares() throws {
    for vector in try DrawVectorTests.vectors.get().stepShares {
      let isWithin = SegmentDraw.allows(
        longest: vector.longest, of: vector.steps, segments: vector.segments,
        fraction: try #require(Share(vector.fraction)))
      #expect(isWithin == (vector.expect == "within"), "\(vector.id)")
    }
  }

  @Test("seeds and drawn segments")
  func draws() throws {
    for vector in try DrawVectorTests.vectors.get().draws {
      let root = try #require(Digest(hex: vector.archiveRoot))
      let seal = try #require(Digest(hex: vector.sealDigest))
      let seed = SHA256.hash(.draw, root.bytes, seal.bytes, vector.nonce.bytes)
      #expect(seed.hex == vector.seed, "\(vector.id)")
      let drawn = SegmentDraw.draw(
        vector.count, of: vector.segments,
        seed: SegmentDraw.seed(archiveRoot: root, sealDigest: seal, nonce: vector.nonce.bytes))
      #expect(drawn == vector.drawn, "\(vector.id)")
    }
  }
}

extension DrawVectorTests {
  @Test("seeds and drawn segments of public draws")
  func publicDraws() throws {
    let cases = try DrawVectorTests.vectors.get().publicDraws
    #expect(cases.count > 5)
    for vector in cases {
      let seed = SegmentDraw.publicSeed(
        proof: try #require(Digest(hex: vector.proof)),
        challenge: try #require(Digest(hex: vector.challenge)),
        headRoot: try #require(Digest(hex: vector.headRoot)),
        nonce: try #require(Digest(hex: vector.nonce)).bytes)
      #expect(seed.hex == vector.seed, "\(vector.id)")
      #expect(
        SegmentDraw.draw(vector.count, of: vector.segments, seed: seed) == vector.drawn,
        "\(vector.id)")
    }
  }
}

@Suite("Vectors of the targeted picks (verification.md §6)") struct TargetedVectorTests {
  @Test("the extremes of equal parts, NaN and ties included")
  func picks() throws {
    for vector in try TestVectors.cases("verification/targeted.json", of: TargetedVector.self) {
      let sizes = try vector.sizes.map {
        Double(bitPattern: try #require(UInt64($0, radix: 16)))
      }
      let picked = SegmentDraw.targeted(
        relativeSizes: sizes, largest: vector.largest, smallest: vector.smallest)
      #expect(picked.sorted() == vector.picked, "\(vector.id)")
    }
  }
}

@Suite("Vectors of the policy (verification.md §3)") struct PolicyVectorTests {
  private func cases(_ expect: String) throws -> [PolicyVector] {
    try TestVectors.cases("verification/policy.json", of: PolicyVector.self)
      .filter { $0.expect == expect }
  }

  @Test("an accepted policy means what is written, and is written again in the same bytes")
  func accepted() throws {
    let cases = try cases("accepted")
    #expect(cases.count > 20)
    for vector in cases {
      let policy = try #require(
        try? Policy(parsing: vector.bytes.bytes), "\(vector.id) is refused")
      #expect(policy.encoded == vector.bytes.bytes, "\(vector.id)")
      let id = Comment(rawValue: vector.id)
      #expect(policy.learningRateFloor.bitPattern == vector.floorBits, id)
      #expect(policy.learningRateCeiling.bitPattern == vector.ceilingBits, id)
      #expect(policy.algorithms == vector.algorithms, id)
      #expect(policy.datasetRoots.map(\.hex) == vector.datasetRoots, id)
      #expect(policy.minimumPasses == vector.minimumPasses, id)
      #expect(policy.minimumSteps == vector.minimumSteps, id)
      #expect(policy.zeroUpdatePercent == vector.zeroUpdatePercent, id)
      for row in vector.next ?? [] {
        #expect(policy.schedule.next(after: row.step, total: row.total) == row.next, id)
      }
      for row in vector.longest ?? [] {
        #expect(policy.schedule.longest(at: row.step) == row.longest, id)
      }
    }
  }

  @Test("every other policy is refused")
  func refused() throws {
    let refused = try cases("refused")
    #expect(refused.count >= 2 * (try cases("accepted").count))
    for vector in refused {
      #expect(throws: ParsingError.self, "\(vector.id)") {
        try Policy(parsing: vector.bytes.bytes)
      }
    }
  }
}

struct DrawVectors: Decodable, Sendable {
  struct ShareText: Decodable {
    let id: String
    let text: String
    let expect: String
    let billionths: Int?
  }

  struct Count: Decodable {
    let id: String
    let segments: Int
    let fraction: String
    let confidence: String
    let forged: Int
    let drawn: Int
  }

  struct Probability: Decodable {
    let id: String
    let segments: Int
    let forged: Int
    let drawn: Int
    let exact: String
    let tolerance: String
    let binary64: String
  }

  struct StepShare: Decodable {
    let id: String
    let longest: Int
    let steps: Int
    let segments: Int
    let fraction: String
    let expect: String
  }

  struct PublicDraw: Decodable {
    let id: String
    let segments: Int
    let count: Int
    let proof: String
    let challenge: String
    let headRoot: String
    let nonce: String
    let seed: String
    let drawn: [Int]
  }

  struct Draw: Decodable {
    let id: String
    let segments: Int
    let count: Int
    let archiveRoot: String
    let sealDigest: String
    let nonce: HexBytes
    let seed: String
    let drawn: [Int]
  }

  let shares: [ShareText]
  let counts: [Count]
  let probabilities: [Probability]
  let stepShares: [StepShare]
  let publicDraws: [PublicDraw]
  let draws: [Draw]
}

struct TargetedVector: Decodable {
  let id: String
  let sizes: [String]
  let largest: Int
  let smallest: Int
  let picked: [Int]
}

/// What a policy means; only an accepted one says.
struct PolicyVector: Decodable {
  struct Next: Decodable {
    let step: Int
    let total: Int
    let next: Int
  }

  struct Longest: Decodable {
    let step: Int
    let longest: Int
  }

  let id: String
  let expect: String
  let bytes: HexBytes
  let floor: String?
  let ceiling: String?
  let algorithms: [String]?
  let datasetRoots: [String]?
  let minimumPasses: Int?
  let minimumSteps: Int?
  let zeroUpdatePercent: Int?
  let next: [Next]?
  let longest: [Longest]?

  var floorBits: UInt32? { floor.flatMap { UInt32($0, radix: 16) } }
  var ceilingBits: UInt32? { ceiling.flatMap { UInt32($0, radix: 16) } }
}
