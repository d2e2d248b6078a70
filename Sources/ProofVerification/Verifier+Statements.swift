internal import ProofArchive
internal import ProofPrimitives
internal import TransparencyLedger

/// What re-executed records say that a published statement says too. A statement is found by its digests
/// (`pol lookup`): somebody else's among them would be a claim on his model.
struct SeenRecords {
  /// Model digests by record number, of the records that a statement names.
  var models: [Int: Digest] = [:]
  /// Digests of weight chunks.
  var weightChunks = Set<Digest>()
  /// How many records were seen, of those from the first state on.
  var count = 0
}

extension Verifier {
  /// Notes a record whose whole state is known by now.
  func note(_ number: Int, _ record: CheckpointRecord, _ state: TrainingState) {
    guard let reader, !proofs.isEmpty else { return }
    seen.count += 1
    let last = reader.index.rows.count - 1
    if Publication.checkpointNumbers(last: last).contains(number) {
      seen.models[number] = modelDigest(of: state.tensors)
    }
    seen.weightChunks.formUnion(Publication.weightChunks(of: record))
  }

  /// Every statement names this run's tensors, checkpoints and chunks, as far as records were seen.
  func checkStatements(_ final: TrainingState, last: Int) throws(CheckStop) {
    let tensors = Publication.tensorDigests(of: final)
    let numbers = Publication.checkpointNumbers(last: last)
    for proof in proofs {
      guard proof.tensors == tensors else {
        throw .refuted("the published statement names tensors that are not the final model's")
      }
      guard proof.checkpointWeights.count == numbers.count,
        zip(numbers, proof.checkpointWeights).allSatisfy({ seen.models[$0] ?? $1 == $1 })
      else {
        throw .refuted("the published statement names models that are not this run's checkpoints")
      }
      guard isSketch(proof.sketch, complete: seen.count == last) else {
        throw .refuted("the published statement's sketch is not of this run's weights")
      }
    }
    let all = Set(Publication.claimedTensors(final.tensors))
    guard parts.allSatisfy({ all.isSuperset(of: $0.tensors) }) else {
      throw .refuted("a part of the published proof names tensors that are not the final model's")
    }
  }

  /// Whether no chunk that was seen is missing from the smallest ones; with all records seen, whether
  /// there are no others.
  private func isSketch(_ sketch: [Digest], complete: Bool) -> Bool {
    let listed = Set(sketch)
    let isFull = sketch.count == ProofStatement.sketchLimit
    let due = seen.weightChunks.filter { chunk in
      !isFull || sketch.last.map { chunk <= $0 } ?? false
    }
    return due.isSubset(of: listed) && (!complete || due.count == listed.count)
  }
}
