internal import Foundation

/// What a program left behind.
package struct ProgramResult: Sendable {
  package let status: Int32
  package let output: [UInt8]
  package let errors: [UInt8]
  package var outputText: String { String(decoding: output, as: UTF8.self) }
  package var errorText: String { String(decoding: errors, as: UTF8.self) }
}

/// Runs a program found on the PATH to its end.
///
/// Streams go through files: a pipe would stop a program that writes more than it holds.
package func runProgram(
  _ name: String, _ arguments: [String], input: [UInt8] = []
) throws -> ProgramResult {
  try withTemporaryDirectory { folder in
    func file(_ name: String, _ content: [UInt8]) throws -> URL {
      let place = URL(fileURLWithPath: folder).appendingPathComponent(name)
      try Data(content).write(to: place)
      return place
    }
    let (input, output, errors) = (
      try file("input", input), try file("output", []), try file("errors", [])
    )
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [name] + arguments
    process.standardInput = try FileHandle(forReadingFrom: input)
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return ProgramResult(
      status: process.terminationStatus, output: Array(try Data(contentsOf: output)),
      errors: Array(try Data(contentsOf: errors)))
  }
}
