import Foundation
import Testing

@testable import ChunkStorage

@Suite("Files beneath a root") struct RootedFilesTests {
  private func code(_ work: () throws -> Void) -> StorageError.Code? {
    do { try work() } catch { return (error as? StorageError)?.code }
    return nil
  }

  /// What a descriptor of this process is open on.
  private func target(_ descriptor: Int32) -> String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)"))
      ?? ""
  }

  @Test("what is written is read, folders are made, and no temporary file stays")
  func writes() throws {
    let folder = try TemporaryDirectory()
    defer { withExtendedLifetime(folder) {} }
    let files = RootedFiles(folder.path + "/deep/root")
    #expect(try files.isVacant())
    #expect(try files.read("a/b", limit: 9) == nil)
    try files.makeRoot(mode: 0o700)
    try files.makeRoot(mode: 0o700)
    #expect(try files.isVacant())
    try files.replace("a/b", with: [1, 2])
    try files.replace("a/b", with: [3])
    #expect(try files.read("a/b", limit: 1) == [3])
    #expect(try !files.isRegularOrMissing("a/b.tmp"))
    #expect(try !files.isVacant())
    #expect(code { _ = try files.read("a/b", limit: 0) } == .limit)
    #expect(try files.createTogether([("c", [4]), ("e/f", [5]), ("e/g", [6])]) == nil)
    #expect(try files.createTogether([("e/f", [5]), ("e/h", [7])]) == nil)
    #expect(try files.createTogether([("e/i", [8]), ("c", [5])]) == "c")
    #expect(try files.read("c", limit: 1) == [4])
    #expect(try files.read("e/g", limit: 1) == [6] && files.read("e/h", limit: 1) == [7])
    for name in ["e/i", "e/i.tmp", "e/f.tmp", "c.tmp"] {
      #expect(try !files.isRegularOrMissing(name), "\(name)")
    }
    try files.append("d", [6])
    try files.append("d", [7, 8])
    #expect(try files.read("d", limit: 3) == [6, 7, 8])
    #expect(try files.byteCount(of: "d") == 3 && files.byteCount(of: "no") == nil)
    #expect(try files.read("d", endingAt: 2, count: 1) == [7])
    #expect(try files.read("d", endingAt: 2, count: 9) == [6, 7])
    #expect(try files.read("d", endingAt: 9, count: 2) == [7, 8])
    #expect(try files.read("no", endingAt: 1, count: 1) == nil)
    try files.truncate("d", to: 1)
    #expect(try files.read("d", limit: 3) == [6])
    #expect(code { try files.truncate("no", to: 0) } == .missing)
  }

  @Test("links are not followed, on the way or at the end, by readers or writers")
  func links() throws {
    let folder = try TemporaryDirectory()
    defer { withExtendedLifetime(folder) {} }
    let files = RootedFiles(folder.path + "/root")
    try files.makeRoot(mode: 0o755)
    let outside = RootedFiles(folder.path + "/outside")
    try outside.makeRoot(mode: 0o755)
    try outside.replace("file", with: [1])
    #expect(symlink(outside.root, files.place("folder")) == 0)
    #expect(symlink(outside.place("file"), files.place("link")) == 0)
    #expect(mkfifo(files.place("fifo"), 0o644) == 0)
    for name in ["folder/file", "link", "fifo"] {
      #expect(code { _ = try files.read(name, limit: 9) } == .malformed, "\(name)")
      #expect(code { _ = try files.isRegularOrMissing(name) } == .malformed, "\(name)")
      #expect(code { try files.append(name, [2]) } == .malformed, "\(name)")
      #expect(code { try files.truncate(name, to: 0) } == .malformed, "\(name)")
    }
    #expect(code { try files.replace("folder/file", with: [2]) } == .malformed)
    // A link itself is replaced, and what it named stays.
    try files.replace("link", with: [2])
    #expect(try outside.read("file", limit: 9) == [1])
    for name in ["", "/a", "a//b", "../outside/file", "a/./b", "a\0"] {
      #expect(code { _ = try files.read(name, limit: 9) } == .malformed, "\(name)")
    }
  }

  @Test("a lock is given back though a child that is being started has a copy of its descriptor")
  func lockIsUnlocked() throws {
    let folder = try TemporaryDirectory()
    defer { withExtendedLifetime(folder) {} }
    let files = RootedFiles(folder.path)
    let copy = try {
      let held = try files.lock("lock")
      defer { withExtendedLifetime(held) {} }
      let descriptor = try #require(
        (0..<1024).first { target($0).hasSuffix("\(folder.path)/lock") })
      return dup(descriptor)
    }()
    defer { close(copy) }
    #expect(copy >= 0)
    #expect(code { _ = try files.lock("lock") } == nil)
  }

  @Test("a lock is held once, and given back with its object")
  func locks() throws {
    let folder = try TemporaryDirectory()
    defer { withExtendedLifetime(folder) {} }
    let files = RootedFiles(folder.path)
    let held = try files.lock("lock")
    #expect(code { _ = try files.lock("lock") } == .locked)
    withExtendedLifetime(held) {}
    let waited = try files.lock("other", waits: true)
    withExtendedLifetime(waited) {}
  }
}
