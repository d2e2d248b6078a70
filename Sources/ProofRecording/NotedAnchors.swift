package import ChunkStorage
internal import ProofArchive
internal import ProofPrimitives

/// The anchors that a recording's journal tells of: what the prover noted, checked by nobody.
package struct NotedAnchors: Sendable {
  /// In the order of their logging.
  package let all: [Noted]

  package struct Noted: Hashable, Sendable {
    /// Of the entry.
    package let index: Int
    package let recordCount: Int
    package let step: Int
  }

  /// 64 MiB: half a million lines.
  private static let byteLimit = 64 << 20

  package init(all: [Noted]) { self.all = all }

  /// Reads the journal beside the archive's records. An archive without one, which an encrypted one is, tells of
  /// none; lines that say something else are passed over.
  package init(in source: any ObjectSource) {
    let bytes = try? source.readWhole(ArchiveFiles.journal, limit: NotedAnchors.byteLimit)
    all = (bytes ?? []).split(separator: 10).compactMap { line in
      guard let json = try? JSONValue(parsing: line, form: .canonical),
        json["event"] == .string(AnchorLogger.Logged.event), let index = json["index"]?.countValue,
        let records = json["records"]?.countValue, let step = json["step"]?.countValue
      else { return nil }
      return Noted(index: index, recordCount: records, step: step)
    }
  }
}
