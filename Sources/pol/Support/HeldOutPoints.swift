import ChunkStorage
import ProofArchive
import Reexecution

/// The points that the settings of a run hold out, for who counts a claimed accuracy.
func heldOutPoints(_ settings: [UInt8]) throws(ArchiveError) -> Range<Int> {
  guard let points = (try? RunSettings(parsing: settings))?.heldOut else {
    throw ArchiveError(
      .unsupported, at: ArchiveFiles.settings,
      "which points it holds out is not known: the algorithm is not the built-in one",
      remedy: "leave out --held-out")
  }
  return Int(points.first)..<Int(points.first) + points.count
}
