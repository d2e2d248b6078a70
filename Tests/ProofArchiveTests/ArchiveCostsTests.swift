import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("What checkpoints cost, and how they differ") struct ArchiveCostsTests {
  @Test("every byte of the packs is counted once", arguments: [false, true])
  func bytes(isEncrypted: Bool) throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      let key = isEncrypted ? EpochKey(secret: SmallArchive.digest(0x42)) : nil
      _ = try RepackTests.record(at: path, key: key)
      let source = try DirectoryObjectSource(path)
      let reader = try openArchive(source, access: key.map { .epochKey($0) } ?? .none)
      let costs = try ArchiveCosts(reader)
      let pack = try SmallArchive.bytes("\(path)/packs/00000000.pack")
      let frames = costs.checkpoints.reduce(0) { $0 + $1.storedByteCount }
      #expect(PackIndex.packHeaderByteCount + frames + costs.unnamed.storedByteCount == pack.count)
      let index = try PackCatalog.index(0, source)
      #expect(
        costs.checkpoints.reduce(0) { $0 + $1.newFrameCount } + costs.unnamed.count
          == index.rows.count)
      let codecs = try #require(costs.codecs)
      #expect(codecs.values.reduce(0) { $0 + $1.storedByteCount } == frames)
      let deltas = codecs.filter { [.deltaPlanes, .deltaBits].contains($0.key) }.values
      #expect(
        deltas.reduce(0) { $0 + $1.rawByteCount }
          == costs.checkpoints.reduce(0) { $0 + $1.deltas.rawByteCount })
      #expect(
        codecs.values.reduce(0) { $0 + $1.rawByteCount }
          == costs.checkpoints.reduce(0) { $0 + $1.deltas.rawByteCount + $1.alone.rawByteCount })
      #expect(costs.checkpoints.count == 12)
      // Frozen: the two chunks of the buffer; the first checkpoint stores everything.
      #expect(costs.checkpoints[0].knownChunkCount == 0)
      #expect(costs.checkpoints[1].knownChunkCount >= 2)
      #expect(costs.checkpoints[1].deltas.count > 0)
      #expect(costs.checkpoints[0].rawByteCount == 3 * 360_000 + 1)
    }
  }

  @Test("a server is asked for each pack's index, for joined records, and for little else")
  func requests() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      _ = try RepackTests.record(at: path, key: nil)
      let near = try ArchiveCosts(openArchive(DirectoryObjectSource(path)))
      let far = try FarSource(path)
      let costs = try ArchiveCosts(openArchive(far))
      // Seal, index, settings, policy, header of records, record 0, all other records, objects.
      #expect(far.requests.count == 1 + 8)
      #expect(costs.checkpoints.reduce(0) { $0 + $1.newFrameCount } > 30)
      #expect(costs.codecs == nil && near.codecs != nil)
      #expect(costs.checkpoints.map(\.deltas) == near.checkpoints.map(\.deltas))
      #expect(costs.checkpoints.map(\.alone) == near.checkpoints.map(\.alone))
      #expect(costs.checkpoints.map(\.totalByteCount) == near.checkpoints.map(\.totalByteCount))
      #expect(costs.unnamed == near.unnamed)
    }
  }

  @Test("no payload is read for the costs") func payloads() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      _ = try RepackTests.record(at: path, key: nil)
      let source = try DirectoryObjectSource(path)
      _ = try ArchiveCosts(openArchive(source))
      #expect(
        source.transfer.bytes * 20 < (try SmallArchive.bytes("\(path)/packs/00000000.pack").count))
    }
  }

  @Test("norms of a difference, and what is equal is not fetched") func difference() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      _ = try RepackTests.record(at: path, key: nil, deltas: false)
      let source = try DirectoryObjectSource(path)
      let reader = try openArchive(source)
      let before = source.transfer.bytes
      let found = try CheckpointDifference(reader, 2, reader, 3)
      // Two moving tensors on both sides, as much again for the rest; the buffer is not among them.
      #expect(source.transfer.bytes - before < 4 * 360_000)
      #expect(found.tensors.map(\.spec.name) == ["w", "b", "m", "step"])
      #expect(found.identicalCount == 1)
      #expect(found.changedChunkCount == 5)
      #expect(found.chunkCount == 7)
      let norms = try reader.checkpoint(3).norms
      #expect(found.tensors[0].linf == Double(bitPattern: norms.linf))
      let l2 = Double(bitPattern: norms.l2)
      #expect(abs(found.tensors[0].l2 - l2) <= 1e-9 * l2)
      #expect(found.tensors[1].l2 == 0)
      #expect(found.tensors[3].linf == 1)
      #expect(found.onlyInSecond.isEmpty)
      let later = try CheckpointDifference(reader, 8, reader, 9)
      #expect(later.onlyInSecond.map(\.name) == ["v"])
      #expect(try CheckpointDifference(reader, 9, reader, 8).onlyInFirst.map(\.name) == ["v"])
      let same = try CheckpointDifference(reader, 4, reader, 4)
      #expect(same.changedChunkCount == 0 && same.identicalCount == same.tensors.count)
    }
  }
}
