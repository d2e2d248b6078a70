import ChunkStorage
import ProofArchive
import ProofPrimitives

/// What each checkpoint of an archive costs.
struct CostsView {
  private let costs: ArchiveCosts
  private let stepOffset: Int

  init(_ reader: ArchiveReader) throws {
    stepOffset = reader.stepOffset
    let progress = ProgressBar("reading headers")
    defer { progress.finish() }
    costs = try ArchiveCosts(reader) { progress.show($0) }
  }

  /// Nil of an archive on a server.
  private var codecs: [(name: String, frames: ArchiveCosts.Frames)]? {
    guard let codecs = costs.codecs else { return nil }
    var found = ChunkCodec.allCases.compactMap { codec in
      codecs[codec].map { (CostsView.name(codec), $0) }
    }
    if let unknown = codecs[nil] { found.append(("unknown", unknown)) }
    return found
  }

  private static func name(_ codec: ChunkCodec) -> String {
    switch codec {
    case .stored: "stored"
    case .lz4: "lz4"
    case .constant: "constant"
    case .bits: "bits"
    case .deltaPlanes: "delta planes"
    case .deltaBits: "delta bits"
    }
  }

  private func sum(_ value: (ArchiveCosts.Checkpoint) -> Int) -> Int {
    costs.checkpoints.reduce(0) { $0 + value($1) }
  }

  private static func ratio(_ raw: Int, _ stored: Int) -> String {
    stored == 0 ? "-" : fixed(Double(raw) / Double(stored), 2)
  }

  func show(_ output: Output) {
    output.line(
      CostsView.line(
        "record", "step", "raw", "frames", "index", "record", "new", "known", "delta", "ratio"))
    for item in costs.checkpoints {
      output.line(
        CostsView.line(
          "\(item.record)", "\(item.step + stepOffset)", byteText(item.rawByteCount),
          byteText(item.storedByteCount), byteText(item.indexByteCount),
          byteText(item.recordByteCount), "\(item.newFrameCount)", "\(item.knownChunkCount)",
          "\(item.deltas.count)", CostsView.ratio(item.rawByteCount, item.totalByteCount)))
    }
    output.line(
      CostsView.line(
        "all", "", byteText(sum(\.rawByteCount)), byteText(sum(\.storedByteCount)),
        byteText(sum(\.indexByteCount)), byteText(sum(\.recordByteCount)),
        "\(sum(\.newFrameCount))", "\(sum(\.knownChunkCount))", "\(sum(\.deltas.count))",
        CostsView.ratio(sum(\.rawByteCount), sum(\.totalByteCount))))
    output.line()
    if let codecs {
      output.line(
        "codec         " + "chunks".rightColumn(9) + "raw   stored   ratio".rightColumn(25))
      for (name, frames) in codecs {
        output.line(
          name.column(14) + "\(frames.count)".rightColumn(9)
            + byteText(frames.rawByteCount).rightColumn(10)
            + byteText(frames.storedByteCount).rightColumn(10)
            + CostsView.ratio(frames.rawByteCount, frames.storedByteCount).rightColumn(7))
      }
    } else {
      output.line("codecs are not listed: each frame would be a request to the server")
    }
    if costs.unnamed.count > 0 {
      output.line()
      output.line(
        "\(costs.unnamed.count) frames, \(byteText(costs.unnamed.storedByteCount)), are named by "
          + "no record")
    }
    output.document("pol-inspect-costs/1", members)
  }

  /// 80 columns.
  private static func line(_ cells: String...) -> String {
    zip(cells, [6, 9, 9, 9, 9, 9, 7, 7, 7, 7]).map { $0.rightColumn($1) }.joined()
  }

  private static func members(_ frames: ArchiveCosts.Frames) -> [JSONValue.Member] {
    [
      .init("frames", .int(frames.count)), .init("rawBytes", .int(frames.rawByteCount)),
      .init("storedBytes", .int(frames.storedByteCount)),
    ]
  }

  private var codecMembers: [(String, JSONValue)] {
    codecs.map { codecs in
      [
        (
          "codecs",
          .object(codecs.map { .init($0.name, .object(CostsView.members($0.frames))) })
        )
      ]
    } ?? []
  }

  private var members: [(String, JSONValue)] {
    let checkpoints = costs.checkpoints.map { item in
      JSONValue.object([
        .init("record", .int(item.record)), .init("step", .int(item.step + stepOffset)),
        .init("rawBytes", .int(item.rawByteCount)), .init("chunks", .int(item.chunkCount)),
        .init("knownChunks", .int(item.knownChunkCount)),
        .init("deltas", .object(CostsView.members(item.deltas))),
        .init("alone", .object(CostsView.members(item.alone))),
        .init("indexBytes", .int(item.indexByteCount)),
        .init("recordBytes", .int(item.recordByteCount)),
      ])
    }
    return [
      ("checkpoints", .array(checkpoints))
    ] + codecMembers + [
      ("rawBytes", .int(sum(\.rawByteCount))), ("storedBytes", .int(sum(\.storedByteCount))),
      ("indexBytes", .int(sum(\.indexByteCount))), ("recordBytes", .int(sum(\.recordByteCount))),
      ("unnamed", .object(CostsView.members(costs.unnamed))),
    ]
  }
}
