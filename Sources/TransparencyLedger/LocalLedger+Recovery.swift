import MerkleTrees
import ProofPrimitives

extension LocalLedger {
  /// Checks what is on disk against the last signed head, then finishes what was begun.
  ///
  /// Anything that a crash cannot have caused is refused, and nothing is changed: an operator who
  /// sees it has a damaged disk or a restored backup.
  func recover() throws(LedgerError) {
    isUsable = false
    let publishedHead = try checkPublishedHead()
    try checkTree()
    let needsLine = try checkHistory()
    // A head that was swapped in and not wholly published; nothing can have been added since.
    if needsLine {
      try publishHead()
    } else if publishedHead != head {
      try files.replace(LedgerPath.treeHead, with: try signedHead().note.encoded)
    }
    // An index that is behind was lost or restored; the bundles have all that it had.
    var waiting = try sequence.pending(after: head.size)
    if try sequence.nextIndex() != head.size.value + UInt64(waiting.count) {
      try rebuildIndex()
      // Entries in waiting are given their places again, in the same order.
      var prepared: [PreparedEntry] = []
      for entry in waiting { prepared.append(try PreparedEntry(entry)) }
      waiting = try sequence.sequence(prepared, after: head.size).added
    }
    try publish(waiting)
    isUsable = true
  }

  /// The published head, which may lag behind the record by what one crash leaves, never lead.
  private func checkPublishedHead() throws(LedgerError) -> TreeHead? {
    guard let bytes = try files.read(LedgerPath.treeHead, limit: SignedNote.byteLimit) else {
      guard head.size == .zero else {
        throw LedgerError(
          .treeBehindHead, "no tree head is published, and one for \(head.size) entries was signed",
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
    guard published.size <= head.size else {
      throw LedgerError(
        .headBehindTree,
        "a head for \(published.size) entries is published, the record ends at \(head.size)",
        remedy:
          "the record of the last signed head was restored or altered: end this log and start "
          + "one with another origin", path: files.place("checkpoint"))
    }
    guard published.size < head.size || published.root == head.root else {
      throw LedgerError(
        .headConflict, "the published head and the record have \(head.size) entries and two roots",
        remedy: "end this log: it has signed two trees", path: files.place("checkpoint"))
    }
    return published
  }

  /// The record says how long `history` was before the newest head's line: so a lost, cut or restored
  /// history shows. True when that line is still to be written.
  private func checkHistory() throws(LedgerError) -> Bool {
    let bytes = try files.read(LedgerPath.history, limit: LedgerPath.historyByteLimit) ?? []
    let expected = try PublishedHead(try signedHead(), by: verifierKey).line
    let before = record.historyByteCount
    guard bytes.count >= before else {
      throw PublishedHead.bad("it is shorter than when the last head was signed", line: 0)
    }
    let lines = try PublishedHead.parse(Array(bytes[..<before]), key: verifierKey)
    if let last = lines.last {
      guard last.size < head.size else {
        throw LedgerError(
          .headBehindTree, "history has a head for \(last.size) entries, the record \(head.size)",
          remedy: "the record of the last signed head was restored or altered: end this log",
          path: files.place("history"))
      }
      _ = try last.signedHead(by: verifierKey)
    }
    let rest = Array(bytes[before...])
    if rest == expected { return false }
    guard expected.starts(with: rest) else {
      guard rest.starts(with: expected) else {
        throw PublishedHead.bad("its last line is not that of the last signed head", line: 0)
      }
      throw LedgerError(
        .headBehindTree, "history goes on after the head for \(head.size) entries",
        remedy: "the record of the last signed head was restored or altered: end this log",
        path: files.place("history"))
    }
    // A line torn by a crash is cut off and written again.
    if !rest.isEmpty { try files.truncate(LedgerPath.history, to: before) }
    return true
  }

  /// The tiles must give the recorded root, whatever else is there.
  private func checkTree() throws(LedgerError) {
    do {
      growth = try TreeGrowth(reading: try view())
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
