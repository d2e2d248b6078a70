import ChunkStorage
import Cryptography
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

/// What every object of some encrypted archives of one epoch key was encrypted with.
private struct Ledger {
  private struct Use: Hashable {
    let key: ObjectKey
    let nonce: [UInt8]
  }

  let key: EpochKey
  private var contents: [Use: [UInt8]] = [:]
  private(set) var conflicts = 0
  private(set) var objects = 0
  private(set) var differentUses: Int {
    get { contents.count }
    set {}
  }

  init(_ key: EpochKey) { self.key = key }

  private mutating func add(_ key: ObjectKey, _ id: Digest, _ plain: [UInt8]) {
    objects += 1
    let use = Use(key: key, nonce: Array(id.bytes.prefix(12)))
    if let known = contents[use], known != plain { conflicts += 1 }
    contents[use] = plain
  }

  /// Opens every object of an archive: all frames of all packs, named or not, records, files and points.
  mutating func read(_ path: String) throws {
    let source = try DirectoryObjectSource(path)
    let header = try RecordsHeader.load(source)
    let content = ContentKey(key, epoch: header.keyEpoch, archiveID: header.archiveID)
    let cipher = ObjectCipher(archiveID: header.archiveID, epoch: header.keyEpoch)
    for name in try DirectoryListing.names(path) {
      if name.hasSuffix(".index"), name.hasPrefix("packs/") {
        let index = try PackIndex(parsing: SmallArchive.bytes("\(path)/\(name)"))
        for row in index.rows {
          let frame = try source.read(ArchiveFiles.pack(index.packNumber), range: row.range)
          let parsed = try ChunkFrame.parse(frame, tagByteCount: 16, at: name)
          let shape = ObjectShape.chunk(
            codec: parsed.codec.rawValue, parameter: parsed.parameter,
            rawByteCount: UInt32(parsed.rawByteCount))
          let own = content.objectKey(of: row.storedID, .chunk)
          let plain = try cipher.open(parsed.storedPayload, id: row.storedID, shape, with: own)
          // The associated data belongs to the content: another one under this nonce would be as bad.
          add(own, row.storedID, [parsed.codec.rawValue, parsed.parameter] + plain)
        }
      }
    }
    for (name, kind) in [
      (ArchiveFiles.settings, ObjectKind.settings), (ArchiveFiles.policy, .policy),
      (ArchiveFiles.claims, .claims), (ArchiveFiles.recordIndex, .recordIndex),
      (ArchiveFiles.norms, .norms),
    ] {
      guard let bytes = try? SmallArchive.bytes("\(path)/\(name)") else { continue }
      let file = try EncryptedFile(parsing: bytes, kind)
      let own = content.objectKey(of: file.objectID, kind)
      add(own, file.objectID, try file.open(with: own, by: cipher))
    }
    let records = try SmallArchive.bytes("\(path)/records")
    var offset = RecordsHeader.byteCount
    while offset + RecordFrame.headerByteCount <= records.count {
      let frame = try RecordFrame.Header(
        Array(records[offset..<offset + RecordFrame.headerByteCount]))
      let end = offset + frame.frameByteCount
      guard end <= records.count else { break }
      let own = content.objectKey(of: frame.objectID, .record)
      let count = UInt32(frame.recordByteCount + frame.envelopeByteCount)
      add(
        own, frame.objectID,
        try cipher.open(
          records[offset + RecordFrame.headerByteCount..<end], id: frame.objectID,
          .record(rawByteCount: count), with: own))
      offset = end
    }
  }
}

