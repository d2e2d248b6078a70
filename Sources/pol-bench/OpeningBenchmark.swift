import ChunkStorage
import Glibc
import ProofArchive
import ProofPrimitives

/// Memory and bytes that it takes to open an archive of a terabyte and to look into it.
///
/// The archive is made first (`SimulatedArchive`), and read by a program that begins anew: what making it
/// took is no part of the peak.
struct OpeningBenchmark {
  /// 100 of 10 GB each.
  static let standardCheckpoints = 100
  private static let terabyte = 1_000_000_000_000

  private static func path(_ scratch: String) -> String { "\(scratch)/opening.pol" }

  /// Makes the archive and replaces this program by the one that reads it.
  static func run(scratch: String, checkpoints: Int) throws -> Never {
    guard checkpoints >= 2 else {
      throw BenchmarkFailure(message: "a segment lies between two checkpoints")
    }
    let path = path(scratch)
    try removeFolder(path)
    do {
      var archive = try SimulatedArchive(at: path, checkpoints: checkpoints)
      guard checkpoints != standardCheckpoints || archive.rawByteCount >= terabyte else {
        throw BenchmarkFailure(message: "\(archive.rawByteCount) bytes are no terabyte")
      }
      try archive.write()
    } catch {
      try removeFolder(path)
      throw error
    }
    let arguments = [strdup("pol-bench"), strdup("opening-read"), strdup(scratch), nil]
    execv("/proc/self/exe", arguments)
    throw BenchmarkFailure(message: "beginning anew: \(String(cString: strerror(errno)))")
  }

  /// Opens the archive as `pol verify` does, finds one chunk of a checkpoint in the middle, and then reads
  /// every record as `pol inspect` does.
  static func read(scratch: String) throws -> [JSONValue] {
    let path = path(scratch)
    defer { try? removeFolder(path) }
    let start = peakByteCount()
    let source = try DirectoryObjectSource(path)
    let reader = try ArchiveReader(source, ahead: .tables)
    let norms = try reader.normsTable().rows.count
    guard norms == reader.segmentCount, try reader.storedByteCount() > 0 else {
      throw BenchmarkFailure(message: "the tables are not those of the archive")
    }
    let byteCount = source.transfer.bytes
    let number = reader.index.rows.count / 2
    try reader.prefetch(number...number)
    let record = try reader.checkpoint(number)
    let envelope = try reader.envelope(number)
    let middle = envelope.rows.count / 2
    guard envelope.rows.count == record.chunks.count,
      try !reader.storedRange(envelope.rows[middle].place).isEmpty
    else { throw BenchmarkFailure(message: "the chunk stands nowhere") }
    let opened = peakByteCount() - start
    let summary = try ArchiveSummary(reader)
    guard summary.namedChunks == summary.distinctChunks else {
      throw BenchmarkFailure(message: "chunks were made to differ and do not")
    }
    let inspected = peakByteCount() - start
    return [
      ArchiveBenchmark.row("archive.open_memory_mib", Double(opened) / 1_048_576),
      ArchiveBenchmark.row("archive.open_bytes", Double(byteCount)),
      ArchiveBenchmark.row("archive.inspect_memory_mib", Double(inspected) / 1_048_576),
    ]
  }
}
