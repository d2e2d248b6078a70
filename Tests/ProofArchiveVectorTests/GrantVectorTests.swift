import ChunkStorage
import Cryptography
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

private struct GrantCase: Decodable, Sendable, CustomTestStringConvertible {
  struct Ask: Decodable, Sendable {
    let kind: UInt8
    let number: String
    let expect: String
    let key: String?
  }
  let id: String
  let bytes: HexBytes
  let archiveId: String
  let epoch: UInt32
  let sealDigest: String
  let keyCommitment: String
  let expect: String
  let offset: String?
  let asks: [Ask]?
  var testDescription: String { id }

  static func all() throws -> [GrantCase] {
    try TestVectors.cases("encryption/grants.json", of: GrantCase.self)
  }

  var seal: SealedKeyFacts {
    get throws {
      SealedKeyFacts(
        archiveID: try #require(Digest(hex: archiveId)), epoch: epoch,
        sealDigest: try #require(Digest(hex: sealDigest)),
        keyCommitment: try #require(Digest(hex: keyCommitment)))
    }
  }
}

private struct GrantFileCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let identity: String
  let bytes: HexBytes
  let expect: String
  let grantDigest: String?
  var testDescription: String { id }

  static func all() throws -> [GrantFileCase] {
    try TestVectors.cases("encryption/grant-files.json", of: GrantFileCase.self)
  }
}

