/// The groups of the current layout. A group that stays when the layout changes keeps what was learned of
/// it and its place in the scratch file.
struct ChunkGroups {
  private(set) var layout: ChunkLayout?
  private(set) var all: [ChunkGroup] = []
  private var numbers: [UInt32] = []
  private var slotCount = 0

  /// Takes over a layout.
  ///
  /// - Returns: For each chunk, its number in the layout before, nil for one of a new group; nil when the
  ///   layout is the same.
  mutating func take(_ layout: ChunkLayout) -> [Int?]? {
    guard self.layout?.specs != layout.specs else { return nil }
    var earlier: [Name: ChunkGroup] = [:]
    if let old = self.layout {
      for group in all { earlier[Name(old, group.chunks)] = group }
    }
    var origins: [Int?] = Array(repeating: nil, count: layout.chunks.count)
    numbers = Array(repeating: 0, count: layout.chunks.count)
    all = []
    for range in layout.groups {
      if let old = earlier[Name(layout, range)] {
        for (new, last) in zip(range, old.chunks) { origins[new] = last }
        all.append(ChunkGroup(old, chunks: range))
      } else {
        let element = layout.element(ofChunk: range.lowerBound)
        all.append(ChunkGroup(element: element, chunks: range, firstSlot: slotCount))
        slotCount += range.count
      }
      for chunk in range { numbers[chunk] = UInt32(all.count - 1) }
    }
    self.layout = layout
    return origins
  }

  func number(of chunk: Int) -> Int { Int(numbers[chunk]) }

  func group(of chunk: Int) -> ChunkGroup { all[number(of: chunk)] }

  /// The chunk's place in the scratch file, in chunks.
  func slot(of chunk: Int) -> Int {
    let group = group(of: chunk)
    return group.firstSlot + chunk - group.chunks.lowerBound
  }

  /// - Parameters:
  ///   - stored: For each group, bytes that its chunks added to the archive.
  ///   - trials: For each group, what was measured.
  mutating func finish(stored: [Int], trials: [[ChunkGroup.Trial]]) {
    for number in all.indices {
      all[number].finish(stored: stored[number], trials: trials[number])
    }
  }

  mutating func forgetKeys() {
    for number in all.indices { all[number].forgetKey() }
  }

  /// What a group holds: the same tensors of the same sizes, wherever they stand.
  private struct Name: Hashable {
    let specs: [TensorSpec]

    init(_ layout: ChunkLayout, _ range: Range<Int>) {
      var tensors = Set<Int>()
      for chunk in range { for piece in layout.chunks[chunk] { tensors.insert(piece.tensor) } }
      specs = tensors.sorted().map { layout.specs[$0] }
    }
  }
}
