/// Puts one file together from copies that were damaged in different places, where nothing in the file
/// itself says which bytes are right: what differs is tried both ways.
enum CopyMerge {
  /// Equal bytes that end a stretch of differing ones: a zeroed block is one stretch.
  private static let gap = 32
  /// Combinations that are tried.
  private static let tryLimit = 1 << 16
  /// 4 GiB: bytes that are compared at most, over all tries.
  private static let workLimit = 4 << 30

  private struct Stretch {
    let range: Range<Int>
    /// What the copies have here, the most frequent first.
    let choices: [[UInt8]]
  }

  /// The first combination that `isRight` accepts; nil when there is none, or too many to try.
  ///
  /// - Parameters:
  ///   - copies: Each begins where the file begins; one may be cut.
  ///   - byteCount: Of the file.
  static func merge(
    _ copies: [[UInt8]], byteCount: Int, isRight: ([UInt8]) -> Bool
  ) -> [UInt8]? {
    guard let longest = copies.max(by: { $0.count < $1.count }), longest.count >= byteCount else {
      return nil
    }
    let start = Array(longest[..<byteCount])
    // Whole stretches first; then single bytes; then stretches in which one copy's damage ends where the
    // other's begins.
    for (gap, isSplit) in [(gap, false), (1, false), (gap, true), (1, true)] {
      guard let stretches = differences(copies, byteCount, gap: gap, isSplit: isSplit) else {
        continue
      }
      if let bytes = tried(start, stretches, isRight) { return bytes }
    }
    return nil
  }

  private static func tried(
    _ start: [UInt8], _ stretches: [Stretch], _ isRight: ([UInt8]) -> Bool
  ) -> [UInt8]? {
    var tries = 1
    for stretch in stretches {
      tries *= stretch.choices.count
      guard tries <= tryLimit, tries * max(1, start.count) <= workLimit else { return nil }
    }
    var bytes = start
    for turn in 0..<tries {
      var rest = turn
      for stretch in stretches {
        bytes.replaceSubrange(stretch.range, with: stretch.choices[rest % stretch.choices.count])
        rest /= stretch.choices.count
      }
      if isRight(bytes) { return bytes }
    }
    return nil
  }

  private static func differences(
    _ copies: [[UInt8]], _ byteCount: Int, gap: Int, isSplit: Bool
  ) -> [Stretch]? {
    var ranges: [Range<Int>] = []
    for position in 0..<byteCount {
      var first: UInt8?
      var differs = false
      for copy in copies where position < copy.count {
        if let first, first != copy[position] { differs = true }
        first = first ?? copy[position]
      }
      guard differs else { continue }
      if let last = ranges.last, position - last.upperBound < gap {
        ranges[ranges.count - 1] = last.lowerBound..<position + 1
      } else {
        ranges.append(position..<position + 1)
        guard ranges.count <= byteCount.bitWidth else { return nil }
      }
    }
    return ranges.map { range in
      var votes: [(bytes: [UInt8], count: Int)] = []
      for copy in copies where copy.count >= range.upperBound {
        let bytes = Array(copy[range])
        if let known = votes.firstIndex(where: { $0.bytes == bytes }) {
          votes[known].count += 1
        } else {
          votes.append((bytes, 1))
        }
      }
      var choices = votes.sorted { $0.count > $1.count }.map(\.bytes)
      if isSplit { choices += splits(choices) }
      return Stretch(range: range, choices: choices)
    }
  }

  /// The beginning of one choice and the rest of another, for each pair and place.
  private static func splits(_ choices: [[UInt8]]) -> [[UInt8]] {
    guard let count = choices.first?.count, (2...512).contains(count) else { return [] }
    var splits: [[UInt8]] = []
    for (one, left) in choices.enumerated() {
      for (other, right) in choices.enumerated() where other != one {
        for place in 1..<count { splits.append(Array(left[..<place] + right[place...])) }
      }
    }
    return splits
  }
}
