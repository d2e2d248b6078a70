import Cryptography
package import MerkleTrees
import ProofPrimitives

/// Where and how a log said that it ends.
package struct LogEnd: Hashable, Sendable {
  package let index: LeafIndex
  package let statement: LogEndStatement

  /// The log that goes on; nil where none was named.
  package var successor: NoteVerifierKey? {
    statement.successor.isEmpty ? nil : try? NoteVerifierKey(text: statement.successor)
  }
}

/// Finds what a log itself says among its entries, at next to no cost for all the others.
struct LogVoice: Sendable {
  let verifierKey: NoteVerifierKey
  private let suffixHead: [UInt8]

  init(_ verifierKey: NoteVerifierKey) {
    self.verifierKey = verifierKey
    suffixHead = Array("[{\"keyid\":\"\(verifierKey.key.keyID.hex)\",\"sig\":\"".utf8)
  }

  /// The statement of an entry by the log's own key; nil for every other entry.
  func statement(in bytes: [UInt8]) -> LedgerStatement? {
    // Canonical JSON puts the key last but the signature: 88 characters and `"}]}`.
    let start = bytes.count - 92 - suffixHead.count
    guard start >= 0, bytes[start...].starts(with: suffixHead),
      let signed = LedgerEntry.parse(bytes).signed, signed.key == verifierKey.key
    else { return nil }
    return signed.statement
  }

  /// The end that the entry at `index` declares, but for the root that it names.
  func end(_ bytes: [UInt8], at index: LeafIndex) -> LogEnd? {
    guard case .logEnd(let statement)? = statement(in: bytes),
      statement.logOrigin.utf8.elementsEqual(verifierKey.name.utf8),
      UInt64(exactly: statement.treeSize) == index.value
    else { return nil }
    return LogEnd(index: index, statement: statement)
  }

  /// The beginning that the first entry declares.
  func beginning(_ bytes: [UInt8]) -> LogBeginStatement? {
    guard case .logBegin(let statement)? = statement(in: bytes),
      statement.logOrigin.utf8.elementsEqual(verifierKey.name.utf8)
    else { return nil }
    return statement
  }
}

extension LedgerView {
  /// What the last entry under the head says, if it is the log's end. Reads one bundle.
  package func end() throws(LedgerError) -> LogEnd? {
    guard head.size > .zero else { return nil }
    let last = try entry(LeafIndex(head.size.value - 1))
    guard let end = LogVoice(verifierKey).end(last.bytes, at: last.index),
      try root(at: TreeSize(last.index.value)) == end.statement.treeRoot
    else { return nil }
    return end
  }

  /// What the first entry says, if it names a log that this one goes on for. Reads one bundle.
  package func beginning() throws(LedgerError) -> LogBeginStatement? {
    guard head.size > .zero else { return nil }
    return LogVoice(verifierKey).beginning(try entry(LeafIndex(0)).bytes)
  }

  /// Checks that `next` goes on for this log, each by its own word (`spec/ledger.md` §8a).
  ///
  /// - Throws: `.notSuccessor` with the reason.
  package func checkSuccessor(_ next: LedgerView) throws(LedgerError) {
    func refuse(_ reason: String) -> LedgerError {
      LedgerError(
        .notSuccessor, reason,
        remedy: "keep to the key you have, and ask the log's operator over another way")
    }
    guard let end = try end() else { throw refuse("\(head.origin) has not ended") }
    guard end.statement.successor == next.verifierKey.description else {
      throw refuse(
        end.statement.successor.isEmpty
          ? "\(head.origin) ended and named no successor"
          : "\(head.origin) named another successor: \(end.statement.successor)")
    }
    guard let beginning = try next.beginning() else {
      throw refuse("the first entry of \(next.head.origin) names no predecessor")
    }
    guard beginning.predecessor == verifierKey.description else {
      throw refuse("\(next.head.origin) goes on for another log: \(beginning.predecessor)")
    }
    guard UInt64(exactly: beginning.predecessorSize) == head.size.value,
      beginning.predecessorRoot == head.root
    else {
      throw refuse(
        "\(next.head.origin) names a tree of \(beginning.predecessorSize) entries as the last, "
          + "which is not the one of \(head.size) that is shown")
    }
  }

  static func grewAfterEnd(_ end: LogEnd, _ head: TreeHead) -> LedgerError {
    LedgerError(
      .grewAfterEnd,
      "the log said with entry \(end.index) that it ends, and has \(head.size) entries",
      remedy: "keep the tree head: with the entry it proves that the log broke its word")
  }
}
