import ChunkStorage
import Cryptography
import Glibc
import ProofPrimitives
import ProofTestSupport
import Synchronization
import Testing

@testable import ProofArchive

/// What a store does to one write: `left` of them go through, the next fails, then all do.
private final class OneFailure: Sendable {
  private let left = Mutex<Int?>(nil)
  private let suffix: String

  init(_ suffix: String) { self.suffix = suffix }

  func fail(after count: Int) { left.withLock { $0 = count } }

  func heal() { left.withLock { $0 = nil } }

  var fault: AppendFile.Fault {
    { operation, path in
      guard operation == .write, path.hasSuffix(self.suffix) else { return 0 }
      return self.left.withLock { left in
        guard let count = left else { return 0 }
        left = count > 0 ? count - 1 : nil
        return count > 0 ? 0 : ENOSPC
      }
    }
  }
}

@Suite("What a failing write leaves (archive.md §5, §7)") struct FailingWriteTests {
  private static let key = EpochKey(secret: SmallArchive.digest(0x42))

  private func frames(_ numbers: ClosedRange<UInt8>) -> [(bytes: [UInt8], id: Digest)] {
    numbers.map { number in
      let payload = [UInt8](repeating: number, count: 40)
      return (
        ChunkFrame.bytes(codec: .bits, parameter: 0, rawByteCount: 40, storedPayload: payload),
        SmallArchive.digest(number)
      )
    }
  }

  private func append(
    _ frames: [(bytes: [UInt8], id: Digest)], to packs: PackWriter
  ) throws -> [Envelope.Place] {
    // All in one buffer that outlives the call.
    let all = frames.flatMap(\.bytes)
    return try all.withUnsafeBytes { buffer in
      var start = 0
      var new: [PackWriter.Frame] = []
      for frame in frames {
        let end = start + frame.bytes.count
        new.append((UnsafeRawBufferPointer(rebasing: buffer[start..<end]), frame.id))
        start = end
      }
      return try packs.append(new)
    }
  }

  @Test(
    "frames that were not written are not taken for stored ones", arguments: [0, 1] as [UInt16])
  func packs(suite: UInt16) throws {
    try withTemporaryDirectory { folder in
      #expect(mkdir("\(folder)/packs", 0o755) == 0)
      let failure = OneFailure(".pack")
      let packs = try PackWriter(
        folder: folder, number: 0, suite: suite, frames: [], fault: failure.fault)
      #expect(try append(frames(1...2), to: packs).map(\.frame) == [0, 1])
      failure.fail(after: 0)
      #expect(throws: StorageError.self) { try append(frames(3...5), to: packs) }
      #expect(!packs.isBroken)
      #expect(packs.index.rows.map(\.storedID) == frames(1...2).map(\.id))
      // The same again, behind another one: each has the place where it stands now.
      let places = try append(frames(6...6) + frames(3...5), to: packs)
      #expect(places == (2...5).map { Envelope.Place(pack: 0, frame: $0) })
      try packs.close()
      let bytes = try SmallArchive.bytes("\(folder)/\(ArchiveFiles.pack(0))")
      let index = try PackIndex(
        parsing: SmallArchive.bytes("\(folder)/\(ArchiveFiles.packIndex(0))"))
      #expect(index.packByteCount == bytes.count)
      for (row, frame) in zip(index.rows, frames(1...2) + frames(6...6) + frames(3...5)) {
        #expect(row.storedID == frame.id)
        #expect(Array(bytes[row.range]) == frame.bytes)
      }
    }
  }

  @Test("an id that comes twice in one call stands once in a pack") func twice() throws {
    try withTemporaryDirectory { folder in
      for (suite, name) in [(0, "clear"), (1, "sealed")] as [(UInt16, String)] {
        let path = "\(folder)/\(name)"
        #expect(mkdir(path, 0o755) == 0 && mkdir("\(path)/packs", 0o755) == 0)
        let packs = try PackWriter(folder: path, number: 0, suite: suite, frames: [])
        let places = try append(frames(1...2) + frames(1...1) + frames(3...3), to: packs)
        try packs.close()
        // An encrypted frame that stands already is taken; a clear one begins the next pack.
        let again = suite == 1 ? (0, 0) : (1, 0) as (UInt32, UInt32)
        #expect(
          places == [
            Envelope.Place(pack: 0, frame: 0), Envelope.Place(pack: 0, frame: 1),
            Envelope.Place(pack: again.0, frame: again.1),
            suite == 1 ? Envelope.Place(pack: 0, frame: 2) : Envelope.Place(pack: 1, frame: 1),
          ])
        let source = try DirectoryObjectSource(path)
        for (place, frame) in zip(places, frames(1...2) + frames(1...1) + frames(3...3)) {
          let row = try PackCatalog.index(place.pack, source).rows[Int(place.frame)]
          #expect(row.storedID == frame.id)
          #expect(
            try source.read(ArchiveFiles.pack(place.pack), range: row.range) == frame.bytes)
        }
      }
    }
  }

  /// Chunks that no codec makes smaller, and some of them twice: next to each other, within what is
  /// encoded at once, and in two tensors.
  private func state(_ step: UInt32) throws -> TrainingState {
    var bits = step &* 747_796_405 &+ 1
    func noise(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in
        bits = bits &* 1_664_525 &+ 1_013_904_223
        return UInt8(truncatingIfNeeded: bits >> 20)
      }
    }
    let chunk = 1 << 18
    let (first, second) = (noise(chunk), noise(chunk))
    let weights = first + first + second + noise(2 * chunk) + first + noise(100)
    return try SmallArchive.unwrap(
      TrainingState([
        SmallArchive.tensor("a", .weight, .u8, [weights.count], weights),
        SmallArchive.tensor("b", .weight, .u8, [chunk], second),
        SmallArchive.tensor("c", .optimizer, .u8, [64], noise(64)),
      ]))
  }

  @Test(
    "a checkpoint whose writing fails anywhere is nowhere referred to", arguments: [false, true],
    [1, 2])
  func checkpoint(isEncrypted: Bool, workers: Int) throws {
    for count in 0..<4 {
      try withTemporaryDirectory { folder in
        let path = "\(folder)/a.pol"
        let failure = OneFailure(".pack")
        var options = ArchiveWriter.Options()
        options.workers = workers
        options.fault = failure.fault
        options.epochKey = isEncrypted ? FailingWriteTests.key : nil
        let writer = try ArchiveWriter.create(
          at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
          policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options)
        try writer.append(state(0), steps: [])
        failure.fail(after: count)
        // How many writes a checkpoint takes, the threads decide; one it takes always.
        let isWritten = (try? writer.append(state(1), steps: [RepackTests.step(0)])) != nil
        #expect(!isWritten || count > 0)
        failure.heal()
        // The same content comes again.
        if !isWritten { try writer.append(state(1), steps: [RepackTests.step(0)]) }
        try writer.append(state(2), steps: [RepackTests.step(1)])
        _ = try writer.seal(with: SmallArchive.key())
        let access: ArchiveAccess = isEncrypted ? .epochKey(FailingWriteTests.key) : .none
        let report = try ArchiveChecker.check(path, access: access)
        #expect(report.findings.map(\.error.description) == [])
        let reader = try openArchive(DirectoryObjectSource(path), access: access)
        for number in 0..<3 { #expect(try reader.state(number + 1) == state(UInt32(number))) }
      }
    }
  }

  @Test("equal chunks of a checkpoint stand once in the packs", arguments: [false, true])
  func equalChunks(isEncrypted: Bool) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      var options = ArchiveWriter.Options()
      options.workers = 2
      options.epochKey = isEncrypted ? FailingWriteTests.key : nil
      let writer = try ArchiveWriter.create(
        at: path, opening: SmallArchive.opening(), settings: SmallArchive.settings,
        policy: SmallArchive.policy, dataset: SmallArchive.dataset(), options: options)
      try writer.append(state(0), steps: [])
      try writer.append(state(0), steps: [RepackTests.step(0)])
      _ = try writer.seal(with: SmallArchive.key())
      let source = try DirectoryObjectSource(path)
      #expect(try source.byteCount(of: ArchiveFiles.pack(1)) == nil)
      // Two that come again, two more, the end of the tensor, the optimizer's.
      #expect(try PackCatalog.index(0, source).rows.count == 6)
    }
  }
}

