internal import ChunkStorage
internal import Foundation
internal import ProofArchive
internal import ProofPrimitives
internal import ProofTestSupport
internal import Testing

/// Changes one byte of a file; `fromEnd` counts from behind.
private func flip(_ path: String, _ offset: Int) throws {
  let place = URL(fileURLWithPath: path)
  var bytes = Array(try Data(contentsOf: place))
  bytes[offset < 0 ? bytes.count + offset : offset] ^= 1
  try Data(bytes).write(to: place)
}

/// A server that ignores ranges, with packs that are too large for that.
private struct RangelessSource: ObjectSource {
  let folder: DirectoryObjectSource
  var location: String { folder.location }
  var transfer: TransferCount { folder.transfer }

  func byteCount(of name: String) throws(StorageError) -> Int? { try folder.byteCount(of: name) }

  func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    guard !name.hasSuffix(".pack") else {
      throw StorageError(.noRanges, at: name, "the server ignores byte ranges", remedy: "none")
    }
    return try folder.read(name, range: range)
  }

  func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    try folder.readWhole(name, limit: limit)
  }
}

@Suite("What each depth of a check finds (archive.md §9)") struct CheckDepthTests {
  private static let subset = ArchiveChecker.Depth.subset(share: 0.3, seed: 7)

  private func codes(
    _ path: String, _ depth: ArchiveChecker.Depth, _ access: ArchiveAccess = .none
  ) throws -> [String] {
    try ArchiveChecker.check(path, access: access, depth: depth).findings.map {
      "\($0.error.code) \(fileName(of: $0.error, in: path))"
    }
  }

  @Test(
    "a valid archive is whole at every depth, and a short check says what it left out",
    arguments: ArchiveVectorTests.names)
  func whole(name: String) throws {
    let path = try TestVectors.path("archive/valid/\(name).pol")
    let access = try ExpectedArchive(name).access
    for depth in [.quick, .publicBytes, Self.subset] {
      let report = try ArchiveChecker.check(path, access: access, depth: depth)
      #expect(report.findings.map(\.error.description) == [])
      #expect(!report.omissions.isEmpty)
    }
    let deep = try ArchiveChecker.check(path, access: access)
    #expect(deep.omissions.isEmpty)
    let quick = try ArchiveChecker.check(path, depth: .quick)
    #expect(quick.chunks == 0)
    #expect(quick.records == deep.records)
    let subset = try ArchiveChecker.check(path, access: access, depth: Self.subset)
    let sample = try #require(subset.sample)
    #expect(sample.allCheckpoints == deep.records)
    #expect(sample.allChunks == deep.chunks)
    #expect(sample.checkpoints.count == max(1, Int((0.3 * Double(deep.records)).rounded(.up))))
    #expect(subset.chunks <= sample.allChunks)
  }

  @Test(
    "a byte of any file is found by a quick check, at its file",
    arguments: ["minimal", "encrypted"])
  func quick(name: String) throws {
    try withVectorArchive(name) { path in
      for file in try FileManager.default.subpathsOfDirectory(atPath: path).sorted() {
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: "\(path)/\(file)", isDirectory: &isFolder)
        guard !isFolder.boolValue, file != "objects", file != "seal" else { continue }
        try flip("\(path)/\(file)", -1)
        let found = try codes(path, .quick)
        #expect(found.contains("damaged \(file)"), "\(file): \(found)")
        try flip("\(path)/\(file)", -1)
      }
      #expect(try codes(path, .quick) == [])
    }
  }

  @Test(
    "one damage is one finding at every depth, however many checkpoints need it",
    arguments: ["minimal", "rich", "encrypted", "delta"])
  func oneFinding(name: String) throws {
    try withVectorArchive(name) { path in
      let access = try ExpectedArchive(name).access
      for file in try FileManager.default.subpathsOfDirectory(atPath: path).sorted() {
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: "\(path)/\(file)", isDirectory: &isFolder)
        guard !isFolder.boolValue, file != "objects", file != "seal" else { continue }
        try flip("\(path)/\(file)", -1)
        for depth in [.everything, .publicBytes, .quick] as [ArchiveChecker.Depth] {
          let findings = try ArchiveChecker.check(path, access: access, depth: depth).findings
          #expect(findings.count == 1, "\(file): \(findings)")
          #expect(findings.first?.error.place.hasPrefix("\(path)/\(file)") == true)
        }
        try flip("\(path)/\(file)", -1)
      }
    }
  }

  @Test("the checkpoints that need a damaged frame stand with it, and each frame is a damage")
  func frames() throws {
    try withVectorArchive("rich") { path in
      let rows = try ArchiveReader(DirectoryObjectSource(path)).index.rows.count
      let index = try PackIndex(
        parsing: Array(Data(contentsOf: URL(fileURLWithPath: "\(path)/packs/00000000.index"))))
      let first = try #require(index.rows.first)
      let last = try #require(index.rows.last)
      let pack = "\(path)/packs/00000000.pack"
      try flip(pack, first.offset + 20)
      let finding = try #require(try ArchiveChecker.check(path).findings.first)
      #expect(finding.error.code == .damaged)
      #expect(finding.error.place == "\(pack), byte \(first.offset)")
      #expect(finding.error.remedy.contains("pol repair"))
      #expect(finding.checkpoints.count > 1 && finding.checkpoints.contains(1))
      #expect(finding.checkpoints.ranges.allSatisfy { $0.upperBound <= rows })
      #expect(finding.consequence.contains("checkpoints \(finding.checkpoints.list) need it"))
      try flip(pack, last.offset + 20)
      for depth in [.everything, .quick] as [ArchiveChecker.Depth] {
        let places = Set(try ArchiveChecker.check(path, depth: depth).findings.map(\.error.place))
        #expect(
          places == ["\(pack), byte \(first.offset)", "\(pack), byte \(last.offset)"])
      }
    }
  }

  @Test("a bad frame of an archive without a seal is damaged, once, where it stands")
  func unsealedFrame() throws {
    try withVectorArchive("rich") { path in
      let manager = FileManager.default
      let packs = try manager.contentsOfDirectory(atPath: "\(path)/packs")
      let indexes = packs.filter { $0.hasSuffix(".index") }.map { "packs/\($0)" }
      for name in ["seal", "objects", "norms", "records.index"] + indexes {
        try manager.removeItem(atPath: "\(path)/\(name)")
      }
      #expect(try ArchiveChecker.check(path).findings.map(\.error.description) == [])
      let pack = try #require(packs.filter { $0.hasSuffix(".pack") }.sorted().last)
      try flip("\(path)/packs/\(pack)", 40)
      for depth in [.everything, .quick] as [ArchiveChecker.Depth] {
        let findings = try ArchiveChecker.check(path, depth: depth).findings
        #expect(
          findings.map { "\($0.error.code) \($0.error.place)" }
            == ["damaged \(path)/packs/\(pack), byte 16"])
        #expect(findings.first?.error.remedy.contains("--salvage") == true)
      }
    }
  }

  @Test("without a key the checks that take none are named")
  func keyless() throws {
    let path = try TestVectors.path("archive/valid/encrypted.pol")
    let findings = try ArchiveChecker.check(path).findings
    #expect(findings.map(\.error.code) == [.outsideGrant])
    let remedy = try #require(findings.first?.error.remedy)
    for option in ["--grant", "--content-key", "--public", "--quick"] {
      #expect(remedy.contains(option), "\(remedy)")
    }
  }

  @Test("a server that cannot be read from is no damage of the archive")
  func noRanges() throws {
    let path = try TestVectors.path("archive/valid/minimal.pol")
    let source = RangelessSource(folder: try DirectoryObjectSource(path))
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveChecker.check(remote: source, depth: .quick)
    }
    #expect(error?.code == .noRanges)
  }

  @Test("no copy is asked for where the file follows from others")
  func computed() throws {
    try withVectorArchive("minimal") { path in
      for file in ["norms", "records.index", "objects", "packs/00000000.index"] {
        try flip("\(path)/\(file)", -1)
        let findings = try ArchiveChecker.check(path, depth: .publicBytes).findings
        #expect(!findings.isEmpty, "\(file)")
        for finding in findings {
          #expect(finding.error.remedy.contains("--salvage"), "\(file): \(finding.error)")
          #expect(!finding.error.remedy.contains("--from"), "\(file): \(finding.error)")
        }
        try flip("\(path)/\(file)", -1)
      }
      // Then the records that norms are computed from are damaged too.
      try flip("\(path)/norms", -1)
      try flip("\(path)/records", -1)
      let findings = try ArchiveChecker.check(path, depth: .publicBytes).findings
      #expect(findings.allSatisfy { $0.error.remedy.contains("--from COPY") })
    }
  }

  @Test("a folder that is no archive is no damaged one")
  func noArchive() throws {
    try withTemporaryDirectory { path in
      try Data([1]).write(to: URL(fileURLWithPath: "\(path)/notes.txt"))
      let findings = try ArchiveChecker.check(path).findings
      #expect(findings.map(\.error.code) == [.missing])
      #expect(findings.first?.error.remedy.hasPrefix("check the path") == true)
    }
  }

  @Test("a frame of records that is damaged is named, and those after it are read")
  func records() throws {
    try withVectorArchive("rich") { path in
      let whole = try ArchiveChecker.check(path, depth: .quick).records
      let reader = try ArchiveReader(DirectoryObjectSource(path))
      let row = reader.index.rows[2]
      try flip("\(path)/records", row.offset + 70)
      let report = try ArchiveChecker.check(path, depth: .quick)
      let finding = try #require(report.findings.first)
      #expect(finding.error.place.hasPrefix("\(path)/records, byte \(row.offset)"))
      #expect(finding.consequence.contains("checkpoint 2"))
      #expect(finding.error.remedy.contains("pol repair"))
      #expect(report.records == whole - 1)
    }
  }

  @Test("a chunk is found by a subset if its checkpoint is drawn, and the seed draws again")
  func drawn() throws {
    try withVectorArchive("rich") { path in
      let all = try ArchiveChecker.check(path, depth: .subset(share: 1, seed: 1))
      let last = try #require(all.sample?.checkpoints.last)
      // The last frame of the last pack belongs to the last checkpoint.
      let packs = try FileManager.default.contentsOfDirectory(atPath: "\(path)/packs").sorted()
      let pack = try #require(packs.last { $0.hasSuffix(".pack") })
      try flip("\(path)/packs/\(pack)", -1)
      var found = 0
      for seed in UInt64(0)..<12 {
        let depth = ArchiveChecker.Depth.subset(share: 0.2, seed: seed)
        let report = try ArchiveChecker.check(path, depth: depth)
        let sample = try #require(report.sample)
        #expect(
          try ArchiveChecker.check(path, depth: depth).sample?.checkpoints == sample.checkpoints)
        if sample.checkpoints.contains(last) {
          #expect(!report.isWhole)
          found += 1
        }
      }
      #expect(found > 0)
    }
  }

  @Test("a sealed archive is checked where a server has it") func remote() throws {
    guard NginxServer.program != nil else { return }
    try withVectorArchive("minimal") { path in
      let server = try NginxServer(serving: path)
      let source = try openObjectSource(server.url)
      for depth in [.quick, .publicBytes, Self.subset] {
        let report = try ArchiveChecker.check(remote: source, depth: depth)
        #expect(report.findings.map(\.error.description) == [])
        #expect(report.omissions.contains { $0.contains("not listed") })
      }
      try FileManager.default.removeItem(atPath: "\(path)/dataset/offsets")
      let report = try ArchiveChecker.check(remote: source, depth: .quick)
      #expect(report.findings.map(\.error.code) == [.missing])
      withExtendedLifetime(server) {}
    }
  }
}
