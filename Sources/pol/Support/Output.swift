import ArgumentParser
import Glibc
import ProofPrimitives

/// Where a command's words go: answers to standard output, talk to standard error.
///
/// With `--json` exactly one JSON document is the answer, and text answers are left out.
///
/// An answer that could not be written whole, on a full disk for one, makes the command fail: whoever
/// reads the file must not take silence for success. A reader that closed the pipe is not a failure.
final class Output {
  let isJSON: Bool
  private(set) var isAnswerLost = false

  init(isJSON: Bool) { self.isJSON = isJSON }

  func answer(_ text: String) {
    if !StandardStream.output.write(Array(text.utf8)) { isAnswerLost = true }
  }

  /// One line of the answer for people.
  func line(_ text: String = "") {
    if !isJSON { answer(text + "\n") }
  }

  /// Lines of the form `name  value`, the values below each other.
  func rows(_ rows: [(name: String, value: String)]) {
    let width = rows.map(\.name.count).max() ?? 0
    for row in rows {
      line(row.name + String(repeating: " ", count: width - row.name.count + 2) + row.value)
    }
  }

  /// The answer for machines; `schema` names its form and version.
  func document(_ schema: String, _ members: [(String, JSONValue)]) {
    guard isJSON else { return }
    let all = [("schema", .string(schema))] + members
    answer(
      JSONValue.object(all.map { JSONValue.Member($0.0, $0.1) }).prettyText + "\n")
  }

  func talk(_ text: String) { StandardStream.error.write("pol: \(text)\n") }

  func hint(_ text: String) { StandardStream.error.write("pol: hint: \(text)\n") }

  func failure(_ failure: CommandFailure) {
    let place = failure.place.isEmpty ? "" : "\(failure.place): "
    StandardStream.error.write("\(Output.label("pol: error:")) \(place)\(failure.message)\n")
    if !failure.remedy.isEmpty { hint(failure.remedy) }
    document(
      "pol-error/1",
      [
        ("code", .string(failure.code)), ("place", .string(failure.place)),
        ("message", .string(failure.message)), ("remedy", .string(failure.remedy)),
      ])
  }

  /// Red on a terminal, unless the user wants none (https://no-color.org).
  private static func label(_ text: String) -> String {
    let refuses = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    guard StandardStream.error.isTerminal, !refuses else { return text }
    return "\u{1b}[31m\(text)\u{1b}[0m"
  }
}

/// What every command that reports takes.
struct Reporting: ParsableArguments {
  @Flag(name: .long, help: "Answer with one JSON document.")
  var json = false

  /// Runs a command's body and turns what it throws into an error message and exit status 1.
  func run(_ body: (Output) throws -> Int32) throws {
    let output = Output(isJSON: json)
    var status: Int32 = 1
    do {
      status = try body(output)
      if output.isAnswerLost {
        throw CommandFailure(
          code: "io", place: "standard output", message: "the answer could not be written whole",
          remedy: "free some space, then run the command again")
      }
    } catch let error as ValidationError {
      throw error
    } catch {
      output.failure(CommandFailure(error))
      status = 1
    }
    if status != 0 { throw ExitCode(status) }
  }
}