/// A state of which one tensor cannot be read for now.
private final class UnreadableState: StateSource {
  private let state: TrainingState
  private let name: String

  init(_ state: TrainingState, _ name: String) {
    self.state = state
    self.name = name
  }

  var specs: [TensorSpec] { state.specs }

  func read(
    tensor index: Int, at offset: Int, into out: UnsafeMutableRawBufferPointer
  ) throws(ArchiveError) {
    guard specs[index].name != name else {
      throw ArchiveError(.io, at: name, "it cannot be read")
    }
    try state.read(tensor: index, at: offset, into: out)
  }
}

@Suite("A state that cannot be read") struct UnreadableStateTests {
  @Test(
    "fails the checkpoint, whichever chunk of a pair it is, and the next one is whole",
    arguments: ["w", "b", "step"])
  func fails(name: String) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let writer = try SmallArchive.create(at: path)
      try SmallArchive.record(writer, to: 4)
      let unreadable = UnreadableState(try SmallArchive.state(6), name)
      let found = #expect(throws: ArchiveError.self) {
        try writer.append(unreadable, steps: [RepackTests.step(4), RepackTests.step(5)])
      }
      #expect(found?.message == "it cannot be read")
      #expect(writer.lastStep == 4)
      try SmallArchive.record(writer, to: 8)
      _ = try writer.seal(with: SmallArchive.key())
      #expect(try ArchiveChecker.check(path).isWhole)
      let reader = try openArchive(path)
      #expect(try reader.state(4) == SmallArchive.state(6))
    }
  }
}

