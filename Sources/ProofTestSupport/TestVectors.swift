internal import Foundation

/// The files under `testvectors/`, read without this project's own JSON reader.
package enum TestVectors {
  /// The folder itself, found by walking up from this file, so that tests run from any directory.
  package static var folder: String {
    get throws {
      var place = URL(fileURLWithPath: #filePath)
      while place.path != "/" {
        place.deleteLastPathComponent()
        let candidate = place.appendingPathComponent("testvectors")
        if FileManager.default.fileExists(atPath: candidate.path) { return candidate.path }
      }
      throw TestSupportError("no folder testvectors stands above \(#filePath)")
    }
  }

  /// The absolute path of `testvectors/<name>`, which need not exist.
  package static func path(_ name: String) throws -> String { try folder + "/" + name }

  package static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: try path(name))))
  }

  /// The cases of a file that is one JSON array; refused when it is empty.
  package static func cases<Case: Decodable>(_ name: String, of type: Case.Type) throws -> [Case] {
    let cases = try JSONDecoder().decode([Case].self, from: Data(try bytes(name)))
    guard !cases.isEmpty else { throw TestSupportError("\(name) has no cases") }
    return cases
  }
}

/// Bytes that stand in a vector as hexadecimal digits of either case.
package struct HexBytes: Decodable, Sendable {
  package let bytes: [UInt8]

  package init(from decoder: any Decoder) throws {
    let digits = Array(try decoder.singleValueContainer().decode(String.self).utf8)
    guard digits.count % 2 == 0 else { throw TestSupportError("an odd count of digits") }
    bytes = try stride(from: 0, to: digits.count, by: 2).map { position in
      let pair = String(decoding: digits[position..<position + 2], as: UTF8.self)
      guard let byte = UInt8(pair, radix: 16) else { throw TestSupportError("no digits: \(pair)") }
      return byte
    }
  }
}

/// What is wrong with a test's surroundings.
package struct TestSupportError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
