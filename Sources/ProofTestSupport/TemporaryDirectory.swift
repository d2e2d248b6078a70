internal import Foundation

private func makeTemporaryDirectory() throws -> String {
  let place = FileManager.default.temporaryDirectory.appendingPathComponent(
    "pol-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
  return place.path
}

/// Calls `body` with the path of a fresh folder, which is removed afterwards whatever happens.
package func withTemporaryDirectory<Value>(_ body: (String) throws -> Value) throws -> Value {
  let path = try makeTemporaryDirectory()
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

/// The same for a body that waits.
package func withTemporaryDirectory<Value>(
  isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Value
) async throws -> Value {
  let path = try makeTemporaryDirectory()
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(path)
}
