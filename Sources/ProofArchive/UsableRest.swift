internal import ChunkStorage
internal import ProofPrimitives

/// What can still be verified of a sealed archive that is not complete.
package struct UsableRest: Sendable {
  /// Records whose every chunk is there.
  package private(set) var checkpoints: [Int] = []
  package private(set) var lostCheckpoints: [Int] = []
  /// Segments of which a checkpoint or a data point is lost.
  package private(set) var lostSegments: [Int] = []
  /// Why nothing can be said, for one because the archive is encrypted and no key was given.
  package private(set) var obstacle: ArchiveError?

  /// Reads every chunk that is left, and the data points of every segment.
  init(_ source: any ObjectSource, _ seal: Seal, _ access: ArchiveAccess) {
    do throws(ArchiveError) {
      let reader = try ArchiveReader(source, access: access)
      let count = reader.index.rows.count
      for number in 1..<count {
        if (try? reader.checkChunks(number)) != nil {
          checkpoints.append(number)
        } else {
          lostCheckpoints.append(number)
        }
      }
      let lost = Set(lostCheckpoints)
      for segment in 0..<max(0, count - 2) {
        let ends = [segment + 1, segment + 2]
        if !lost.isDisjoint(with: ends) || !UsableRest.hasPoints(reader, segment) {
          lostSegments.append(segment)
        }
      }
    } catch {
      obstacle = error
    }
  }

  private static func hasPoints(_ reader: ArchiveReader, _ segment: Int) -> Bool {
    do throws(ArchiveError) {
      let steps = try reader.checkpoint(segment + 2).steps
      // A step at a time: a segment may use the whole dataset.
      for step in steps { _ = try reader.dataset.points(at: step.batch) }
      return true
    } catch {
      return false
    }
  }
}
