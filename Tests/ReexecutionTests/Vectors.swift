import Foundation
import ProofArchive
import ProofPrimitives
import Testing

@testable import Reexecution

/// The repository's files, found from this one.
enum Vectors {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("testvectors")

  static func json(_ path: String) throws -> JSONValue {
    let data = try Data(contentsOf: root.appendingPathComponent(path))
    return try JSONValue(parsing: Array(data), form: .relaxed)
  }

  static func cases(_ path: String) throws -> [JSONValue] {
    try #require(try json(path)["cases"]?.arrayValue)
  }

  /// Rows of 64 pixels and a label, as data points.
  static func digits(_ name: String) throws -> [DataPoint] {
    let text = try String(
      contentsOf: root.appendingPathComponent("digits/\(name).csv"), encoding: .utf8)
    return try text.split(separator: "\n").map { line in
      let numbers = try line.split(separator: ",").map { try #require(UInt8($0)) }
      return try #require(
        DataPoint(
          type: .u8, shape: [8, 8], bytes: Array(numbers.prefix(64)), label: Int64(numbers[64])))
    }
  }
}

extension JSONValue {
  func text(_ key: String) throws -> String { try #require(self[key]?.stringValue) }
  func number(_ key: String) throws -> Int { try #require(self[key]?.countValue) }
  func items(_ key: String) throws -> [JSONValue] { try #require(self[key]?.arrayValue) }
  func strings(_ key: String) throws -> [String] { try items(key).compactMap(\.stringValue) }
  func settings() throws -> RunSettings { try RunSettings(parsing: Array(text("settings").utf8)) }
  func digest(_ key: String) throws -> Digest { try #require(Digest(hex: text(key))) }
}

/// NaN has one stored form; processors differ in what they compute.
func hex(_ value: Float) -> String {
  value.isNaN ? "7fc00000" : value.bitPatternHex
}

/// Small settings for tests of behaviour.
func smallSettings(
  layers: [Int] = [5, 7, 3], batchSize: Int = 4, count: Int = 23, steps: Int = 20,
  schedule: String = #"{"base":"0.05","kind":"constant","warmUpSteps":0}"#
) throws -> RunSettings {
  let text = """
    {"algorithm":"pol/mlp-sgd/v1","batchSize":\(batchSize),"dataset":{"heldOut":{"count":0,"first":0},\
    "training":{"count":\(count),"first":0}},"initialization":"kaiming-uniform","inputScale":"0.0625",\
    "layers":[\(layers.map(String.init).joined(separator: ","))],"momentum":"0.9",\
    "schedule":\(schedule),"steps":\(steps),"weightDecay":"0.0001"}
    """
  return try RunSettings(parsing: Array(text.utf8))
}

/// Points with small integers, different for each index.
func smallPoints(_ count: Int, width: Int = 5, classes: Int = 3) throws -> [DataPoint] {
  try (0..<count).map { index in
    let bytes = (0..<width).map { UInt8((index * 31 + $0 * 17 + index * $0) % 17) }
    return try #require(
      DataPoint(type: .u8, shape: [width], bytes: bytes, label: Int64(index % classes)))
  }
}

func indexed(_ points: [DataPoint], first: UInt32 = 0) -> [UInt32: DataPoint] {
  Dictionary(uniqueKeysWithValues: points.enumerated().map { (first + UInt32($0), $1) })
}

let testSeed = Digest.zero
