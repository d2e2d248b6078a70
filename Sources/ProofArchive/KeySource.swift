internal import ChunkStorage
package import ProofPrimitives

/// The keys of a segment grant: those of the objects that it names, and no others.
package struct ObjectKeyTable: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let kind: ObjectKind
    /// Record number for a record, index for a data point, else 0.
    package let number: UInt64
    package let key: ObjectKey

    package init(kind: ObjectKind, number: UInt64, key: ObjectKey) {
      self.kind = kind
      self.number = number
      self.key = key
    }

    func stands(before other: Row) -> Bool {
      (kind.rawValue, number) < (other.kind.rawValue, other.number)
    }
  }

  /// Ascending by kind and number, none twice.
  package let rows: [Row]

  /// Nil unless the rows ascend.
  init?(rows: [Row]) {
    guard zip(rows, rows.dropFirst()).allSatisfy({ $0.stands(before: $1) }) else { return nil }
    self.rows = rows
  }

  /// - Complexity: O(log rows).
  package func key(_ kind: ObjectKind, _ number: UInt64) -> ObjectKey? {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      let row = rows[middle]
      if (row.kind.rawValue, row.number) < (kind.rawValue, number) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low < rows.count, rows[low].kind == kind, rows[low].number == number else { return nil }
    return rows[low].key
  }
}

/// Where a reader of an encrypted archive has its keys from.
package enum KeySource: Equatable, Sendable {
  /// All of them: derived from each object's id.
  case all(ContentKey)
  /// Those of some segments. Chunk keys stand in the envelopes of their records.
  case segments([UInt32], ObjectKeyTable)

  /// The key of an object whose id was read.
  ///
  /// - Parameters:
  ///   - number: Record number for a record, index for a data point, else 0.
  /// - Throws: `.outsideGrant` when the grant does not hold it; always for a chunk under `segments`.
  package func key(
    _ kind: ObjectKind, _ number: UInt64 = 0, id: Digest
  ) throws(ArchiveError) -> ObjectKey {
    switch self {
    case .all(let contentKey): return contentKey.objectKey(of: id, kind)
    case .segments(_, let table):
      if let key = table.key(kind, number) { return key }
      throw ArchiveError(
        .outsideGrant, at: "grant", "it holds no key for \(KeySource.name(kind, number))",
        remedy: "ask the prover for a grant that covers it")
    }
  }

  /// Whether segment `number`, from 0, can be read.
  package func covers(segment number: Int) -> Bool {
    switch self {
    case .all: true
    case .segments(let numbers, _): numbers.contains { Int($0) == number }
    }
  }

  /// Whether record `number` can be opened.
  func opens(record number: Int) -> Bool {
    switch self {
    case .all: true
    case .segments(_, let table): table.key(.record, UInt64(number)) != nil
    }
  }

  private static func name(_ kind: ObjectKind, _ number: UInt64) -> String {
    switch kind {
    case .chunk: "a chunk that no envelope names"
    case .record: "record \(number)"
    case .settings: "the settings"
    case .policy: "the policy"
    case .claims: "the claims"
    case .recordIndex: "the record index"
    case .norms: "the norms"
    case .dataPoint: "data point \(number)"
    }
  }
}
