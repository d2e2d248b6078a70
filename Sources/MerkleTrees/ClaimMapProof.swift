package import ProofPrimitives

/// What a claim map says of a key, with the hashes that show it (`spec/claim-map.md` §4).
///
/// Bytes from a stranger parse into a proof only in their one encoding; whether it proves anything, its root
/// says. Size: about 32 bytes for each of log2(keys) levels, at most 8 KiB.
package struct ClaimMapProof: Hashable, Sendable {
  package static let version: UInt8 = 1
  /// Two keys differ in one of their 256 bits.
  package static let depthLimit = 256

  /// What stands where the way of the key ends.
  package enum End: Hashable, Sendable {
    case nothing
    /// The only key of its subtree, which is another than the one asked for.
    case other(key: Digest, value: ClaimMapValue)
    case found(ClaimMapValue)
  }

  /// Root's end first; `ClaimMapHasher.empty` where nothing stands on the other side.
  package let siblings: [Digest]
  package let end: End

  init(siblings: [Digest], end: End) {
    self.siblings = siblings
    self.end = end
  }

  package init(parsing bytes: [UInt8]) throws(ParsingError) {
    var reader = ByteReader(bytes)
    let version = try reader.u8("version")
    guard version == ClaimMapProof.version else {
      throw ParsingError("the map proof has version \(version), not 1", at: 0)
    }
    let outcome = try reader.u8("outcome")
    let depth = Int(try reader.u16("depth"))
    guard depth <= ClaimMapProof.depthLimit else {
      throw ParsingError("the map proof has \(depth) levels; keys have 256 bits", at: 2)
    }
    let start = reader.offset
    let bits = Array(try reader.take((depth + 7) / 8, "levels with siblings"))
    guard (depth..<bits.count * 8).allSatisfy({ !ClaimMapProof.bit(bits, $0) }) else {
      throw ParsingError("unused bits of the map proof are not zero", at: start)
    }
    var siblings: [Digest] = []
    siblings.reserveCapacity(depth)
    for level in 0..<depth {
      guard ClaimMapProof.bit(bits, level) else {
        siblings.append(ClaimMapHasher.empty)
        continue
      }
      let offset = reader.offset
      let sibling = try reader.digest("sibling")
      guard sibling != ClaimMapHasher.empty else {
        throw ParsingError("an empty sibling is written out", at: offset)
      }
      siblings.append(sibling)
    }
    // A subtree of one key or none is not divided: where the way ends, something else stood beside it.
    guard siblings.last != ClaimMapHasher.empty else {
      throw ParsingError("the last level divides nothing", at: start)
    }
    switch outcome {
    case 0: end = .nothing
    case 1:
      let key = try reader.digest("other key")
      end = .other(key: key, value: try ClaimMapValue(&reader))
    case 2: end = .found(try ClaimMapValue(&reader))
    default: throw ParsingError("the map proof has outcome \(outcome), not 0 to 2", at: 1)
    }
    self.siblings = siblings
    try reader.finish("the map proof")
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.u8(ClaimMapProof.version)
    switch end {
    case .nothing: writer.u8(0)
    case .other: writer.u8(1)
    case .found: writer.u8(2)
    }
    writer.u16(UInt16(siblings.count))
    var bits = [UInt8](repeating: 0, count: (siblings.count + 7) / 8)
    for (level, sibling) in siblings.enumerated() where sibling != ClaimMapHasher.empty {
      bits[level / 8] |= 128 >> UInt8(level % 8)
    }
    writer.raw(bits)
    for sibling in siblings where sibling != ClaimMapHasher.empty { writer.digest(sibling) }
    switch end {
    case .nothing: break
    case .other(let key, let value):
      writer.digest(key)
      value.write(to: &writer)
    case .found(let value): value.write(to: &writer)
    }
    return writer.bytes
  }

  /// What a map with this root says.
  package enum Answer: Hashable, Sendable {
    case absent
    case present(ClaimMapValue)
  }

  /// What the map with that root says of `key`; nil when the proof does not show it.
  ///
  /// Whether the map was made of the entries that it should be made of is another question: auditors make it
  /// again.
  package func answer(for key: Digest, root: Digest) -> Answer? {
    let hasher = ClaimMapHasher()
    var hash: Digest
    let answer: Answer
    switch end {
    case .nothing:
      hash = ClaimMapHasher.empty
      answer = .absent
    case .other(let other, let value):
      // That both ways are the same so far needs no look: each level below joins by the bits of `key`.
      guard other != key else { return nil }
      hash = hasher.leaf(other, value)
      answer = .absent
    case .found(let value):
      hash = hasher.leaf(key, value)
      answer = .present(value)
    }
    for level in siblings.indices.reversed() {
      hash =
        key.bit(level)
        ? hasher.node(siblings[level], hash) : hasher.node(hash, siblings[level])
    }
    return hash == root ? answer : nil
  }

  private static func bit(_ bits: [UInt8], _ position: Int) -> Bool {
    bits[position / 8] & (128 >> UInt8(position % 8)) != 0
  }
}
