import ChunkStorage
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing
import TransparencyLedger

@testable import LedgerService

@Suite("Paths of pages (ledger-service.md, Pages)") struct ExplorerPathTests {
  @Test(
    "each page has one path",
    arguments: [
      ("/", ExplorerPath.home), ("/?x=1", .home), ("/head", .head),
      ("/entry/0", .entry(LeafIndex(0))),
      ("/entry/12.bin", .bytes(LeafIndex(12))), ("/entry/12.tlog-proof", .receipt(LeafIndex(12))),
      ("/entry/12.evidence", .evidence(LeafIndex(12))), ("/explorer.css", .style),
      ("/explorer.js", .script),
    ])
  func paths(target: String, path: ExplorerPath) {
    #expect(ExplorerPath(target: target) == path)
    // None is a path of the log itself.
    #expect(ServicePath(target: target) == nil)
  }

  @Test(
    "what is written in another way is none",
    arguments: [
      "", "entry/1", "/entry/01", "/entry/+1", "/entry/-1", "/entry/1.", "/entry/1.x",
      "/entry/.bin",
      "/entry/1.bin.bin", "/entry/1/", "/entry", "/entry/4611686018427387904", "/Entry/1", "/head/",
      "/key/", "/key/00", "/%65ntry/1", "/checkpoint", "/tile/0/000", "/add", "/vkey", "/history",
      "/" + String(repeating: "a", count: 7000), "/search/", "//",
    ])
  func others(target: String) { #expect(ExplorerPath(target: target) == nil) }

  private func query(_ text: String) -> SearchQuery {
    SearchQuery(QueryFields(Array(text.utf8)))
  }

  @Test("a search is a number, a digest, or neither") func search() throws {
    let hex = String(repeating: "ab", count: 32)
    let digest = try #require(Digest(hex: hex))
    #expect(query("q=").subject == .nothing)
    #expect(query("q=+%20%09").subject == .nothing)
    #expect(query("q=17").subject == .entry(LeafIndex(17)))
    #expect(query("q=017").subject == .other)
    #expect(query("a=1&q=\(hex.uppercased())&q=3").subject == .digest(digest))
    #expect(query("q=%20\(hex)%0A").subject == .digest(digest))
    #expect(query("q=\(hex)0").subject == .other)
    #expect(query("q=%ff%zz%").text == "\u{fffd}%zz%")
    #expect(query("q=\(hex)&tensors=\(hex),x,\(hex)").tensors == [digest, digest])
    let many = String(repeating: "\(hex),", count: 100)
    #expect(query("q=1&tensors=\(many)").tensors.count == ExplorerLimits.tensors)
  }
}

@Suite("Text in pages (ledger-service.md, Pages)") struct PageTextTests {
  /// Each bracket and quotation mark alone, behind and before scalars that join it to one character.
  @Test(
    "no scalar that means something to HTML gets through",
    arguments: [
      "<", ">", "&", "\"", "'", "<\u{338}", "\u{d4e}<script>", "\"\u{338} onload=\"", "<\u{200d}",
      "\u{600}\"", "\r\n<",
    ])
  func escaping(text: String) throws {
    let templates = try ExplorerTemplates()
    let page = String(
      decoding: templates.page(
        "problem", ["title": text, "words": text, "origin": text, "root": text, "query": text]),
      as: UTF8.self)
    let escaped = PageContent().escapeText(text)
    #expect(!escaped.unicodeScalars.contains { "<>\"'".unicodeScalars.contains($0) })
    let plain = String(
      decoding: templates.page(
        "problem", ["title": "t", "words": "w", "origin": "o", "root": "r", "query": "q"]),
      as: UTF8.self)
    func count(_ scalar: Unicode.Scalar, _ text: String) -> Int {
      text.unicodeScalars.count { $0 == scalar }
    }
    for scalar in ["<", ">", "\"", "'"] as [Unicode.Scalar] {
      #expect(count(scalar, page) == count(scalar, plain))
    }
  }

  @Test("no template fills anything in as it is") func templates() {
    for bytes in [
      PackageResources.layout_mustache, PackageResources.home_mustache,
      PackageResources.entry_mustache, PackageResources.search_mustache,
      PackageResources.key_mustache, PackageResources.head_mustache,
      PackageResources.problem_mustache, PackageResources.entries_mustache,
      PackageResources.plot_mustache,
    ] {
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(!text.contains("{{{") && !text.contains("{{&") && !text.contains("style="))
    }
  }

  @Test("numbers and ages are told as people read them") func words() {
    #expect(ExplorerWords.grouped(0) == "0")
    #expect(ExplorerWords.grouped(999) == "999")
    #expect(ExplorerWords.grouped(1000) == "1,000")
    #expect(ExplorerWords.grouped(1_234_567) == "1,234,567")
    #expect(ExplorerWords.age(1) == "1 second ago")
    #expect(ExplorerWords.age(7200) == "2 hours ago")
    #expect(ExplorerWords.age(-5) == "in the future")
    #expect(ExplorerWords.time(1_700_000_000) == "2023-11-14 22:13:20 UTC")
  }
}

@Suite("A long history in few reads (ledger-service.md, Pages)") struct ExplorerHistoryTests {
  private final class Scratch {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "pol-history-\(UUID().uuidString)"
    ).path

    init(_ sizes: [UInt64]) throws {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let text = sizes.map {
        "\($0) \(String(repeating: "r", count: 44)) \(String(repeating: "s", count: 92))\n"
      }
      .joined()
      try Data(text.utf8).write(to: URL(filePath: "\(folder)/history"))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func history() throws -> ExplorerHistory {
      ExplorerHistory(try #require(try RootedFiles(folder).open("history")))
    }
  }

  @Test("the heads around each entry", arguments: [1, 2, 3, 40, 700]) func around(count: Int) throws
  {
    let sizes = (0..<count).map { UInt64($0 * $0 + $0) }
    let scratch = try Scratch(sizes)
    let history = try scratch.history()
    let last = try #require(sizes.last)
    for index in Swift.stride(from: UInt64(0), to: last + 2, by: max(1, Int(last / 300))) {
      let found = try history.heads(around: LeafIndex(index))
      let first = sizes.first { $0 > index }
      #expect(found?.first == first)
      #expect(found.map { $0.before } == first.map { _ in sizes.last { $0 <= index } })
    }
  }

  @Test("a picture has the last head, in rising order, and few points") func points() throws {
    let scratch = try Scratch((0..<5000).map { UInt64($0 * 3) })
    let points = try scratch.history().points(limit: 50)
    #expect(points.count <= 51 && points.count > 40)
    #expect(points.last == .init(place: 1, size: 14_997))
    #expect(zip(points, points.dropFirst()).allSatisfy { $0.size < $1.size && $0.place < $1.place })
    #expect(GrowthPlot.values(points) != nil)
    #expect(GrowthPlot.values([]) == nil)
    #expect(try Scratch([]).history().points(limit: 50).isEmpty)
  }
}

@Suite("Looking up without an index (ledger-service.md, Pages)") struct ScannedClaimsTests {
  @Test("what was read is found, step by step, and the limit is kept") func steps() throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "pol-scan-\(UUID().uuidString)"
    ).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let ledger = try LocalLedger.create(at: "\(folder)/log", origin: "example.org/service")
    let entries = (0..<1100).map { Array("entry \($0)".utf8) }
    _ = try ledger.append(entries)
    let view = try LedgerView(
      source: DirectoryLedgerSource(directory: "\(folder)/log"), verifierKey: ledger.verifierKey)
    let scanned = ScannedClaims()
    #expect(scanned.readOn(view))
    let first = ExplorerIndex(scanned.snapshot, size: view.head.size)
    #expect(first.covered == 1024)
    #expect(!scanned.readOn(view))
    let index = ExplorerIndex(scanned.snapshot, size: view.head.size)
    #expect(index.covered == 1100)
    let leaf = MerkleTree.leafHash(of: entries[1099])
    #expect(try index.indices([Claim(.entry, leaf)], limit: 5) == [LeafIndex(1099)])
    #expect(try first.indices([Claim(.entry, leaf)], limit: 5).isEmpty)

    let small = ScannedClaims(limit: 100)
    _ = small.readOn(view)
    #expect(small.snapshot.covered == 100)
    #expect(!small.readOn(view))
    let database = ExplorerIndex(ledger.claims, size: view.head.size)
    #expect(try database.indices([Claim(.entry, leaf)], limit: 5) == [LeafIndex(1099)])
    #expect(
      try database.indices([Claim(.entry, leaf)], from: LeafIndex(1100), limit: 5).isEmpty)
  }
}
