import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("Chunks that a writer forgot and stores again (archive.md §5)") struct ForgottenChunkTests {
  private static let key = EpochKey(secret: SmallArchive.digest(0x42))

  /// Four contents in turn, which do not compress.
  static func state(_ number: Int) throws -> TrainingState {
    var bits = UInt32(number % 4 + 1)
    let bytes = (0..<60).map { _ in
      bits = bits &* 1_664_525 &+ 1_013_904_223
      return UInt8(truncatingIfNeeded: bits >> 20)
    }
    return try SmallArchive.unwrap(
      TrainingState([
        SmallArchive.tensor("w", .weight, .u8, [40], Array(bytes.prefix(40))),
        SmallArchive.tensor("m", .optimizer, .u8, [20], Array(bytes.suffix(20))),
        SmallArchive.tensor("b", .buffer, .u8, [4], [1, 2, 3, 4]),
      ]))
  }

  static func append(_ number: Int, to writer: ArchiveWriter) throws {
    try writer.append(state(number), steps: number == 0 ? [] : [RepackTests.step(number - 1)])
  }

  @Test(
    "they stand in several packs, and in each pack once; reading and repacking go on",
    arguments: [false, true], [false, true])
  func storedAgain(isEncrypted: Bool, isReopened: Bool) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      var options = ArchiveWriter.Options()
      options.knownChunkLimit = 1
      options.epochKey = isEncrypted ? ForgottenChunkTests.key : nil
      do {
        _ = try ArchiveWriter.create(
          at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
          policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options)
      }
      // Each writer holds the folder until it is gone.
      for run in isReopened ? [0..<3, 3..<5, 5..<9, 9..<14] : [0..<14] {
        let writer = try ArchiveWriter.open(at: path, options: options)
        #expect(writer.checkpointCount == run.lowerBound)
        for number in run { try ForgottenChunkTests.append(number, to: writer) }
        try writer.sync()
        if run.upperBound == 14 { _ = try writer.seal(with: SmallArchive.key()) }
      }
      let access: ArchiveAccess = isEncrypted ? .epochKey(ForgottenChunkTests.key) : .none
      let report = try ArchiveChecker.check(path, access: access)
      #expect(report.findings.map(\.error.description) == [])
      var ids: [Digest] = []
      var packs: UInt32 = 0
      let source = try DirectoryObjectSource(path)
      while try source.byteCount(of: ArchiveFiles.pack(packs)) != nil {
        ids += try PackCatalog.index(packs, source).rows.map(\.storedID)
        packs += 1
      }
      #expect(packs > 1)
      #expect(Set(ids).count < ids.count)
      let reader = try openArchive(source, access: access)
      for number in 0..<14 {
        #expect(try reader.state(number + 1) == ForgottenChunkTests.state(number))
      }
      _ = try ArchiveRepack.run(
        reader, to: "\(folder)/b.pol", options: ArchiveRepack.Options(), key: SmallArchive.key())
      #expect(try ArchiveChecker.check("\(folder)/b.pol", access: access).isWhole)
    }
  }

  @Test("places are counted once, also where they are far apart") func places() {
    var set = PlaceSet()
    var known = Set<Envelope.Place>()
    var bits: UInt64 = 1
    for number in 0..<4000 {
      bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let place = Envelope.Place(
        pack: number % 3 == 0 ? 99_999_999 : UInt32(bits >> 62),
        frame: number % 7 == 0 ? UInt32.max - UInt32(number % 5) : UInt32(bits >> 40 & 511))
      #expect(set.contains(place) == known.contains(place))
      #expect(set.insert(place) == known.insert(place).inserted)
    }
    #expect(set.count == known.count)
  }
}
