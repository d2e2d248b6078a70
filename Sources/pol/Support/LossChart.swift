/// Numbers over the steps as a row of blocks, at most `width` of them.
func sparkline(_ values: [Double], width: Int) -> String {
  let blocks = Array("▁▂▃▄▅▆▇█")
  guard !values.isEmpty, width > 0 else { return "" }
  let columns = min(width, values.count)
  let means = (0..<columns).map { column in
    let range = values.count * column / columns..<values.count * (column + 1) / columns
    return values[range].reduce(0, +) / Double(range.count)
  }
  let finite = means.filter(\.isFinite)
  guard let low = finite.min(), let high = finite.max() else {
    return String(repeating: "!", count: columns)
  }
  return String(
    means.map { mean in
      guard mean.isFinite else { return "!" }
      let share = high > low ? (mean - low) / (high - low) : 0
      return blocks[min(blocks.count - 1, Int(share * Double(blocks.count)))]
    })
}
