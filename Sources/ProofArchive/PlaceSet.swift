internal import ProofPrimitives

/// Places of frames, of which an archive has millions: one bit each where they stand side by side.
///
/// Memory: 16 bytes for up to 64 neighbours, and so never much more than the envelopes that named them.
struct PlaceSet {
  private var words: [UInt64: UInt64] = [:]
  private(set) var count = 0

  private static func bit(_ place: Envelope.Place) -> (word: UInt64, mask: UInt64) {
    (UInt64(place.pack) << 32 | UInt64(place.frame >> 6), 1 << UInt64(place.frame & 63))
  }

  func contains(_ place: Envelope.Place) -> Bool {
    let (word, mask) = PlaceSet.bit(place)
    return words[word, default: 0] & mask != 0
  }

  /// Whether the place is new.
  @discardableResult
  mutating func insert(_ place: Envelope.Place) -> Bool {
    let (word, mask) = PlaceSet.bit(place)
    guard words[word, default: 0] & mask == 0 else { return false }
    words[word, default: 0] |= mask
    count += 1
    return true
  }
}
