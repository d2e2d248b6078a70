import ProofArchive
import ProofPrimitives
import Synchronization

/// What `pol push` and `pol pull` show and answer.
struct TransferReport {
  /// Runs a transfer under a progress bar that an interruption ends in good order.
  ///
  /// - Returns: Nil when it was interrupted; `output` has said so.
  static func run(
    _ title: String, _ output: Output,
    _ body: (ArchiveTransfer.Supervision) throws -> ArchiveTransfer
  ) throws -> ArchiveTransfer? {
    Interruption.watch()
    let bar = Mutex(ProgressBar(title))
    let supervision = ArchiveTransfer.Supervision(
      progress: { done, total in
        let note = "\(byteText(done)) of \(byteText(total))"
        bar.withLock { $0.show(Double(done) / Double(max(1, total)), note) }
      }, isStopped: { Interruption.signalNumber != nil })
    defer { bar.withLock { $0.finish() } }
    do {
      return try body(supervision)
    } catch {
      guard Interruption.signalNumber != nil else { throw error }
      bar.withLock { $0.finish() }
      output.talk("interrupted; run the same command again to go on")
      return nil
    }
  }

  static func show(
    _ transfer: ArchiveTransfer, from: String, to: String, schema: String, _ output: Output
  ) {
    for warning in transfer.warnings { output.talk("warning: \(warning)") }
    let seal = transfer.seal
    var rows = [
      ("from", printable(from, limit: 1000)), ("to", printable(to, limit: 1000)),
      ("seal", seal.digest.hex),
    ]
    var held: [(String, JSONValue)] = []
    if let partial = transfer.partial {
      rows += [
        ("segments", "\(partial.segments.list) of 0-\(seal.segmentCount - 1)"),
        (
          "bytes",
          "\(byteText(partial.heldByteCount)) of \(byteText(transfer.byteCount)), "
            + "\(byteText(transfer.copiedByteCount)) copied now"
        ),
      ]
      held = [
        ("segments", .array(partial.segments.ranges.joined().map { .int($0) })),
        ("heldBytes", .int(partial.heldByteCount)),
      ]
    } else {
      rows += [
        ("files", "\(transfer.fileCount), \(transfer.copiedFileCount) copied now"),
        (
          "bytes",
          "\(byteText(transfer.byteCount)), \(byteText(transfer.copiedByteCount)) copied now"
        ),
      ]
    }
    output.rows(rows)
    output.document(
      schema,
      [
        ("from", .string(from)), ("to", .string(to)), ("seal", .string(seal.digest.hex)),
        ("archive", .string(seal.archiveID.hex)), ("files", .int(transfer.fileCount)),
        ("bytes", .int(transfer.byteCount)), ("copiedFiles", .int(transfer.copiedFileCount)),
        ("copiedBytes", .int(transfer.copiedByteCount)),
        ("warnings", .array(transfer.warnings.map { .string($0) })),
      ] + held)
  }
}
