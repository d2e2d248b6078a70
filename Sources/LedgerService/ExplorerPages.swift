import ChunkStorage
import Cryptography
import Glibc
import MerkleTrees
import NIOPosix
import ProofPrimitives
import TransparencyLedger

/// Makes the explorer's pages. Everything here may wait for the disk.
struct ExplorerPages: Sendable {
  let directory: String
  let verifierKey: NoteVerifierKey
  /// The log's index; nil where the private folder is not this service's to read.
  let claims: ClaimStore?
  let templates: ExplorerTemplates
  /// Seconds since 1970.
  var clock: @Sendable () -> Int64 = { Int64(Glibc.time(nil)) }
  private let scanned = ScannedClaims()

  init(directory: String, verifierKey: NoteVerifierKey, claims: ClaimStore?) throws {
    self.directory = directory
    self.verifierKey = verifierKey
    self.claims = claims
    templates = try ExplorerTemplates()
  }

  private var source: DirectoryLedgerSource { DirectoryLedgerSource(directory: directory) }

  /// Never fails: what goes wrong is a page that says so, and tells no path or inner error.
  func find(_ path: ExplorerPath) -> ExplorerAnswer {
    do throws(LedgerError) {
      let view = try LedgerView(source: source, verifierKey: verifierKey)
      return try answer(path, ExplorerView(view: view, index: index(view)))
    } catch {
      switch error.code {
      case .beyondHead:
        return problem(
          404, path, "There is no such entry",
          "The ledger has fewer entries than that, under the head that it publishes now.")
      default:
        return problem(
          500, path, "This cannot be shown",
          "The ledger's files could not be read, or do not agree with its signed head (\(error.code.name))."
        )
      }
    }
  }

  private func index(_ view: LedgerView) -> ExplorerIndex? {
    if let claims { return ExplorerIndex(claims, size: view.head.size) }
    _ = scanned.readOn(view)
    return ExplorerIndex(scanned.snapshot, size: view.head.size)
  }

  /// Reads on beside the pages, where there is no index, until all is read or the limit is met.
  func readOn(in pool: NIOThreadPool) {
    guard claims == nil else { return }
    pool.submit { _ in
      guard let view = try? LedgerView(source: source, verifierKey: verifierKey),
        scanned.readOn(view)
      else { return }
      readOn(in: pool)
    }
  }

  private func answer(
    _ path: ExplorerPath, _ ledger: ExplorerView
  ) throws(LedgerError) -> ExplorerAnswer {
    switch path {
    case .home: return page("home", path, try home(ledger), ledger)
    case .head: return page("head", path, try head(ledger), ledger)
    case .entry(let index):
      return page("entry", path, try EntryPage(ledger, files).values(index), ledger)
    case .key(let key, let first):
      return page("key", path, try keyPage(key, first, ledger), ledger)
    case .search(let query): return try search(query, ledger)
    case .bytes(let index):
      let entry = try ledger.view.entry(index)
      return .file(
        .init(
          name: "entry-\(index).bin", type: "application/octet-stream", bytes: entry.bytes,
          isForEver: true))
    case .receipt(let index):
      let receipt = try ledger.view.receipt(index)
      return .file(
        .init(
          name: "entry-\(index).tlog-proof", type: "text/x.tlog.proof", bytes: receipt.encoded,
          isForEver: false))
    case .evidence(let index):
      let evidence = try EvidenceFile(of: index, in: ledger.view) {
        names throws(LedgerError) in try ledger.entries(names)
      }
      return .file(
        .init(
          name: "entry-\(index).evidence", type: "application/json", bytes: evidence.encoded,
          isForEver: false))
    case .style, .script: return problem(404, path, "Nothing is here", "")
    }
  }

  private var files: RootedFiles { RootedFiles(directory) }

  // MARK: Pages

  private func page(
    _ name: String, _ path: ExplorerPath, _ values: [String: Any], _ ledger: ExplorerView
  ) -> ExplorerAnswer {
    var all: [String: Any] = [
      "origin": shown(ledger.view.head.origin, limit: 120), "root": path.root,
      "size": ExplorerWords.grouped(ledger.view.head.size.value),
      "treeSize": ledger.view.head.size.description, "coverage": ledger.coverage,
    ]
    all.merge(values) { $1 }
    return .page(status: values["status"] as? Int ?? 200, templates.page(name, all))
  }

  private func problem(
    _ status: Int, _ path: ExplorerPath, _ title: String, _ words: String
  ) -> ExplorerAnswer {
    .page(
      status: status,
      templates.page(
        "problem",
        [
          "title": title, "words": words, "origin": shown(verifierKey.name, limit: 120),
          "root": path.root,
        ]))
  }

  private func home(_ ledger: ExplorerView) throws(LedgerError) -> [String: Any] {
    let size = ledger.view.head.size.value
    let first = size - min(size, UInt64(ExplorerLimits.latest))
    let latest = try ledger.found((first..<size).reversed().map { LeafIndex($0) })
    var values: [String: Any] = ["title": "Who claimed it first?", "rows": ledger.rows(latest)]
    values.merge(state(ledger)) { $1 }
    return values
  }