@Suite("Two at a time are as one at a time") struct PairTests {
  @Test("objects sealed in place have the ids, keys and bytes of objects sealed alone")
  func objects() throws {
    let archiveID = SmallArchive.digest(7)
    let key = ContentKey(
      EpochKey(secret: SmallArchive.digest(8)), epoch: 3, archiveID: archiveID)
    let cipher = ObjectCipher(archiveID: archiveID, epoch: 3)
    let contents: [(bytes: [UInt8], shape: ObjectShape)] = [
      ([UInt8](repeating: 1, count: 100), .chunk(codec: 2, parameter: 1, rawByteCount: 300)),
      ([UInt8](repeating: 1, count: 100), .chunk(codec: 3, parameter: 1, rawByteCount: 300)),
      ([UInt8](repeating: 2, count: 7), .chunk(codec: 0, parameter: 0, rawByteCount: 7)),
      ([9], .record(rawByteCount: 1)),
    ]
    for first in contents {
      for second in contents {
        let two = [first, second]
        let alone = two.map { cipher.seal($0.bytes[...], $0.shape, with: key) }
        let buffers = two.map { content in
          let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: content.bytes.count + ObjectCipher.tagByteCount, alignment: 16)
          buffer.copyBytes(from: content.bytes)
          return buffer
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        let sealed = cipher.seal(
          inPlace: zip(buffers, two).map { (buffer: $0, shape: $1.shape) }, with: key)
        #expect(sealed.map(\.id) == alone.map(\.id))
        #expect(sealed.map(\.key) == alone.map(\.key))
        #expect(buffers.map { Array($0) } == alone.map(\.bytes))
      }
    }
  }

  @Test("files of any two lengths have the digests of their bytes") func files() throws {
    try withTemporaryDirectory { folder in
      let counts = [0, 1, 5, 1 << 18, (1 << 18) + 1, 700_001, 700_001, 1_500_000]
      var expected: [ObjectTable.Row] = []
      for (number, count) in counts.enumerated() {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + $0 >> 9 + number) }
        try SmallArchive.write(bytes, to: "\(folder)/f\(number)")
        expected.append(
          ObjectTable.Row(name: "f\(number)", byteCount: count, digest: SHA256.hash(bytes)))
      }
      let source = try DirectoryObjectSource(folder)
      #expect(try ObjectTable.rows(expected.map(\.name), in: source) == expected)
      for first in expected {
        #expect(try ObjectTable.rows([first.name], in: source) == [first])
        for second in expected where second != first {
          #expect(
            try ObjectTable.rows([first.name, second.name], in: source) == [first, second])
        }
      }
    }
  }

  @Test("a key frame is given for its own place and chunk alone") func keyFrames() {
    var cache = KeyFrameCache()
    let (place, other) = (Envelope.Place(pack: 0, frame: 1), Envelope.Place(pack: 1, frame: 1))
    cache.keep([1, 2], of: place, chunk: 4)
    #expect(cache.raw(of: place, chunk: 4) == [1, 2])
    #expect(cache.raw(of: other, chunk: 4) == nil)
    #expect(cache.raw(of: place, chunk: 5) == nil)
    cache.keep([3], of: other, chunk: 4)
    #expect(cache.raw(of: place, chunk: 4) == nil)
    #expect(cache.raw(of: other, chunk: 4) == [3])
  }
}
