import Cryptography
import Foundation
import Glibc
import MerkleTrees
import ProofPrimitives
import Testing

@testable import TransparencyLedger

/// A folder that goes away with the test.
final class ScratchFolder {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory.appending(
        path: "pol-ledger-\(UUID().uuidString)"
      ).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
  var ledger: String { file("log") }
  var secrets: String { file("log.private") }

  func copy(_ name: String, to copy: String) throws {
    try? FileManager.default.removeItem(atPath: file(copy))
    try FileManager.default.copyItem(atPath: file(name), toPath: file(copy))
  }

  func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: file(name)) }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: file(name))))
  }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: URL(filePath: file(name)))
  }

  func flipBit(in name: String, at position: Int) throws {
    var bytes = try bytes(name)
    bytes[position] ^= 1
    try write(bytes, to: name)
  }
}

let testOrigin = "example.org/test-log"

func testKey(_ number: UInt8) throws -> SigningKey {
  try SigningKey(seed: [UInt8](repeating: number, count: 32))
}

func testDigest(_ number: Int) -> Digest { SHA256.hash(Array("digest \(number)".utf8)) }

func newLedger(_ scratch: ScratchFolder) throws -> LocalLedger {
  try LocalLedger.create(at: scratch.ledger, origin: testOrigin, key: testKey(1))
}

func opaqueEntries(_ range: Range<Int>) -> [[UInt8]] { range.map { Array("entry \($0)".utf8) } }

func keyDigest(_ key: SigningKey) throws -> Digest {
  try #require(Digest(key.verifyingKey.rawBytes))
}

func commitmentEntry(_ number: Int, key: SigningKey) throws -> [UInt8] {
  let statement = CommitmentStatement(
    datasetRoot: testDigest(1), logOrigin: testOrigin, policyDigest: testDigest(2),
    proverKey: try keyDigest(key), runSecretDigest: testDigest(1000 + number),
    settingsDigest: testDigest(3))
  return try LedgerEntry.signed(statement.encoded, by: key)
}

func proofStatement(model: Int, key: SigningKey) throws -> ProofStatement {
  ProofStatement(
    archiveID: testDigest(100 + model), archiveRoot: testDigest(200 + model),
    commitment: testDigest(300 + model),
    checkpointWeights: [testDigest(400), testDigest(400 + model)], datasetRoot: testDigest(1),
    heldOut: .init(correct: 9, count: 10), location: "", logOrigin: testOrigin,
    modelDigest: testDigest(model), parents: [], policyDigest: testDigest(2),
    proverKey: try keyDigest(key), sealDigest: testDigest(500), settingsDigest: testDigest(3),
    sketch: [testDigest(600), testDigest(600 + model)].sorted(), steps: 100,
    tensors: [testDigest(700), testDigest(700 + model)])
}

/// The code of the error that `work` throws, and "none" when it throws none.
func code(_ work: () throws -> Void) -> String {
  do {
    try work()
    return "none"
  } catch let error as LedgerError {
    return error.code.name
  } catch {
    return "\(error)"
  }
}

/// Every invariant of a ledger folder, re-read from the disk.
@discardableResult
func audit(_ scratch: ScratchFolder) throws -> TreeHead {
  let source = DirectoryLedgerSource(directory: scratch.ledger)
  let view = try LedgerView(source: source, verifierKey: try source.statedVerifierKey())
  _ = try view.audit()
  for entry in try view.allEntries() {
    try view.receipt(entry.index).verify(
      entry: entry.bytes, by: view.verifierKey, origin: testOrigin)
  }
  return view.head
}
