internal import ChunkStorage
internal import Cryptography
internal import Foundation
internal import ProofArchive
internal import ProofPrimitives
internal import ProofTestSupport
internal import Testing

struct ArchiveGrantCase: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let identity: String
  let grant: HexBytes
  let segments: [Int]?
  let expect: String
  let `where`: String
  var testDescription: String { id }
}

@Suite("Encrypted archive vectors (encryption.md §9, archive.md §8)")
struct EncryptedArchiveVectorTests {
  static let refusals =
    (try? TestVectors.cases("archive/encrypted-refusals.json", of: ArchiveRefusal.self)) ?? []
  static let grants =
    (try? TestVectors.cases("archive/grants.json", of: ArchiveGrantCase.self)) ?? []

  @Test("all cases were read") func casesRead() {
    #expect(Self.refusals.count >= 90)
    #expect(Self.grants.count >= 24)
  }

  @Test("a fault is refused as the spec names it", arguments: refusals)
  func refused(fault: ArchiveRefusal) throws {
    let access = try ExpectedArchive("encrypted").access
    try withVectorArchive(fault.base) { path in
      for edit in fault.edits { try edit.apply(to: path) }
      let findings: [ArchiveError]
      do throws(ArchiveError) {
        findings = try ArchiveChecker.check(path, access: access).findings.map(\.error)
      } catch {
        findings = [error]
      }
      let first = try #require(findings.first, "accepted")
      let place = first.code == .wrongKey ? "grant" : fileName(of: first, in: path)
      #expect("\(first.code) \(place)" == "\(fault.expect) \(fault.where)", "\(findings)")
    }
  }

  @Test("anybody can check the published bytes, and nothing else") func publicBytes() throws {
    try withVectorArchive("encrypted") { path in
      #expect(try ArchiveChecker.check(path, depth: .publicBytes).isWhole)
      #expect(try ArchiveChecker.check(path).findings.map(\.error.code) == [.outsideGrant])
      let pack = "\(path)/packs/00000000.pack"
      var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: pack)))
      bytes[40] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: pack))
      #expect(try !ArchiveChecker.check(path, depth: .publicBytes).isWhole)
    }
  }

  @Test("a grant opens what it covers, and a false one nothing", arguments: grants)
  func grant(item: ArchiveGrantCase) throws {
    let source = try DirectoryObjectSource(try TestVectors.path("archive/valid/encrypted.pol"))
    let outcome: String
    do {
      let identity = try AgeIdentity(item.identity)
      let grant = try Grant(opening: item.grant.bytes, with: [identity])
      let reader = try ArchiveReader(source, access: .grant(grant))
      let segments = item.segments ?? Array(0..<reader.segmentCount)
      _ = try reader.normsTable()
      _ = try reader.claims()
      for segment in segments {
        for number in [segment + 1, segment + 2] { _ = try reader.state(number) }
        let record = try reader.checkpoint(segment + 2)
        _ = try reader.dataset.points(at: record.steps.flatMap(\.batch))
      }
      outcome = "accepted"
    } catch let error as ArchiveError {
      outcome = "\(error.code)"
    }
    #expect(outcome == item.expect)
  }
}
