import ChunkStorage
import Foundation
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import CheckpointFiles

/// A case of `testvectors/conversion/cases.json`.
struct ConversionCase: Decodable, Sendable, CustomTestStringConvertible {
  struct ExpectedTensor: Decodable, Sendable {
    let role: String
    let name: String
    let type: String
    let shape: [Int]
    let bytes: HexBytes
  }

  let id: String
  let files: [String: HexBytes]
  let open: String
  let tensors: [ExpectedTensor]?
  let restores: Bool?
  let expect: String?
  let says: String?

  var testDescription: String { id }

  static let all: [ConversionCase] = {
    (try? TestVectors.cases("conversion/cases.json", of: ConversionCase.self)) ?? []
  }()
  static let accepted = all.filter { $0.tensors != nil }
  static let refused = all.filter { $0.expect != nil }

  /// Writes the case's files and calls `body` with the path to open.
  func withFiles<Value>(_ body: (String) throws -> Value) throws -> Value {
    try withTemporaryDirectory { folder in
      for (name, content) in files { try write(content.bytes, folder + "/" + name) }
      return try body(open.isEmpty ? folder : folder + "/" + open)
    }
  }
}

func write(_ bytes: [UInt8], _ path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

func contents(_ path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// The bytes of a tensor, read in pieces of `step`.
func bytes(of source: any StateSource, _ index: Int, step: Int = 5) throws -> [UInt8] {
  let count = source.specs[index].byteCount
  var out = [UInt8](repeating: 0, count: count)
  for start in stride(from: 0, to: count, by: step) {
    let end = min(start + step, count)
    try out.withUnsafeMutableBytes {
      try source.read(tensor: index, at: start, into: .init(rebasing: $0[start..<end]))
    }
  }
  return out
}

/// A state of the given tensors, as bytes in memory.
func state(_ rows: [(TensorRole, String, ElementType, [Int])]) throws -> TrainingState {
  var seed: UInt8 = 0
  let tensors = try rows.map { role, name, type, shape in
    let spec = try #require(TensorSpec(name: name, role: role, type: type, shape: shape))
    seed += 1
    let content = (0..<spec.byteCount).map { UInt8(truncatingIfNeeded: $0) &* 7 &+ seed }
    return try #require(Tensor(spec, bytes: content))
  }
  return try #require(TrainingState(tensors))
}
