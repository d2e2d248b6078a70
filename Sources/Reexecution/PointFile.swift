package import ProofArchive
internal import ProofPrimitives

/// The file in which data points travel to an executor (`spec/executor.md` §5): for each point, in
/// ascending order of index, u32 index, u32 byte count, canonical bytes.
package enum PointFile {
  /// 4 GiB: what a worker may be made to hold.
  package static let byteLimit = 1 << 32

  package static func encode(_ points: [UInt32: DataPoint]) -> [UInt8] {
    var writer = ByteWriter()
    for (index, point) in points.sorted(by: { $0.key < $1.key }) {
      let bytes = point.canonicalBytes
      writer.u32(index)
      writer.u32(UInt32(bytes.count))
      writer.raw(bytes)
    }
    return writer.bytes
  }

  /// Reads exactly what `encode` writes.
  package static func parse(_ bytes: [UInt8]) throws(ReexecutionError) -> [UInt32: DataPoint] {
    do {
      return try parsePoints(bytes)
    } catch {
      throw ReexecutionError(
        .badDataPoint, "\(error.reason) at byte \(error.offset) of the points file",
        remedy: "write the file by spec/executor.md §5", underlying: error)
    }
  }

  private static func parsePoints(
    _ bytes: [UInt8]
  ) throws(ParsingError) -> [UInt32: DataPoint] {
    var reader = ByteReader(bytes)
    var points: [UInt32: DataPoint] = [:]
    var previous: UInt32?
    while reader.remaining > 0 {
      let start = reader.offset
      let index = try reader.u32("index of a data point")
      if let previous, index <= previous {
        throw ParsingError("data point \(index) follows \(previous)", at: start)
      }
      let count = Int(try reader.u32("byte count of a data point"))
      let body = reader.offset
      let slice = try reader.take(count, "data point \(index)")
      do {
        points[index] = try DataPoint(parsing: slice)
      } catch {
        throw ParsingError(error.reason, at: body + error.offset)
      }
      previous = index
    }
    return points
  }
}
