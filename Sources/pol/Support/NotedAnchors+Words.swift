import ChunkStorage
import ProofArchive
import ProofPrimitives
import ProofRecording

extension NotedAnchors {
  init(in run: RecordedRun) {
    guard let source = try? DirectoryObjectSource(run.writer.path) else {
      self.init(all: [])
      return
    }
    self.init(in: source)
  }

  /// `3, the last at step 120 (entry 19)`; nil where there is none.
  var words: String? {
    all.last.map { "\(all.count) times, last at step \($0.step) (entry \($0.index))" }
  }

  /// The last ones, the newest last.
  var json: JSONValue {
    .array(
      all.suffix(AnchorNews.shown).map {
        .map([
          ("index", .int($0.index)), ("records", .int($0.recordCount)), ("step", .int($0.step)),
        ])
      })
  }
}