@Suite("One key and nonce, one content (encryption.md §4.2)") struct NonceTests {
  private static let key = EpochKey(secret: SmallArchive.digest(0x42))

  private func options() -> ArchiveWriter.Options {
    var options = ArchiveWriter.Options()
    options.epochKey = NonceTests.key
    return options
  }

  @Test("over kill and resume with other content, other filters, and repacks") func lifetime()
    throws
  {
    try withTemporaryDirectory { folder in
      var ledger = Ledger(NonceTests.key)
      let path = "\(folder)/a.pol"
      do {
        let writer = try ArchiveWriter.create(
          at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
          policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options())
        try writer.append(RepackTests.state(0), steps: [])
        for number in 1..<4 {
          try writer.append(RepackTests.state(number), steps: [RepackTests.step(number - 1)])
        }
        try writer.sync()
      }
      try ledger.read(path)
      // Killed while the last record was written; resumed on two disks, each with other content.
      let records = try SmallArchive.bytes("\(path)/records")
      try SmallArchive.write(Array(records.dropLast(3)), to: "\(path)/records")
      try SmallArchive.copy(path, to: "\(folder)/b.pol")
      for (name, shift) in [("a", UInt32(0)), ("b", 5)] {
        let writer = try ArchiveWriter.open(at: "\(folder)/\(name).pol", options: options())
        #expect(writer.lastStep == 2)
        for number in 3..<10 {
          try writer.append(
            RepackTests.state(number, shift: shift), steps: [RepackTests.step(number - 1)])
        }
        _ = try writer.seal(with: SmallArchive.key())
        try ledger.read("\(folder)/\(name).pol")
      }
      for pattern in DeltaPattern.allCases {
        var options = ArchiveRepack.Options()
        options.pattern = pattern
        let copy = "\(folder)/\(pattern.rawValue).pol"
        _ = try ArchiveRepack.run(
          openArchive(path, access: .epochKey(NonceTests.key)), to: copy, options: options,
          key: SmallArchive.key())
        try ledger.read(copy)
      }
      #expect(ledger.conflicts == 0)
      #expect(ledger.objects > ledger.differentUses)
      #expect(ledger.differentUses > 60)
    }
  }

  @Test("one chunk by two filters has two keys and two nonces") func filters() throws {
    let raw = try RepackTests.state(0).tensors.first?.bytes.prefix(1 << 16) ?? []
    let sealer = ArchiveSealer(
      ContentKey(NonceTests.key, epoch: 1, archiveID: SmallArchive.digest(1)))
    let framer = ChunkFramer(archiveID: SmallArchive.digest(1), sealer: sealer)
    let element = try SmallArchive.unwrap(ChunkElement(byteCount: 4, isFloat: true))
    // So near that both deltas are smaller than the chunk.
    let parent = UnsafeMutableRawBufferPointer.allocate(byteCount: raw.count, alignment: 64)
    defer { parent.deallocate() }
    parent.copyBytes(from: raw)
    for position in stride(from: 0, to: parent.count, by: 64) { parent[position] ^= 3 }
    let frames = Array(raw).withUnsafeBytes { raw in
      [ChunkCodec.stored, .bits, .deltaBits, .deltaPlanes].map { codec in
        framer.frame(
          ChunkEncoder().encode(
            raw, as: element, codec: codec,
            parent: codec.isDelta
              ? UnsafeRawBufferPointer(rebasing: parent[...]) : nil), SmallArchive.digest(2))
      }
    }
    #expect(Set(frames.map(\.key)).count == 4)
    #expect(Set(frames.map { Array($0.storedID.bytes.prefix(12)) }).count == 4)
  }

  @Test("two chunks that moved by the same share one encrypted frame, and both are read")
  func sharedDelta() throws {
    func bytes(_ start: UInt8, _ moved: UInt8) -> [UInt8] {
      (0..<70_000).map {
        start &+ UInt8(truncatingIfNeeded: $0 &* $0 >> 3) &+ moved &* UInt8($0 % 2)
      }
    }
    func state(_ moved: UInt8) throws -> TrainingState {
      try SmallArchive.unwrap(
        TrainingState([
          SmallArchive.tensor("a", .optimizer, .u8, [70_000], bytes(0, moved)),
          SmallArchive.tensor("b", .optimizer, .u8, [70_000], bytes(100, moved)),
          SmallArchive.tensor("w", .weight, .u8, [1], [moved]),
        ]))
    }
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let writer = try ArchiveWriter.create(
        at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
        policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options())
      try writer.append(state(0), steps: [])
      for number in 1..<5 {
        try writer.append(state(UInt8(number)), steps: [RepackTests.step(number - 1)])
      }
      _ = try writer.seal(with: SmallArchive.key())
      let access = ArchiveAccess.epochKey(NonceTests.key)
      var shared = 0
      for pattern in [nil, DeltaPattern.tree, .star] {
        let copy = pattern.map { "\(folder)/\($0.rawValue)" } ?? path
        if let pattern {
          var options = ArchiveRepack.Options()
          options.pattern = pattern
          _ = try ArchiveRepack.run(
            openArchive(path, access: access), to: copy, options: options, key: SmallArchive.key())
        }
        let reader = try openArchive(copy, access: access)
        for number in 1...5 {
          #expect(try reader.state(number) == state(UInt8(number - 1)))
          let rows = try reader.envelope(number).rows
          shared += rows.count - Set(rows.map(\.place)).count
        }
        #expect(try ArchiveChecker.check(copy, access: access).isWhole)
      }
      #expect(shared > 0)
    }
  }
}
