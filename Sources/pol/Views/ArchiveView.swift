import Cryptography
import ProofArchive
import ProofPrimitives
import ProofRecording

/// The whole archive at a glance.
struct ArchiveView {
  private let reader: ArchiveReader
  private let name: String
  private let summary: ArchiveSummary
  private let stepOffset: Int
  private let anchors: NotedAnchors

  init(_ reader: ArchiveReader, name: String) throws {
    self.reader = reader
    self.name = name
    stepOffset = reader.stepOffset
    anchors = NotedAnchors(in: reader.source)
    let progress = ProgressBar("reading records")
    defer { progress.finish() }
    summary = try ArchiveSummary(reader) { progress.show($0) }
  }

  private var steps: Int { reader.index.rows.last?.step ?? 0 }
  private var description: RunDescription? { try? RunDescription(parsing: reader.settings) }
  private var root: Digest { reader.index.root }
  /// Raw bytes for each stored one.
  private var ratio: Double {
    summary.packByteCount == 0
      ? 0 : Double(summary.rawByteCount) / Double(summary.packByteCount)
  }
  private var claims: (correct: Int, count: Int)? {
    guard let heldOut = (try? reader.claims())?["heldOut"],
      let correct = heldOut["correct"]?.countValue, let count = heldOut["count"]?.countValue
    else { return nil }
    return (correct, count)
  }

  func show(_ output: Output) {
    output.rows(identity + content)
    for line in cut("settings", String(decoding: reader.settings, as: UTF8.self)) {
      output.line(line)
    }
    let losses = summary.segments.map { Double($0.loss) }
    if let first = losses.first, let last = losses.last {
      output.line()
      output.line("loss  \(brief(first)) → \(brief(last)), over the steps")
      output.line(sparkline(losses, width: 78))
    }
    output.document("pol-inspect/1", members)
    if let tail = reader.tornTail {
      output.hint("\(tail) are not whole: `pol check` says what they are")
    }
  }

  private var identity: [(name: String, value: String)] {
    let opening = reader.opening
    var rows: [(name: String, value: String)] = [("archive", printable(name))]
    if let seal = reader.seal {
      rows.append(("sealed", "yes, signature valid; \(seal.objectCount) files"))
      if let partial = reader.partial {
        rows.append(
          ("here", "segments \(partial.segments.list); uses, raw size and loss are of these"))
      }
      rows.append(("seal digest", seal.digest.hex))
      rows.append(("model digest", seal.modelDigest.hex))
    } else {
      rows.append(("sealed", "no: nothing is signed yet"))
    }
    return rows + [
      ("archive root", root.hex), ("archive id", opening.archiveID.hex),
      ("prover key id", opening.proverKey.keyID.hex),
      (
        "ledger",
        opening.commitment.map { "\(printable($0.logOrigin)), entry \($0.index)" } ?? "none"
      ),
    ]
  }

  private var content: [(name: String, value: String)] {
    let total =
      (description.map { " of \($0.steps)" } ?? "")
      + (stepOffset == 0 ? "" : ", from step \(stepOffset) on")
    var rows: [(name: String, value: String)] = [
      ("algorithm", description.map { printable($0.algorithm) } ?? "unknown"),
      ("steps", "\(steps)\(total)"),
      (
        "chain",
        "\(reader.index.rows.count) records, \(reader.segmentCount) segments"
          + (reader.partial == nil ? ", unbroken" : "")
      ),
      ("dataset", "\(reader.opening.datasetCount) points, \(summary.usedPoints) uses"),
      ("dataset root", reader.opening.datasetRoot.hex),
      ("tensors", "\(summary.tensors.count) in each checkpoint"),
      (
        "size",
        "\(byteText(summary.rawByteCount)) raw, \(byteText(summary.packByteCount)) stored"
          + (reader.partial == nil ? ", \(fixed(ratio, 2)) : 1" : " in all")
      ),
      ("chunks", "\(summary.namedChunks) named, \(summary.distinctChunks) distinct"),
    ]
    for gap in summary.gaps.prefix(ArchiveView.gapsShown) {
      for (position, line) in wrapped(text(gap), width: ArchiveView.valueWidth).enumerated() {
        rows.append((position == 0 ? "gap" : "", line))
      }
    }
    if summary.gaps.count > ArchiveView.gapsShown {
      rows.append(("gaps", "\(summary.gaps.count) in all"))
    }
    if let words = anchors.words { rows.append(("anchored", "\(words), says the journal")) }
    if let claims {
      rows.append(("claimed", "\(claims.correct) of \(claims.count) held-out points correct"))
    }
    return rows
  }