@Suite("Grants (encryption.md §6)") struct GrantVectorTests {
  @Test(
    "read, held against the seal and asked for keys, or refused", arguments: try GrantCase.all())
  private func grant(vector: GrantCase) throws {
    do {
      let grant = try Grant(parsing: vector.bytes.bytes)
      #expect(grant.encoded == vector.bytes.bytes)
      let keys = try grant.keys(for: vector.seal)
      #expect(vector.expect == "accepted")
      for ask in vector.asks ?? [] { try check(ask, keys) }
    } catch let error as ParsingError {
      let code =
        switch error.kind {
        case .malformed: "malformed"
        case .unsupported: "unsupported"
        case .damaged: "damaged"
        case .limit: "limit"
        }
      #expect(code == vector.expect, "\(error)")
      #expect(error.offset == vector.offset.flatMap { Int($0) }, "\(error)")
    } catch let error as ArchiveError {
      #expect(error.code.description == vector.expect, "\(error)")
    }
  }

  private func check(_ ask: GrantCase.Ask, _ keys: KeySource) throws {
    let kind = try #require(ObjectKind(rawValue: ask.kind))
    let number = try #require(UInt64(ask.number))
    do {
      let key = try keys.key(kind, number, id: .zero)
      #expect(ask.expect == "key" && key.secret.hex == ask.key)
    } catch { #expect(error.code.description == ask.expect) }
  }

  @Test("every grant cut short or with a bit changed is refused or says what it says")
  func altered() throws {
    for vector in try GrantCase.all() where vector.expect == "accepted" {
      let bytes = vector.bytes.bytes
      for count in bytes.indices {
        #expect(throws: ParsingError.self) { try Grant(parsing: Array(bytes[..<count])) }
      }
      for bit in 0..<min(bytes.count, 300) * 8 {
        var other = bytes
        other[bit / 8] ^= 1 << UInt8(bit % 8)
        guard let grant = try? Grant(parsing: other) else { continue }
        #expect(grant.encoded == other)
      }
    }
  }

  @Test("files that hold a grant", arguments: try GrantFileCase.all())
  private func file(vector: GrantFileCase) throws {
    let identity = try AgeIdentity(vector.identity)
    do throws(ArchiveError) {
      let grant = try Grant(opening: vector.bytes.bytes, with: [identity])
      #expect(vector.expect == "opened" && SHA256.hash(grant.encoded).hex == vector.grantDigest)
    } catch { #expect(error.code.description == vector.expect, "\(error)") }
  }

  @Test("a grant made here opens for each recipient and for nobody else")
  func made() throws {
    let key = ContentKey(.generate(), epoch: 3, archiveID: SHA256.hash([1]))
    let seal = SealedKeyFacts(
      archiveID: key.archiveID, epoch: 3, sealDigest: SHA256.hash([2]),
      keyCommitment: key.commitment)
    let identities = try (0..<2).map { _ throws in try AgeIdentity.generate() }
    let whole = Grant(key, sealDigest: seal.sealDigest)
    let file = try whole.encrypted(to: identities.map(\.recipient))
    for identity in identities {
      let keys = try Grant(opening: file, with: [identity]).keys(for: seal)
      #expect(keys == .all(key))
      #expect(
        try keys.key(.record, 9, id: SHA256.hash([3]))
          == key.objectKey(of: SHA256.hash([3]), .record))
      #expect(keys.covers(segment: 12))
    }
    do {
      _ = try Grant(opening: file, with: [.generate()])
      Issue.record("opened")
    } catch let error as ArchiveError { #expect(error.code == .wrongKey) }
  }

  @Test("segments and keys in any order make the one grant; what is missing or too much is refused")
  func segments() throws {
    let kinds: [(ObjectKind, UInt64)] = [
      (.dataPoint, 5), (.record, 3), (.norms, 0), (.record, 0), (.settings, 0), (.recordIndex, 0),
      (.policy, 0), (.record, 2), (.dataPoint, 1), (.record, 6), (.record, 5),
    ]
    func row(_ kind: ObjectKind, _ number: UInt64) -> ObjectKeyTable.Row {
      .init(
        kind: kind, number: number,
        key: ObjectKey(secret: SHA256.hash([kind.rawValue, UInt8(number)])))
    }
    func grant(_ segments: [UInt32], _ rows: [ObjectKeyTable.Row]) throws(ParsingError) -> Grant {
      try Grant(
        archiveID: .zero, epoch: 1, sealDigest: .zero, segments: segments, rows: rows)
    }
    let rows = kinds.map(row)
    let made = try grant([4, 1], rows)
    #expect(try Grant(parsing: made.encoded) == made)
    let seal = SealedKeyFacts(archiveID: .zero, epoch: 1, sealDigest: .zero, keyCommitment: .zero)
    let keys = try made.keys(for: seal)
    #expect((0..<6).filter { keys.covers(segment: $0) } == [1, 4])
    for (kind, number) in kinds {
      #expect(try keys.key(kind, number, id: .zero) == row(kind, number).key)
    }
    #expect(throws: ArchiveError.self) { try keys.key(.claims, id: .zero) }
    for index in rows.indices where rows[index].kind != .dataPoint {
      var fewer = rows
      fewer.remove(at: index)
      #expect(throws: ParsingError.self) { try grant([4, 1], fewer) }
    }
    #expect(throws: ParsingError.self) { try grant([4, 1], rows + [row(.record, 4)]) }
    #expect(throws: ParsingError.self) { try grant([4, 1], rows + [row(.chunk, 0)]) }
    #expect(throws: ParsingError.self) { try grant([4, 1], rows + [row(.norms, 1)]) }
    #expect(throws: ParsingError.self) { try grant([4, 1], rows + [rows[0]]) }
    #expect(throws: ParsingError.self) { try grant([4, 4, 1], rows) }
    let points = (0..<(1 << 20)).map {
      ObjectKeyTable.Row(kind: .dataPoint, number: UInt64($0) + 10, key: rows[0].key)
    }
    do throws(ParsingError) {
      _ = try grant([4, 1], rows + points)
      Issue.record("accepted")
    } catch { #expect(error.kind == .limit) }
  }

  @Test("a seal without encryption takes no key")
  func unencrypted() throws {
    let seal = SealedKeyFacts(archiveID: .zero, epoch: 0, sealDigest: .zero, keyCommitment: .zero)
    do {
      _ = try seal.contentKey(.generate())
      Issue.record("accepted")
    } catch { #expect(error.code == .otherEpoch) }
  }
}
