internal import Foundation
internal import ProofArchive
internal import ProofTestSupport

/// An archive of `testvectors/archive/valid`, copied so that it can be changed.
func withVectorArchive<Value>(
  _ name: String, _ body: (String) throws -> Value
) throws -> Value {
  let original = try TestVectors.path("archive/valid/\(name).pol")
  return try withTemporaryDirectory { folder in
    let copy = "\(folder)/\(name).pol"
    try FileManager.default.copyItem(atPath: original, toPath: copy)
    return try body(copy)
  }
}

/// One change of `refusals.json`.
struct ArchiveEdit: Decodable, Sendable {
  let file: String
  let op: String
  let offset: Int?
  let remove: Int?
  let length: Int?
  let hex: HexBytes?
  let a: [Int]?
  let b: [Int]?

  func apply(to archive: String) throws {
    let place = URL(fileURLWithPath: "\(archive)/\(file)")
    switch op {
    case "delete": return try FileManager.default.removeItem(at: place)
    case "folder":
      return try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    case "write": return try Data(hex?.bytes ?? []).write(to: place)
    default: break
    }
    var bytes = Array(try Data(contentsOf: place))
    switch op {
    case "replace":
      let new = try part(hex).bytes
      let start = try part(offset)
      bytes.replaceSubrange(start..<start + new.count, with: new)
    case "splice":
      let start = try part(offset)
      bytes.replaceSubrange(start..<start + (try part(remove)), with: try part(hex).bytes)
    case "truncate": bytes.removeSubrange(try part(length)...)
    case "append": bytes += try part(hex).bytes
    case "swap":
      let (left, right) = (try part(a), try part(b))
      let one = Array(bytes[left[0]..<left[0] + left[1]])
      let other = Array(bytes[right[0]..<right[0] + right[1]])
      // The later range first, so that the other's place stays.
      let parts = [(left, other), (right, one)].sorted { $0.0[0] > $1.0[0] }
      for (range, new) in parts { bytes.replaceSubrange(range[0]..<range[0] + range[1], with: new) }
    default: throw TestSupportError("no such edit: \(op)")
    }
    try Data(bytes).write(to: place)
  }

  private func part<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw TestSupportError("\(op) of \(file) lacks a field") }
    return value
  }
}

/// The file that an error is about, by its name in the archive.
func fileName(of error: ArchiveError, in archive: String) -> String {
  let place =
    error.place.hasPrefix(archive + "/")
    ? error.place.dropFirst(archive.utf8.count + 1) : error.place[...]
  return place.components(separatedBy: ", ").first ?? ""
}
