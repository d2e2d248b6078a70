import CKernels
import Glibc
import ProofPrimitives

/// Measurements that need the modules themselves; `tools/bench` runs it and writes the table.
@main struct Main {
  private static let usage = """
    usage: pol-bench record SCRATCH
           pol-bench filters
           pol-bench archive SCRATCH RUN...
           pol-bench memory SCRATCH BYTES
           pol-bench opening SCRATCH [CHECKPOINTS]
           pol-bench ledger-requests FILE COUNT signed|opaque
           pol-bench ledger-growth LEDGER COUNT QUERIES
    Prints one JSON document. SCRATCH is a folder; what an earlier run left there is replaced.

    """

  static func main() {
    pol_keep_freed_memory()
    do {
      guard let document = try document(Array(CommandLine.arguments.dropFirst())) else {
        complain(usage)
        exit(64)
      }
      print(document.encodedText)
    } catch {
      complain("pol-bench: error: \(error)\n")
      exit(1)
    }
  }

  private static func complain(_ text: String) {
    _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
  }

  /// Nil for arguments that name no measurement.
  private static func document(_ arguments: [String]) throws -> JSONValue? {
    switch (arguments.first, arguments.count) {
    case ("filters", 1): return try FilterBenchmark().run()
    case ("record", 2): return try record(arguments[1])
    case ("archive", 3...):
      var rows: [JSONValue] = []
      for run in arguments.dropFirst(2) {
        rows += try ArchiveBenchmark(run: run, scratch: arguments[1]).rows()
      }
      return document(rows)
    case ("memory", 3):
      guard let byteCount = Int(arguments[2]) else { return nil }
      let peak = try MemoryBenchmark(byteCount: byteCount, scratch: arguments[1]).run()
      return document([ArchiveBenchmark.row("archive.memory_mib", Double(peak) / 1_048_576)])
    case ("opening", 2...3):
      guard
        let count = arguments.count == 2 ? OpeningBenchmark.standardCheckpoints : Int(arguments[2])
      else { return nil }
      try OpeningBenchmark.run(scratch: arguments[1], checkpoints: count)
    // What `opening` becomes when the archive is made.
    case ("opening-read", 2): return document(try OpeningBenchmark.read(scratch: arguments[1]))
    case ("ledger-requests", 4):
      guard let count = Int(arguments[2]), ["signed", "opaque"].contains(arguments[3]) else {
        return nil
      }
      return try LedgerBenchmark.writeRequests(
        to: arguments[1], count: count, signed: arguments[3] == "signed")
    case ("ledger-growth", 4):
      guard let count = Int(arguments[2]) else { return nil }
      return try LedgerBenchmark.grow(arguments[1], to: count, queries: arguments[3])
    default: return nil
    }
  }

  private static func document(_ rows: [JSONValue]) -> JSONValue { .map([("rows", .array(rows))]) }

  private static func record(_ folder: String) throws -> JSONValue {
    let digits = RecordingBenchmark(
      layers: [64, 128, 10], batchSize: 32, steps: 2000, every: 5, repetitions: 3, folder: folder)
    let larger = RecordingBenchmark(
      layers: [784, 512, 512, 10], batchSize: 128, steps: 300, every: 50, repetitions: 3,
      folder: folder)
    return .map([("digits", try digits.run()), ("larger", try larger.run())])
  }
}
