/// The names of an archive's files: all that a reader ever opens (`spec/archive.md` §1).
package enum ArchiveFiles {
  package static let settings = "settings.json"
  package static let policy = "policy.json"
  package static let claims = "claims.json"
  package static let journal = "journal"
  package static let records = "records"
  package static let recordIndex = "records.index"
  package static let norms = "norms"
  package static let objects = "objects"
  package static let seal = "seal"
  package static let packFolder = "packs"
  package static let datasetFolder = "dataset"
  package static let points = "dataset/points"
  package static let offsets = "dataset/offsets"

  /// 2^32 points have five levels of 256.
  static let treeLevelCount = 5

  package static func tree(level: Int) -> String { "dataset/tree.\(level)" }
  package static func pack(_ number: UInt32) -> String { "packs/\(digits(number)).pack" }
  package static func packIndex(_ number: UInt32) -> String { "packs/\(digits(number)).index" }

  private static func digits(_ number: UInt32) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 8 - text.count)) + text
  }

  /// Whether a name is one that a version 1 archive may hold.
  package static func isKnown(_ name: String) -> Bool {
    let fixed = [
      settings, policy, claims, journal, records, recordIndex, norms, objects, seal, points,
      offsets,
    ]
    if fixed.contains(name) { return true }
    if (0..<treeLevelCount).contains(where: { tree(level: $0) == name }) { return true }
    guard name.hasPrefix("packs/") else { return false }
    let number = name.dropFirst(6).prefix { $0.isASCII && $0.isNumber }
    guard let value = UInt32(number) else { return false }
    return name == pack(value) || name == packIndex(value)
  }
}
