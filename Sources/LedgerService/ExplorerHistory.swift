import ChunkStorage
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

/// A log's `history`, read in a bounded number of places: a long log has millions of lines.
///
/// Only sizes are taken, and no signature is checked: it is for a picture, which says so.
struct ExplorerHistory {
  /// A head by its place among the published ones, from 0 to 1, and its size.
  struct Point: Equatable {
    let place: Double
    let size: UInt64
  }

  private let file: RandomAccessFile
  /// Longer than any line: a size, a root and a signature have at most 160 bytes.
  private static let window = 512

  init(_ file: RandomAccessFile) { self.file = file }

  /// The last head and evenly spaced ones before it. By bytes, which are near enough to lines.
  func points(limit: Int) throws(StorageError) -> [Point] {
    var points: [Point] = []
    for step in 0..<limit {
      let offset = file.byteCount / limit * step + file.byteCount % limit * step / limit
      guard let line = try line(from: offset) else { continue }
      if points.last.map({ $0.size < line.size }) ?? true { points.append(point(line)) }
    }
    if let last = try line(before: file.byteCount), points.last.map({ $0.size < last.size }) ?? true
    {
      points.append(point(last))
    }
    return points
  }

  private func point(_ line: Line) -> Point {
    Point(place: Double(line.end) / Double(max(1, file.byteCount)), size: line.size)
  }

  /// The sizes around an entry: of the last head without it, and of the first with it.
  func heads(around index: LeafIndex) throws(StorageError) -> (before: UInt64?, first: UInt64)? {
    // Sizes rise: the least offset from which the next line has the entry.
    var low = 0
    var high = file.byteCount
    while low < high {
      let middle = low + (high - low) / 2
      if let line = try line(from: middle), line.size <= index.value {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard let first = try line(from: low), first.size > index.value else { return nil }
    return (try line(before: first.start)?.size, first.size)
  }

  private struct Line {
    let start: Int
    let end: Int
    let size: UInt64
  }

  /// The first whole line that begins at `offset` or later.
  private func line(from offset: Int) throws(StorageError) -> Line? {
    var start = offset
    var bytes = try file.bytes(
      max(0, offset - 1)..<min(file.byteCount, offset + ExplorerHistory.window))[...]
    if offset > 0 {
      guard let newline = bytes.firstIndex(of: 10) else { return nil }
      start = offset + newline
      bytes = bytes[(newline + 1)...]
    }
    guard let newline = bytes.firstIndex(of: 10) else { return nil }
    return line(bytes[..<newline], start: start)
  }

  /// The whole line that ends at `offset`, or before it.
  private func line(before offset: Int) throws(StorageError) -> Line? {
    let low = max(0, offset - ExplorerHistory.window)
    let bytes = try file.bytes(low..<offset)
    guard let end = bytes.lastIndex(of: 10) else { return nil }
    let newline = bytes[..<end].lastIndex(of: 10)
    guard newline != nil || low == 0 else { return nil }
    let start = newline.map { $0 + 1 } ?? 0
    return line(bytes[start..<end], start: low + start)
  }

  private func line(_ bytes: ArraySlice<UInt8>, start: Int) -> Line? {
    ExplorerHistory.size(bytes).map { Line(start: start, end: start + bytes.count + 1, size: $0) }
  }

  private static func size(_ line: ArraySlice<UInt8>) -> UInt64? {
    ExplorerPath.number(String(decoding: line.prefix { $0 != 32 }, as: UTF8.self))
  }
}

/// The picture of a log's growth, as numbers for its template.
struct GrowthPlot {
  static let width = 640.0
  static let height = 164.0
  /// For the words above the line.
  static let top = 28.0

  /// A polyline's points; steps, because a head's size holds until the next.
  static func values(_ points: [ExplorerHistory.Point]) -> [String: Any]? {
    guard let last = points.last, last.size > 0, points.count > 1 else { return nil }
    func text(_ value: Double) -> String {
      let tenths = Int((value * 10).rounded())
      return "\(tenths / 10).\(tenths % 10)"
    }
    var corners: [String] = []
    var previous: String?
    for point in points {
      let x = text(point.place * width)
      let y = text(height - Double(point.size) / Double(last.size) * (height - top))
      if let previous { corners.append("\(x),\(previous)") }
      corners.append("\(x),\(y)")
      previous = y
    }
    let first = corners.first.map { $0.prefix { $0 != "," } } ?? "0"
    return [
      "line": corners.joined(separator: " "),
      "area": "\(first),\(text(height)) " + corners.joined(separator: " ")
        + " \(text(width)),\(text(height))",
      "last": ExplorerWords.grouped(last.size),
    ]
  }
}