  private func state(_ ledger: ExplorerView) -> [String: Any] {
    let witnesses = ledger.witnessLines
    var values: [String: Any] = [
      "treeRoot": ledger.view.head.root.hex,
      "witnessCount": witnesses.isEmpty
        ? "none" : "\(witnesses.count) line\(witnesses.count == 1 ? "" : "s")",
      "isEmpty": ledger.view.head.size.value == 0,
    ]
    var status = stat()
    if lstat("\(directory)/checkpoint", &status) == 0 {
      let seconds = Int64(status.st_mtim.tv_sec)
      values["age"] = ExplorerWords.age(clock() - seconds)
      values["published"] = ExplorerWords.time(seconds)
    }
    if let file = try? files.open("history"),
      let points = try? ExplorerHistory(file).points(limit: ExplorerLimits.historyPoints),
      let plot = GrowthPlot.values(points)
    {
      values["plot"] = plot
    }
    return values
  }

  private func head(_ ledger: ExplorerView) throws(LedgerError) -> [String: Any] {
    let note = ledger.view.signedHead.note
    var values = state(ledger)
    values["title"] = "Tree head"
    values["note"] = note.encoded.dropLast().split(
      separator: 10, omittingEmptySubsequences: false
    ).map { ["noteLine": shown(String(decoding: $0, as: UTF8.self), limit: 1100)] }
    values["verifierKey"] = shown(verifierKey.description, limit: 1100)
    values["witnesses"] = ledger.witnessLines
    values["hasWitnesses"] = !ledger.witnessLines.isEmpty
    return values
  }

  private func keyPage(
    _ key: Digest, _ first: LeafIndex, _ ledger: ExplorerView
  ) throws(LedgerError) -> [String: Any] {
    let limit = ExplorerLimits.rows
    var indices = try ledger.find([Claim(.proverKey, key)], from: first, limit: limit + 1)
    let more = indices.count > limit ? indices.removeLast() : nil
    let found = try ledger.found(indices)
    var values: [String: Any] = [
      "title": "Key \(key.short)…", "key": key.hex,
      "rows": ledger.rows(found, try ledger.standings(found)), "isNone": found.isEmpty,
    ]
    if let id = VerifyingKey(rawBytes: key.bytes)?.keyID { values["keyID"] = id.hex }
    if let more { values["more"] = more.description }
    if let end = try ledger.find([Claim(.withdrawal, key)], limit: 1).first {
      values["withdrawnAt"] = end.description
    }
    return values
  }

  private func search(
    _ query: SearchQuery, _ ledger: ExplorerView
  ) throws(LedgerError) -> ExplorerAnswer {
    var values: [String: Any] = ["title": "Search", "query": shown(query.text)]
    switch query.subject {
    case .nothing: return .moved("./")
    case .entry(let index):
      if ledger.view.head.size.contains(index) { return .moved("entry/\(index)") }
      values["noEntry"] = index.description
    case .other: values["isOther"] = true
    case .digest(let digest):
      values.merge(try matches(digest, query.tensors, ledger)) { $1 }
    }
    return page("search", .search(query), values, ledger)
  }

  /// Everything that says something of a digest, earliest first, and what shares tensors with a file.
  private func matches(
    _ digest: Digest, _ tensors: [Digest], _ ledger: ExplorerView
  ) throws(LedgerError) -> [String: Any] {
    let limit = ExplorerLimits.rows
    let claims = Set(ClaimKind.allCases.map { Claim($0, digest) })
    var indices = try ledger.find(claims, limit: limit + 1)
    let isMore = indices.count > limit
    if isMore { indices.removeLast() }
    let found = try ledger.found(indices)
    let standings = try ledger.standings(found)
    func fixed(_ one: ExplorerView.Found) -> LeafIndex {
      standings[one.index]?.committedAt ?? one.index
    }
    let sorted = found.sorted { (fixed($0), $0.index) < (fixed($1), $1.index) }
    var values: [String: Any] = [
      "digest": digest.hex, "isFound": !sorted.isEmpty, "isMore": isMore,
      "rows": ledger.rows(sorted, standings) { one in
        let places = Set(
          one.parsed.claims(leafHash: one.entry.leafHash).intersection(claims).map(\.kind.rawValue))
        return "as \(places.sorted().joined(separator: ", "))"
      },
    ]
    if let first = sorted.first {
      values["firstWords"] =
        "First named at entry \(fixed(first))"
        + (fixed(first) == first.index ? "." : ", opened at entry \(first.index).")
    } else {
      values["isNone"] = true
    }
    if !sorted.isEmpty, sorted.allSatisfy({ $0.parsed.signed?.key.rawBytes == digest.bytes }) {
      values["isKey"] = true
    }
    if !tensors.isEmpty {
      let others = try ledger.find(
        Set(tensors.map { Claim(.tensor, $0) }), limit: ExplorerLimits.overlaps)
      let wanted = Set(tensors)
      let shares = try ledger.found(others.filter { !indices.contains($0) }).compactMap {
        one -> [String: Any]? in
        let listed = one.parsed.claims(leafHash: one.entry.leafHash)
        let count = wanted.count { listed.contains(Claim(.tensor, $0)) }
        guard count > 0 else { return nil }
        return [
          "overlapIndex": one.index.description,
          "overlapWords": "\(count) of the file's \(tensors.count) largest tensors",
        ]
      }
      values["overlaps"] = shares
      values["hasOverlaps"] = !shares.isEmpty
      values["tensorCount"] = String(tensors.count)
    }
    return values
  }
}
