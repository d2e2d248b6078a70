internal import ChunkStorage
internal import Foundation
internal import ProofPrimitives
internal import ProofTestSupport
internal import Testing

@testable internal import ProofArchive

@Suite("Repairing an archive out of damaged copies (repair.md)") struct ArchiveRepairTests {
  private func files(_ path: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: path).sorted().filter {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: "\(path)/\($0)", isDirectory: &isFolder)
      return !isFolder.boolValue
    }
  }

  private func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  private func snapshot(_ path: String) throws -> [String: [UInt8]] {
    var all: [String: [UInt8]] = [:]
    for file in try files(path) { all[file] = try bytes("\(path)/\(file)") }
    return all
  }

  /// Damages one file of a copy; `half` keeps the places of two copies apart.
  private func damage(
    _ path: String, _ file: String, half: Int, _ generator: inout SeededGenerator
  ) throws {
    let place = URL(fileURLWithPath: "\(path)/\(file)")
    var bytes = Array(try Data(contentsOf: place))
    let middle = bytes.count / 2
    let range = half == 0 ? 0..<middle : middle..<bytes.count
    guard !range.isEmpty else { return }
    let at = Int.random(in: range, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: if half == 1 { bytes.removeSubrange(at...) } else { bytes[at] ^= 0x80 }
    case 2:
      for position in at..<min(range.upperBound, at + 40) { bytes[position] = 0 }
    case 3: bytes[at] = ~bytes[at]
    default:
      let other = Int.random(in: range, using: &generator)
      bytes.swapAt(at, other)
    }
    try Data(bytes).write(to: place)
  }

  @Test(
    "two copies damaged in different places give the archive, byte for byte",
    arguments: ["minimal", "delta", "gaps", "rich", "encrypted"], 1...12)
  func differentPlaces(name: String, seed: UInt64) throws {
    var generator = SeededGenerator(state: seed &* 1_000_003)
    let original = try snapshot(try TestVectors.path("archive/valid/\(name).pol"))
    try withVectorArchive(name) { one in
      let two = one + ".two"
      try FileManager.default.copyItem(atPath: one, toPath: two)
      for file in try files(one) {
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: try FileManager.default.removeItem(atPath: "\(one)/\(file)")
        case 1: try FileManager.default.removeItem(atPath: "\(two)/\(file)")
        default:
          try damage(one, file, half: 0, &generator)
          try damage(two, file, half: 1, &generator)
        }
      }
      let (first, second) = (try snapshot(one), try snapshot(two))
      let out = one + ".new"
      let report = try ArchiveRepair.run(
        DirectoryObjectSource(one), from: [DirectoryObjectSource(two)], to: out)
      #expect(report.isComplete, "\(report.files)")
      #expect(try snapshot(out) == original)
      #expect(try snapshot(one) == first)
      #expect(try snapshot(two) == second)
    }
  }

  @Test("frames that changed places in both copies are put back") func swapped() throws {
    try withVectorArchive("minimal") { one in
      let pack = "packs/00000000.pack"
      let two = one + ".two"
      try FileManager.default.copyItem(atPath: one, toPath: two)
      let index = try PackIndex(parsing: try bytes("\(one)/packs/00000000.index"))
      // Rows 0 and 2 have one length: both have a right checksum in the other's place.
      #expect(index.rows[0].byteCount == index.rows[2].byteCount)
      var changed = try bytes("\(one)/\(pack)")
      let (left, right) = (Array(changed[index.rows[0].range]), Array(changed[index.rows[2].range]))
      changed.replaceSubrange(index.rows[0].range, with: right)
      changed.replaceSubrange(index.rows[2].range, with: left)
      try Data(changed).write(to: URL(fileURLWithPath: "\(one)/\(pack)"))
      var other = try bytes("\(two)/\(pack)")
      other[index.rows[1].offset + 20] ^= 1
      try Data(other).write(to: URL(fileURLWithPath: "\(two)/\(pack)"))
      let report = try ArchiveRepair.run(
        DirectoryObjectSource(one), from: [DirectoryObjectSource(two)], to: one + ".new")
      #expect(report.isComplete)
    }
  }

  @Test("bytes taken out of one copy's pack do not cost the frames after them") func takenOut()
    throws
  {
    try withVectorArchive("rich") { one in
      let two = one + ".two"
      try FileManager.default.copyItem(atPath: one, toPath: two)
      let pack = "packs/00000000.pack"
      var short = try bytes("\(one)/\(pack)")
      let index = try PackIndex(parsing: try bytes("\(one)/packs/00000000.index"))
      short.removeSubrange(index.rows[0].offset + 5..<index.rows[0].offset + 9)
      try Data(short).write(to: URL(fileURLWithPath: "\(one)/\(pack)"))
      var other = try bytes("\(two)/\(pack)")
      for row in index.rows.dropFirst() { other[row.offset + 14] ^= 1 }
      try Data(other).write(to: URL(fileURLWithPath: "\(two)/\(pack)"))
      let report = try ArchiveRepair.run(
        DirectoryObjectSource(one), from: [DirectoryObjectSource(two)], to: one + ".new")
      #expect(report.isComplete, "\(report.files)")
    }
  }

  @Test("tables that follow from other files need no second copy") func computed() throws {
    try withVectorArchive("minimal") { path in
      let lost = [
        "records.index", "norms", "packs/00000000.index", "dataset/tree.0", "objects",
      ]
      for file in lost {
        let saved = try bytes("\(path)/\(file)")
        try FileManager.default.removeItem(atPath: "\(path)/\(file)")
        let out = "\(path).\(file.utf8.count)"
        let report = try ArchiveRepair.run(DirectoryObjectSource(path), from: [], to: out)
        #expect(report.isComplete, "\(file): \(report.files)")
        #expect(try bytes("\(out)/\(file)") == saved)
        try Data(saved).write(to: URL(fileURLWithPath: "\(path)/\(file)"))
      }
    }
  }

  @Test("what no copy has is named, and what is left can be verified") func lost() throws {
    try withVectorArchive("rich") { path in
      let pack = "packs/00000000.pack"
      let index = try PackIndex(parsing: try bytes("\(path)/packs/00000000.index"))
      let row = try #require(index.rows.last)
      var changed = try bytes("\(path)/\(pack)")
      changed[row.offset + 14] ^= 1
      try Data(changed).write(to: URL(fileURLWithPath: "\(path)/\(pack)"))
      let out = path + ".new"
      let report = try ArchiveRepair.run(DirectoryObjectSource(path), from: [], to: out)
      #expect(!report.isComplete)
      let outcome = report.files.first { $0.name == pack }?.outcome
      #expect(
        outcome == .lost("frame \(index.rows.count - 1) (byte \(row.offset))"), "\(report.files)")
      let rest = try #require(report.rest)
      #expect(rest.obstacle == nil)
      #expect(!rest.checkpoints.isEmpty && !rest.lostCheckpoints.isEmpty)
      let reader = try ArchiveReader(DirectoryObjectSource(out))
      for number in rest.checkpoints { _ = try reader.state(number) }
      for number in rest.lostCheckpoints {
        #expect(throws: ArchiveError.self) { try reader.state(number) }
      }
    }
  }

  @Test("another archive's seal is not taken, and nothing is replaced") func refused() throws {
    try withVectorArchive("minimal") { path in
      try FileManager.default.removeItem(atPath: "\(path)/seal")
      let source = try DirectoryObjectSource(path)
      let other = try DirectoryObjectSource(try TestVectors.path("archive/valid/rich.pol"))
      func code(_ copies: [any ObjectSource], _ out: String) -> ArchiveError.Code? {
        do throws(ArchiveError) {
          _ = try ArchiveRepair.run(source, from: copies, to: out)
          return nil
        } catch { return error.code }
      }
      #expect(code([other], path + ".new") == .otherArchive)
      #expect(code([], path + ".new") == .missing)
      let same = try DirectoryObjectSource(try TestVectors.path("archive/valid/minimal.pol"))
      let before = try snapshot(path)
      #expect(code([same], path) == .present)
      #expect(try snapshot(path) == before)
      #expect(code([same], path + ".new") == nil)
    }
  }

  @Test("a copy that is another archive is named") func foreignCopy() throws {
    try withVectorArchive("minimal") { path in
      try FileManager.default.removeItem(atPath: "\(path)/settings.json")
      let rich = try TestVectors.path("archive/valid/rich.pol")
      let report = try ArchiveRepair.run(
        DirectoryObjectSource(path), from: [DirectoryObjectSource(rich)], to: path + ".new")
      let warning = try #require(report.warnings.first)
      #expect(report.warnings.count == 1)
      #expect(warning.contains("rich.pol is another archive"))
      let other = try ArchiveReader.seal(in: DirectoryObjectSource(rich))
      #expect(warning.contains(other.archiveID.short))
      let same = try DirectoryObjectSource(try TestVectors.path("archive/valid/minimal.pol"))
      let whole = try ArchiveRepair.run(
        DirectoryObjectSource(path), from: [same], to: path + ".whole")
      #expect(whole.warnings == [])
    }
  }

  @Test(
    "of an archive without a seal the first whole checkpoints are kept",
    arguments: ["minimal", "delta", "rich", "encrypted"], 1...8)
  func salvaged(name: String, seed: UInt64) throws {
    var generator = SeededGenerator(state: seed &* 77_003)
    let access = try ExpectedArchive(name).access
    try withVectorArchive(name) { path in
      for file in ["seal", "objects", "norms", "records.index"] {
        try FileManager.default.removeItem(atPath: "\(path)/\(file)")
      }
      let file = Bool.random(using: &generator) ? "records" : "packs/00000000.pack"
      try damage(path, file, half: 1, &generator)
      let before = try snapshot(path)
      let out = path + ".new"
      let whole = try ArchiveReader(
        DirectoryObjectSource(TestVectors.path("archive/valid/\(name).pol")), access: access)
      do {
        let kept = try ArchiveSalvage.run(DirectoryObjectSource(path), to: out, access: access)
        #expect(kept.checkpoints <= kept.foundCheckpoints)
        let report = try ArchiveChecker.check(out, access: access)
        #expect(report.findings.map(\.error.description) == [])
        #expect(report.records == kept.checkpoints)
        let made = try openArchive(out, access: access)
        for number in 1...kept.checkpoints {
          #expect(made.index.rows[number].hash == whole.index.rows[number].hash)
        }
      } catch let error as ArchiveError {
        // Then no checkpoint is whole.
        #expect(error.code == .damaged || error.code == .malformed, "\(error)")
        #expect(!FileManager.default.fileExists(atPath: out))
      }
      #expect(try snapshot(path) == before)
    }
  }
}
