package import ProofPrimitives

/// What a model or a proof can be compared by.
package struct ClaimedParts: Sendable {
  package var model: Digest?
  package var checkpointWeights: [Digest]
  /// In rising order.
  package var sketch: [Digest]
  package var tensors: Set<Digest>

  package init(
    model: Digest?, checkpointWeights: [Digest] = [], sketch: [Digest] = [],
    tensors: Set<Digest>
  ) {
    self.model = model
    self.checkpointWeights = checkpointWeights
    self.sketch = sketch
    self.tensors = tensors
  }

  package init(_ proof: ProofStatement, parts: [ProofPartStatement] = []) {
    self.init(
      model: proof.modelDigest, checkpointWeights: proof.checkpointWeights, sketch: proof.sketch,
      tensors: Set(proof.tensors).union(parts.flatMap(\.tensors)))
  }

  /// The claims under which another proof with some of these parts is found.
  package var claims: Set<Claim> {
    var claims = Set(tensors.map { Claim(.tensor, $0) })
    claims.formUnion(sketch.map { Claim(.sketch, $0) })
    for digest in checkpointWeights + (model.map { [$0] } ?? []) {
      claims.insert(Claim(.model, digest))
      claims.insert(Claim(.checkpointWeights, digest))
    }
    return claims
  }
}

/// How much of one claim stands in another (`spec/statements.md` §11).
package struct ClaimOverlap: Hashable, Sendable {
  /// Of the tensors that the first lists, how many the second lists too.
  package let tensorsShared: Int
  package let tensorCount: Int
  package let chunks: SketchShare?
  /// Listed checkpoints that both have.
  package let checkpointsShared: Int
  /// The first's model is one that the second lists on the way to another.
  package let isIntermediateOfOther: Bool
  /// The second's model is one that the first lists on the way to another.
  package let hasOthersModel: Bool

  package init(of subject: ClaimedParts, in other: ClaimedParts) {
    tensorsShared = subject.tensors.intersection(other.tensors).count
    tensorCount = subject.tensors.count
    chunks = SketchShare(of: subject.sketch, in: other.sketch)
    checkpointsShared = Set(subject.checkpointWeights).intersection(other.checkpointWeights).count
    let isSameModel = subject.model == other.model
    isIntermediateOfOther =
      !isSameModel && subject.model.map(other.checkpointWeights.contains) ?? false
    hasOthersModel = !isSameModel && other.model.map(subject.checkpointWeights.contains) ?? false
  }

  package var isEmpty: Bool {
    tensorsShared == 0 && (chunks?.shared ?? 0) == 0 && checkpointsShared == 0
      && !isIntermediateOfOther && !hasOthersModel
  }
}

/// The share of one run's weight chunks that another has too, estimated from two bottom-k sketches.
///
/// A sketch holds the smallest digests of a run's chunks, so every chunk below its largest is in it. Of the
/// first sketch's digests, those up to the second's largest are a sample of the first run's chunks
/// without choice (digests are as good as random), and for each it is known whether the second has it.
package struct SketchShare: Hashable, Sendable {
  package let shared: Int
  package let compared: Int
  /// Both sketches hold all chunks of their runs: a count, no estimate.
  package let isExact: Bool

  /// Nil where nothing can be compared.
  package init?(of first: [Digest], in second: [Digest]) {
    let limit = ProofStatement.sketchLimit
    let sample = first.filter { digest in
      second.count < limit || second.last.map { digest <= $0 } ?? true
    }
    guard !sample.isEmpty, !second.isEmpty else { return nil }
    compared = sample.count
    shared = Set(second).intersection(sample).count
    isExact = first.count < limit && second.count < limit
  }

  package var share: Double { Double(shared) / Double(compared) }

  /// Wilson's interval at 95 %, which does not shrink to nothing at shares of 0 and 1.
  ///
  /// Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
  package var interval: ClosedRange<Double> {
    if isExact { return share...share }
    let (count, z) = (Double(compared), 1.959964)
    let middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    let reach =
      z / (1 + z * z / count)
      * (share * (1 - share) / count + z * z / (4 * count * count)).squareRoot()
    return max(0, middle - reach)...min(1, middle + reach)
  }
}
