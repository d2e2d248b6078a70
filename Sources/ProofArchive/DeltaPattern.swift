/// Which frames of a repacked archive are deltas, and against which (`spec/archive.md` §7).
///
/// A pattern says what may be tried; a chunk becomes a delta only where that is smaller.
package enum DeltaPattern: String, CaseIterable, Sendable {
  /// None: every chunk is one frame, the quickest to fetch.
  case intra
  /// Against a key frame, as a recording does: two frames.
  case star
  /// Within eight checkpoints each against the one whose number has one bit less: up to four frames.
  case tree

  /// The longest chain of ancestors, as the header of `records` states it.
  package var depth: Int {
    switch self {
    case .intra: 0
    case .star: 1
    case .tree: DeltaPattern.levelCount
    }
  }

  /// Checkpoints of a tree. Its depth is the count of bits of the largest number in it, 7.
  static let period = 8
  /// Levels at which a checkpoint can be a parent: 0, then 2 and 4, then 6.
  static let levelCount = 3
}

/// Where a checkpoint stands in its pattern: a number from 0 to 7 whose parent is the same number with the
/// lowest set bit cleared. In a star 0 is the key frame and 1 stands for all others.
struct DeltaPosition: Equatable, Sendable {
  let number: Int

  /// Ancestors that it has when each of them is a delta.
  var level: Int { number.nonzeroBitCount }
  /// An odd number is nobody's parent.
  var isParent: Bool { number & 1 == 0 }
}
