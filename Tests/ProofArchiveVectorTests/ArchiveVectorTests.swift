internal import ChunkStorage
internal import Cryptography
internal import Foundation
internal import ProofArchive
internal import ProofPrimitives
internal import ProofTestSupport
internal import Testing

struct ExpectedArchive: Decodable {
  let archiveRoot: String
  let sealDigest: String
  let modelDigest: String
  let runSeed: String
  let datasetRoot: String
  let datasetCount: String
  let proverKey: String
  let steps: String
  let recordHashes: [String]
  let chunks: [[String]]
  let chunkCounts: [Int]
  let norms: [[String]]
  /// Of an encrypted archive.
  let epochKey: String?

  init(_ name: String) throws {
    self = try JSONDecoder().decode(
      ExpectedArchive.self, from: Data(try TestVectors.bytes("archive/valid/\(name).expect.json")))
  }

  var access: ArchiveAccess {
    epochKey.flatMap { Digest(hex: $0) }.map { .epochKey(EpochKey(secret: $0)) } ?? .none
  }
}

struct ArchiveRefusal: Decodable, Sendable, CustomTestStringConvertible {
  let id: String
  let base: String
  let edits: [ArchiveEdit]
  let expect: String
  let `where`: String
  var testDescription: String { id }
}

@Suite("Archive vectors (archive.md §8, §9)") struct ArchiveVectorTests {
  static let names = [
    "minimal", "ledger", "rich", "gaps", "imported", "delta", "encrypted", "twice",
  ]
  static let refusals =
    (try? TestVectors.cases("archive/refusals.json", of: ArchiveRefusal.self)) ?? []

  @Test("a valid archive is what another implementation wrote", arguments: names)
  func valid(name: String) throws {
    let expected = try ExpectedArchive(name)
    let path = try TestVectors.path("archive/valid/\(name).pol")
    let reader = try ArchiveReader(DirectoryObjectSource(path), access: expected.access)
    let seal = try #require(reader.seal)
    #expect(seal.archiveRoot.hex == expected.archiveRoot)
    #expect(seal.digest.hex == expected.sealDigest)
    #expect(seal.modelDigest.hex == expected.modelDigest)
    #expect(Hex.encode(seal.proverKey.rawBytes) == expected.proverKey)
    #expect(String(seal.stepCount) == expected.steps)
    #expect(reader.opening.runSeed.hex == expected.runSeed)
    #expect(reader.opening.datasetRoot.hex == expected.datasetRoot)
    #expect(String(reader.opening.datasetCount) == expected.datasetCount)
    #expect(reader.index.rows.map(\.hash.hex) == expected.recordHashes)
    var norms: [[String]] = []
    for number in 1..<reader.index.rows.count {
      let record = try reader.checkpoint(number)
      #expect(record.chunks.prefix(8).map(\.hex) == expected.chunks[number])
      #expect(record.chunks.count == expected.chunkCounts[number])
      #expect(RecordHeader.hash(record.encoded[...]) == reader.index.rows[number].hash)
      let bits = [record.norms.l1, record.norms.l2, record.norms.linf, record.norms.weightL2]
      if number > 1 {
        norms.append(
          bits.map { value in
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
          })
      }
    }
    #expect(norms == expected.norms)
    #expect(
      try modelDigest(of: reader.state(reader.index.rows.count - 1).tensors) == seal.modelDigest)
  }

  @Test("a valid archive is whole", arguments: names) func whole(name: String) throws {
    let report = try ArchiveChecker.check(
      try TestVectors.path("archive/valid/\(name).pol"), access: try ExpectedArchive(name).access)
    #expect(report.findings.map(\.error.description) == [])
    #expect(report.isSealed)
  }

  @Test("without its seal and tables it is an unfinished archive, and whole", arguments: names)
  func unsealed(name: String) throws {
    try withVectorArchive(name) { path in
      for file in ["seal", "objects", "norms", "records.index"] {
        try FileManager.default.removeItem(atPath: "\(path)/\(file)")
      }
      let access = try ExpectedArchive(name).access
      let report = try ArchiveChecker.check(path, access: access)
      #expect(report.findings.map(\.error.description) == [])
      #expect(!report.isSealed)
      let records = "\(path)/records"
      let bytes = try Data(contentsOf: URL(fileURLWithPath: records))
      try bytes.dropLast().write(to: URL(fileURLWithPath: records))
      let torn = try ArchiveChecker.check(path, access: access)
      #expect(torn.findings.map(\.error.code.description) == ["damaged"])
      #expect(torn.findings.allSatisfy { !$0.error.isSigned })
    }
  }

  @Test(
    "false norms and signature roots are signed findings, which the reader leaves to the verifier",
    arguments: refusals.filter {
      ["checkpoint-norms-l1", "checkpoint-signature-root", "norms-row"].contains($0.id)
    })
  func leftToVerifier(fault: ArchiveRefusal) throws {
    try withVectorArchive(fault.base) { path in
      for edit in fault.edits { try edit.apply(to: path) }
      let reader = try ArchiveReader(DirectoryObjectSource(path))
      _ = try reader.normsTable()
      for number in 1..<reader.index.rows.count { _ = try reader.state(number) }
      let findings = try ArchiveChecker.check(path).findings.map(\.error)
      #expect(!findings.isEmpty)
      #expect(findings.allSatisfy { $0.isSigned && $0.code == .malformed }, "\(findings)")
    }
  }

  @Test("all refusals were read") func refusalsRead() { #expect(Self.refusals.count >= 390) }

  @Test("a fault is refused as the spec names it", arguments: refusals)
  func refused(fault: ArchiveRefusal) throws {
    try withVectorArchive(fault.base) { path in
      for edit in fault.edits { try edit.apply(to: path) }
      let findings: [ArchiveError]
      do throws(ArchiveError) {
        findings = try ArchiveChecker.check(path).findings.map(\.error)
      } catch {
        findings = [error]
      }
      let first = try #require(findings.first, "accepted")
      #expect(
        "\(first.code) \(fileName(of: first, in: path))" == "\(fault.expect) \(fault.where)",
        "\(findings)")
      for finding in findings where finding.isSigned {
        #expect([.malformed, .limit].contains(finding.code), "\(finding)")
      }
      if ["missing", "damaged", "io"].contains(fault.expect) && fault.edits.count == 1 {
        #expect(
          !findings.contains { $0.isSigned }, "plain damage is nobody's statement: \(findings)")
      }
    }
  }
}
