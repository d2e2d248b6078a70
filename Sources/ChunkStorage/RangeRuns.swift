/// Ranges that stand close together, asked for as one: a few bytes that nobody wants cost less than a
/// request.
package enum RangeRuns {
  /// Which of the items go together.
  ///
  /// - Parameters:
  ///   - items: In order of `object`, then as they stand in it. Ranges that go back begin a new run.
  ///   - gap: No two ranges further apart are joined.
  ///   - longest: Of a run; one range may be longer.
  ///   - spare: Unwanted bytes of all runs together, the smallest gaps first.
  /// - Returns: Positions in `items`, each run in one piece.
  /// - Complexity: O(n log n).
  package static func join(
    _ items: [(object: UInt32, range: Range<Int>)], gap: Int, longest: Int, spare: Int
  ) -> [Range<Int>] {
    let widest = widestGap(items, limit: gap, spare: spare)
    var runs: [Range<Int>] = []
    var bounds = 0..<0
    for (position, item) in items.enumerated() {
      if let last = runs.last, items[last.lowerBound].object == item.object,
        item.range.lowerBound >= items[position - 1].range.lowerBound,
        item.range.lowerBound - bounds.upperBound <= widest,
        max(item.range.upperBound, bounds.upperBound) - bounds.lowerBound <= longest
      {
        bounds = bounds.lowerBound..<max(item.range.upperBound, bounds.upperBound)
        runs[runs.count - 1] = last.lowerBound..<position + 1
      } else {
        runs.append(position..<position + 1)
        bounds = item.range
      }
    }
    return runs
  }

  /// The widest gap for which all gaps up to it fit into `spare`; 0 joins only what touches.
  private static func widestGap(
    _ items: [(object: UInt32, range: Range<Int>)], limit: Int, spare: Int
  ) -> Int {
    var gaps: [Int] = []
    for (one, next) in zip(items, items.dropFirst()) where one.object == next.object {
      let gap = next.range.lowerBound - one.range.upperBound
      if gap > 0, gap <= limit { gaps.append(gap) }
    }
    gaps.sort()
    var left = spare
    var widest = 0
    var position = 0
    while position < gaps.count {
      // Gaps of one width are joined all or none.
      var end = position
      while end < gaps.count, gaps[end] == gaps[position] { end += 1 }
      let (cost, overflow) = gaps[position].multipliedReportingOverflow(by: end - position)
      guard !overflow, cost <= left else { break }
      left -= cost
      widest = gaps[position]
      position = end
    }
    return widest
  }
}
