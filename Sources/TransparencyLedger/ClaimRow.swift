import ProofPrimitives

/// One row of what entries can be found by (`spec/ledger.md` §6): 48 bytes.
struct ClaimRow: Equatable, Comparable {
  static let byteCount = 48
  /// Rows of a full page: with its record's head it fills one page of the database, and none needs two.
  static let pageLimit = 84

  /// An entry's identity, or a key of the claim map: hashes both, so that they are spread evenly.
  let key: Digest
  let index: UInt64
  /// Of the hidden entry that fixed the statement before; identities have none.
  let committed: UInt64?

  /// By key, then by index.
  static func < (left: ClaimRow, right: ClaimRow) -> Bool {
    left.key == right.key ? left.index < right.index : left.key < right.key
  }

  /// Key, index and committed index, big-endian; all ones stand for none.
  func append(to out: inout [UInt8]) {
    key.append(to: &out)
    withUnsafeBytes(of: index.bigEndian) { out.append(contentsOf: $0) }
    withUnsafeBytes(of: (committed ?? .max).bigEndian) { out.append(contentsOf: $0) }
  }

  /// - Precondition: A whole row at `pointer`.
  init(loadingFrom pointer: UnsafeRawPointer) {
    func word(_ offset: Int) -> UInt64 {
      UInt64(bigEndian: pointer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    key = Digest(loadingFrom: pointer)
    index = word(32)
    committed = word(40) == .max ? nil : word(40)
  }

  init(key: Digest, index: UInt64, committed: UInt64? = nil) {
    self.key = key
    self.index = index
    self.committed = committed
  }
}

/// Says of a key that it is surely not in a run, or may be: 10 bits a key, wrong for one absent key in a hundred
/// (Bloom 1970, the two hashes of Kirsch and Mitzenmacher 2006 taken from the key, which is a hash).
struct KeyFilter: Sendable {
  private static let hashCount = 7
  private var words: [UInt64]

  init(count: Int) {
    words = Array(repeating: 0, count: count * 10 / 64 + 1)
  }

  /// Nil for bytes that are no whole words.
  init?(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, bytes.count % 8 == 0 else { return nil }
    words = bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
      }
    }
  }

  var bytes: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(words.count * 8)
    for word in words { withUnsafeBytes(of: word.bigEndian) { out.append(contentsOf: $0) } }
    return out
  }

  mutating func insert(_ key: Digest) {
    let (_, first, step, _) = key.words
    for place in 0..<KeyFilter.hashCount {
      let bit = self.bit(first, step, place)
      words[bit >> 6] |= 1 << UInt64(bit & 63)
    }
  }

  func mayContain(_ key: Digest) -> Bool {
    let (_, first, step, _) = key.words
    for place in 0..<KeyFilter.hashCount {
      let bit = self.bit(first, step, place)
      guard words[bit >> 6] >> UInt64(bit & 63) & 1 == 1 else { return false }
    }
    return true
  }

  private func bit(_ first: UInt64, _ step: UInt64, _ place: Int) -> Int {
    // The high half of the product spreads evenly over any number of bits.
    Int((first &+ UInt64(place) &* step).multipliedFullWidth(by: UInt64(words.count * 64)).high)
  }
}
