import Glibc
import ProofPrimitives

/// Measurements that need the modules themselves; `tools/bench` runs it and writes the table.
@main struct Main {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments == ["filters"] {
      print(try FilterBenchmark().run().encodedText)
      return
    }
    guard arguments.count == 2, arguments[0] == "record" else {
      print("usage: pol-bench record FOLDER | filters   (prints one JSON document)")
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