  private static let gapsShown = 8
  /// Beside the longest name, in 79 columns.
  private static let valueWidth = 64

  private func text(_ item: ArchiveSummary.MarkedGap) -> String {
    let lost = item.gap.lostSteps == 0 ? "no step lost" : "\(item.gap.lostSteps) steps lost"
    return "steps \(item.steps.lowerBound + stepOffset) to "
      + "\(item.steps.upperBound + stepOffset), \(lost): \(printable(item.gap.cause))"
  }

  private var members: [(String, JSONValue)] {
    let opening = reader.opening
    var members: [(String, JSONValue)] = [
      ("archive", .string(name)), ("sealed", .bool(reader.seal != nil)),
      ("archiveID", .string(opening.archiveID.hex)), ("archiveRoot", .string(root.hex)),
      ("proverKeyID", .string(opening.proverKey.keyID.hex)), ("steps", .int(steps)),
      ("records", .int(reader.index.rows.count)), ("segments", .int(reader.segmentCount)),
      ("chainUnbroken", .bool(reader.partial == nil)),
      ("datasetRoot", .string(opening.datasetRoot.hex)),
      ("datasetCount", .int(opening.datasetCount)), ("usedPoints", .int(summary.usedPoints)),
      ("rawBytes", .int(summary.rawByteCount)), ("packBytes", .int(summary.packByteCount)),
      ("chunksNamed", .int(summary.namedChunks)),
      ("chunksDistinct", .int(summary.distinctChunks)),
      (
        "gaps",
        .array(
          summary.gaps.map {
            .object([
              .init("from", .int($0.steps.lowerBound + stepOffset)),
              .init("to", .int($0.steps.upperBound + stepOffset)),
              .init("lostSteps", .int($0.gap.lostSteps)), .init("cause", .string($0.gap.cause)),
            ])
          })
      ),
      ("anchors", anchors.json),
      (
        "losses",
        .array(
          summary.segments.map {
            .object([
              .init("step", .int($0.endStep + stepOffset)), .init("loss", .double(Double($0.loss))),
            ])
          })
      ),
    ]
    if let settings = try? JSONValue(parsing: reader.settings, form: .canonical) {
      members.append(("settings", settings))
    }
    if let policy = try? JSONValue(parsing: reader.policy, form: .canonical) {
      members.append(("policy", policy))
    }
    if let claims = try? reader.claims() { members.append(("claims", claims)) }
    if let tail = reader.tornTail { members.append(("tornTail", .string(tail))) }
    if let seal = reader.seal {
      members += [
        ("sealDigest", .string(seal.digest.hex)), ("modelDigest", .string(seal.modelDigest.hex)),
      ]
    }
    return members
  }

  /// Long text in lines of at most 79 characters, broken after commas where there are some.
  private func cut(_ name: String, _ text: String) -> [String] {
    let width = ArchiveView.valueWidth
    var rest = printable(text, limit: 640)[...]
    var lines: [String] = []
    while !rest.isEmpty {
      var piece = rest.prefix(width)
      if piece.count < rest.count, let comma = piece.lastIndex(of: ",") {
        piece = piece[...comma]
      }
      lines.append((lines.isEmpty ? name : "").column(15) + piece)
      rest = rest[piece.endIndex...]
    }
    return lines
  }
}
