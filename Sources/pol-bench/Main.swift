import CKernels
import Glibc
import ProofPrimitives

/// Measurements that need the modules themselves; `tools/bench` runs it and writes the table.
@main struct Main {
  static func main() throws {
    pol_keep_freed_memory()
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments == ["filters"] {
      print(try FilterBenchmark().run().encodedText)
      return
    }
    if arguments.first == "archive", arguments.count >= 3 {
      var rows: [JSONValue] = []
      for run in arguments.dropFirst(2) {
        rows += try ArchiveBenchmark(run: run, scratch: arguments[1]).rows()
      }
      print(JSONValue.map([("rows", .array(rows))]).encodedText)
      return
    }
    if arguments.first == "memory", arguments.count == 3, let byteCount = Int(arguments[2]) {
      let peak = try MemoryBenchmark(byteCount: byteCount, scratch: arguments[1]).run()
      let row = ArchiveBenchmark.row("archive.memory_mib", Double(peak) / 1_048_576)
      print(JSONValue.map([("rows", .array([row]))]).encodedText)
      return
    }
    guard arguments.count == 2, arguments[0] == "record" else {
      print(
        """
        usage: pol-bench record FOLDER | filters | archive SCRATCH RUN | memory SCRATCH BYTES
        Prints one JSON document.
        """)
      exit(64)
    }
    let folder = arguments[1]
    let digits = RecordingBenchmark(
      layers: [64, 128, 10], batchSize: 32, steps: 2000, every: 5, repetitions: 3, folder: folder)
    let larger = RecordingBenchmark(
      layers: [784, 512, 512, 10], batchSize: 128, steps: 300, every: 50, repetitions: 3,
      folder: folder)
    let document = JSONValue.map([("digits", try digits.run()), ("larger", try larger.run())])
    print(document.encodedText)
  }
}
