import ChunkStorage
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import ProofArchive

@Suite("Chunking (archive.md §4)") struct ChunkLayoutTests {
  private let sizes = ChunkSizes.standard

  private func spec(
    _ name: String, _ count: Int, role: TensorRole = .weight, type: ElementType = .u8
  ) throws -> TensorSpec {
    try SmallArchive.unwrap(TensorSpec(name: name, role: role, type: type, shape: [count]))
  }

  /// Sizes of the chunks, and for each tensor its place.
  private func layout(_ specs: [TensorSpec]) throws -> ([Int], [ChunkLayout.Place]) {
    let layout = try SmallArchive.unwrap(
      ChunkLayout(specs.sorted(by: TensorSpec.precedes), sizes: sizes))
    return (layout.chunks.indices.map { layout.byteCount(ofChunk: $0) }, layout.places)
  }

  private func place(_ chunk: UInt32, _ offset: UInt32) -> ChunkLayout.Place {
    ChunkLayout.Place(firstChunk: chunk, offset: offset)
  }

  @Test(
    "a large tensor is cut alone, the last piece shorter",
    arguments: [
      (65_536, [65_536]), (262_143, [262_143]), (262_144, [262_144]), (262_145, [262_144, 1]),
      (600_000, [262_144, 262_144, 75_712]),
    ])
  func large(byteCount: Int, chunks: [Int]) throws {
    let found = try layout([spec("a", byteCount)])
    #expect(found.0 == chunks)
    #expect(found.1 == [place(0, 0)])
  }

  @Test("small tensors of a role and type are one run, in name order") func small() throws {
    let found = try layout([spec("b", 65_535), spec("a", 10), spec("c", 5)])
    #expect(found.0 == [65_550])
    #expect(found.1 == [place(0, 0), place(0, 10), place(0, 65_545)])
  }

  @Test("a run is cut inside a tensor") func cutRun() throws {
    let found = try layout(
      (0..<5).map { try spec("t\($0)", 65_000) })
    #expect(found.0 == [262_144, 325_000 - 262_144])
    #expect(found.1[4] == place(0, 260_000))
  }

  @Test("large before small, types apart, roles apart") func order() throws {
    let found = try layout([
      spec("a", 8, type: .u8), spec("z", 70_000), spec("b", 2, type: .f32),
      spec("a", 3, role: .buffer), spec("m", 1, role: .optimizer, type: .f32),
    ])
    // z alone; U8 run (code 2) with a; F32 run (code 12) with b; then buffer, then optimizer.
    #expect(found.0 == [70_000, 8, 8, 3, 4])
    #expect(
      found.1 == [place(1, 0), place(2, 0), place(0, 0), place(3, 0), place(4, 0)])
  }

  @Test("a tensor without bytes has the place its first byte would have") func empty() throws {
    let found = try layout([spec("a", 4), spec("b", 0), spec("c", 4)])
    #expect(found.0 == [8])
    #expect(found.1 == [place(0, 0), place(0, 4), place(0, 4)])
    #expect(try layout([spec("a", 0)]).0 == [])
  }

  @Test("the chunks of a state hold each byte once") func coverage() throws {
    let state = try SmallArchive.state(4)
    let layout = try SmallArchive.unwrap(ChunkLayout(state.tensors.map(\.spec), sizes: sizes))
    let all = layout.chunks.indices.flatMap { layout.bytes(ofChunk: $0, in: state) }
    #expect(all.count == state.tensors.reduce(0) { $0 + $1.bytes.count })
  }

  @Test("equal chunks are stored once, also after reopening") func deduplication() throws {
    try withTemporaryDirectory { folder in
      let path = "\(folder)/a.pol"
      do {
        let writer = try SmallArchive.create(at: path)
        try SmallArchive.record(writer, to: 4)
        try writer.sync()
      }
      let writer = try ArchiveWriter.open(at: path)
      try SmallArchive.record(writer, to: 8)
      try writer.sync()
      let summary = try ArchiveSummary(openArchive(path))
      // Five checkpoints of three chunks; the buffer's is always the same.
      #expect(summary.namedChunks == 15)
      #expect(summary.distinctChunks == 11)
      try writer.opened().packs.close()
      let index = try PackCatalog.index(0, openArchive(path).source)
      #expect(index.rows.count == 11)
      #expect(Set(index.rows.map(\.storedID)).count == 11)
    }
  }
}
