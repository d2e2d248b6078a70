internal import Cryptography
internal import Foundation
internal import MerkleTrees
internal import ProofArchive
internal import ProofPrimitives
internal import ProofTestSupport
internal import Testing

struct DatasetVectors: Decodable {
  struct Point: Decodable {
    struct Signature: Decodable {
      let secret: String
      let index: String
      let salt: String
      let signature: String
    }
    let id: String
    let elementType: UInt8
    let shape: [String]
    let elements: HexBytes
    let label: String
    let canonical: HexBytes
    let signatures: [Signature]
  }
  struct Refused: Decodable {
    let id: String
    let bytes: HexBytes
    let expect: String
  }
  struct Root: Decodable {
    let count: String
    let root: String
    let first: String
    let last: String
    let levels: [String]
  }
  struct Inclusion: Decodable {
    let id: String
    let signature: HexBytes
    let index: String
    let count: String
    let path: [String]
    let root: String
    let valid: Bool
  }
  let points: [Point]
  let refusedPoints: [Refused]
  let roots: [Root]
  let inclusion: [Inclusion]
}

struct ModelVector: Decodable {
  struct Row: Decodable {
    let name: String
    let role: UInt8
    let elementType: UInt8
    let shape: [String]
    let bytes: HexBytes
    let digest: String
  }
  let id: String
  let tensors: [Row]
  let modelDigest: String?
}

@Suite("Dataset and model vectors (dataset.md §2 to §6)") struct DatasetArchiveVectorTests {
  func vectors() throws -> DatasetVectors {
    try JSONDecoder().decode(
      DatasetVectors.self, from: Data(try TestVectors.bytes("archive/dataset.json")))
  }

  @Test("points have these canonical bytes, salts and signatures") func points() throws {
    for row in try vectors().points {
      let type = try #require(ElementType(rawValue: row.elementType))
      let label = try #require(Int64(row.label))
      let made = DataPoint(
        type: type, shape: row.shape.compactMap { Int($0) }, bytes: row.elements.bytes, label: label
      )
      let point = try #require(made, "\(row.id)")
      #expect(point.canonicalBytes == row.canonical.bytes, "\(row.id)")
      #expect(try DataPoint(parsing: row.canonical.bytes[...]) == point, "\(row.id)")
      for signature in row.signatures {
        let salt = try #require(Digest(hex: signature.salt))
        let salted = SaltedPoint(salt: salt, point: point)
        #expect(salted.signature.hex == signature.signature)
        #expect(SaltedPoint.signature(ofEncoded: salted.encoded[...])?.hex == signature.signature)
        if signature.secret.allSatisfy({ $0 == "0" }) {
          let index = try #require(Int(signature.index))
          #expect(DatasetSecret.open.salt(of: index) == salt)
        }
      }
    }
  }

  @Test("points that break a rule are refused as the spec names it") func refusedPoints() throws {
    for row in try vectors().refusedPoints {
      do {
        _ = try DataPoint(parsing: row.bytes.bytes[...])
        Issue.record("\(row.id) is accepted")
      } catch {
        #expect("\(error.kind)" == row.expect, "\(row.id)")
      }
    }
  }

  @Test("roots and levels are these") func roots() throws {
    for row in try vectors().roots {
      let count = try #require(Int(row.count))
      let points = (0..<count).map { index in
        DataPoint(
          type: .u8, shape: [2], bytes: [UInt8(index & 255), UInt8(index >> 8)],
          label: Int64(index))
      }
      let manifest = DatasetManifest(points: try points.map { try #require($0) }, secret: .open)
      #expect(manifest.root.hex == row.root)
      #expect(manifest.signatures.first?.hex == row.first)
      #expect(manifest.signatures.last?.hex == row.last)
      let levels = manifest.files.filter { $0.name.hasPrefix("dataset/tree.") }
      #expect(levels.map { SHA256.hash($0.bytes).hex } == row.levels)
    }
  }

  @Test("inclusion proofs hold or fail as written") func inclusion() throws {
    for row in try vectors().inclusion {
      let path = row.path.compactMap { Digest(hex: $0) }
      let index = try #require(Int(row.index))
      let count = try #require(Int(row.count))
      let root = try #require(Digest(hex: row.root))
      let isValid = InclusionProof(hashes: path).isValid(
        leafHash: MerkleTree.leafHash(of: row.signature.bytes), index: LeafIndex(index),
        size: TreeSize(count), root: root)
      #expect(isValid == row.valid, "\(row.id)")
    }
  }

  @Test("models have these digests") func models() throws {
    for model in try TestVectors.cases("archive/models.json", of: ModelVector.self) {
      let tensors = try model.tensors.map { row in
        let role = try #require(TensorRole(rawValue: row.role))
        let type = try #require(ElementType(rawValue: row.elementType))
        let spec = try #require(
          TensorSpec(
            name: row.name, role: role, type: type, shape: row.shape.compactMap { Int($0) }))
        let tensor = try #require(Tensor(spec, bytes: row.bytes.bytes))
        #expect(tensor.digest.hex == row.digest, "\(model.id), \(row.name)")
        return tensor
      }
      #expect(modelDigest(of: tensors)?.hex == model.modelDigest, "\(model.id)")
    }
  }

  @Test("names that differ in bytes are different names") func nameBytes() throws {
    func tensor(_ name: String, _ role: TensorRole = .weight, _ byte: UInt8 = 1) throws -> Tensor {
      let spec = try #require(TensorSpec(name: name, role: role, type: .u8, shape: [1]))
      return try #require(Tensor(spec, bytes: [byte]))
    }
    // U+00E9, and e with U+0301: one text to Unicode, two names here.
    let (composed, decomposed) = ("\u{e9}", "e\u{301}")
    #expect(composed == decomposed)
    let both = [try tensor(composed), try tensor(decomposed, .weight, 2)]
    #expect(modelDigest(of: both) != nil)
    #expect(TrainingState(both) != nil)
    #expect(both[0].spec != both[1].spec)
    #expect(modelDigest(of: [try tensor("a"), try tensor("a", .buffer)]) == nil)
    #expect(TrainingState([try tensor("a"), try tensor("a", .buffer)]) == nil)
    let json = Array("{\"\(composed)\":1,\"\(decomposed)\":2}".utf8)
    #expect(try JSONValue(parsing: json, form: .relaxed)[decomposed] == .integer(2))
  }

  @Test("a size is refused before it wraps, and a product with 0 is 0") func sizes() {
    func spec(_ shape: [Int]) -> TensorSpec? {
      TensorSpec(name: "a", role: .weight, type: .f64, shape: shape)
    }
    #expect(spec([Int.max, 0]) == nil)
    #expect(spec([1 << 40 + 1, 0]) == nil)
    #expect(spec([1 << 40, 1 << 40, 0])?.byteCount == 0)
    #expect(spec([1 << 32, 1 << 32]) == nil)
    #expect(spec([1 << 37])?.byteCount == 1 << 40)
    #expect(spec([1 << 37 + 1]) == nil)
    #expect(spec([-1]) == nil)
    let shape = [Int(UInt32.max), Int(UInt32.max), 0]
    #expect(DataPoint(type: .u8, shape: shape, bytes: [], label: 0) != nil)
  }
}
