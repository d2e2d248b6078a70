/// The position of a leaf, counted from zero. Not a size: a tree of size n has leaves 0..<n.
package struct LeafIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }
  /// The caller's own count of things in memory, never below zero.
  package init(_ position: Int) { value = UInt64(position) }

  package var description: String { String(value) }
  package static func < (left: LeafIndex, right: LeafIndex) -> Bool { left.value < right.value }
}

/// How many leaves a tree has.
package struct TreeSize: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// 2^62: far above any tree, and low enough that no sum or shift of positions overflows.
  package static let limit: UInt64 = 1 << 62
  package static let zero = TreeSize(UInt64(0))

  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }
  /// The caller's own count of things in memory, never below zero.
  package init(_ count: Int) { value = UInt64(count) }

  package var isWithinLimit: Bool { value <= TreeSize.limit }
  package func contains(_ index: LeafIndex) -> Bool { index.value < value }

  package var description: String { String(value) }
  package static func < (left: TreeSize, right: TreeSize) -> Bool { left.value < right.value }
}

/// A node whose subtree is complete: it stands over the leaves
/// `index << level ..< (index + 1) << level`.
package struct NodePosition: Hashable, Sendable {
  package let level: Int
  package let index: UInt64

  package init(level: Int, index: UInt64) {
    self.level = level
    self.index = index
  }
}
