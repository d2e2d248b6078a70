import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Checks what is on disk against the last signed head, then finishes what was begun.
  ///
  /// Anything that a crash cannot have caused is refused, and nothing is changed: an operator who
  /// sees it has a damaged disk or a restored backup.
  func recover() throws(LedgerError) {
    isUsable = false
    let published = try checkPublishedHead()
    try checkTree()
    let needsLine = try checkHistory()
    // A head that was stored for publishing and not wholly published.
    let note = try publishedHead().note.encoded
    if published != note { try files.replace(LedgerPath.treeHead, with: note) }
    if needsLine { try files.append(LedgerPath.history, try publishedLine()) }
    // Before any new entry: a policy may have been taken back while a head waited.
    try publishWithoutWitnesses()
    // What entries can be found by is behind the head, or lost; the bundles have all of it.
    if claims.size > head.size.value { try claims.clear() }
    if claims.size < head.size.value { try readTail(of: try signedView()) }
    let waiting = try sequences.pending(after: head.size)
    var prepared: [PreparedEntry] = []
    for entry in waiting { prepared.append(try PreparedEntry(entry)) }
    try grow(prepared)
    isUsable = true
    try finishEnd()
  }

  /// Takes up the entries that the index does not know, some bundles at a time, each checked under the head.
  func readTail(of view: LedgerView) throws(LedgerError) {
    while claims.size < view.head.size.value {
      let start = claims.size
      // Four bundles: with the largest entries 64 MiB.
      let end = min(view.head.size.value, (start | 255) + 1 + 3 * 256)
      let entries = try view.entries(start..<end)
      claims.add(try PreparedEntry.all(entries.map(\.bytes)).map { ClaimStore.Item($0) })
      try claims.index(
        origin: origin, reading: { index throws(LedgerError) in try view.entry(index) })
    }
  }

  /// The published note, which may lag behind the record by what one crash leaves, never lead.
  private func checkPublishedHead() throws(LedgerError) -> [UInt8]? {
    let recorded = record.published
    guard let bytes = try files.read(LedgerPath.treeHead, limit: SignedNote.byteLimit) else {
      guard recorded.size == .zero else {
        throw LedgerError(
          .treeBehindHead,
          "no tree head is published, and one for \(recorded.size) entries was recorded",
          remedy: "restore the public folder as it last was", path: files.place("checkpoint"))
      }
      return nil
    }
    let published: TreeHead
    do {
      published = try SignedTreeHead(parsing: bytes, by: verifierKey).head
    } catch {
      throw LedgerError(
        error.code, "the published tree head is damaged: \(error.message)",
        remedy: "restore the file from a good copy", path: files.place("checkpoint"), cause: error)
    }
    guard published.size <= recorded.size else {
      throw LedgerError(
        .headBehindTree,
        "a head for \(published.size) entries is published, the record ends at \(recorded.size)",
        remedy:
          "the record of the last signed head was restored or altered: end this log and start "
          + "one with another origin", path: files.place("checkpoint"))
    }
    guard published.size < recorded.size || published.root == recorded.root else {
      throw LedgerError(
        .headConflict,
        "the published head and the record have \(recorded.size) entries and two roots",
        remedy: "end this log: it has signed two trees", path: files.place("checkpoint"))
    }
    return bytes
  }

  /// The record says how long `history` was before the published head's line: so a lost, cut or restored
  /// history shows. True when that line is still to be written.
  private func checkHistory() throws(LedgerError) -> Bool {
    let byteCount = try files.byteCount(of: LedgerPath.history) ?? 0
    let expected = try publishedLine()
    let before = record.historyByteCount
    guard byteCount >= before else {
      throw PublishedHead.bad("it is shorter than when the last head was signed", line: 0)
    }
    if let last = try lastLine(endingAt: before) {
      guard last.size < record.published.size else {
        throw LedgerError(
          .headBehindTree,
          "history has a head for \(last.size) entries, the record \(record.published.size)",
          remedy: "the record of the last signed head was restored or altered: end this log",
          path: files.place("history"))
      }
      _ = try last.signedHead(by: verifierKey)
    }
    // One byte more than the line shows whether anything follows.
    let end = min(byteCount, before + expected.count + 1)
    let rest =
      try files.read(LedgerPath.history, endingAt: end, count: end - before) ?? []
    if rest == expected { return false }
    guard expected.starts(with: rest) else {
      guard rest.starts(with: expected) else {
        throw PublishedHead.bad("its last line is not that of the last signed head", line: 0)
      }
      throw LedgerError(
        .headBehindTree, "history goes on after the head for \(record.published.size) entries",
        remedy: "the record of the last signed head was restored or altered: end this log",
        path: files.place("history"))
    }
    // A line torn by a crash is cut off and written again.
    if !rest.isEmpty { try files.truncate(LedgerPath.history, to: before) }
    return true
  }

  /// The line that ends at a byte of `history`; nil at its beginning. Lines before it are for `audit`: opening
  /// costs the same however many there are.
  private func lastLine(endingAt end: Int) throws(LedgerError) -> PublishedHead? {
    guard end > 0 else { return nil }
    let bytes =
      try files.read(
        LedgerPath.history, endingAt: end, count: PublishedHead.lineByteLimit + 1) ?? []
    guard bytes.last == 10 else {
      throw PublishedHead.bad("a line does not end where the record says", line: 0)
    }
    let start = bytes.dropLast().lastIndex(of: 10).map { $0 + 1 } ?? 0
    guard start > 0 || bytes.count == end else {
      throw PublishedHead.bad("its last line is too long", line: 0)
    }
    return try PublishedHead.parse(Array(bytes[start...]), key: verifierKey).first
  }

  /// The tiles must give the recorded root, whatever else is there.
  private func checkTree() throws(LedgerError) {
    do throws(LedgerError) {
      let view = try signedView()
      growth = try TreeGrowth(reading: view)
      guard try view.root(at: record.published.size) == record.published.root else {
        throw LedgerView.damagedTiles("the published tree")
      }
    } catch {
      guard error.code == .missing else { throw error }
      throw LedgerError(
        .treeBehindHead,
        "the stored tree lacks entries of the last signed head, which has \(head.size)",
        remedy: "restore the public folder as it last was; an older copy is of no use",
        path: error.path.map { files.place($0) }, cause: error)
    }
  }
}
