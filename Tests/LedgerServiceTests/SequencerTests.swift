import Foundation
import MerkleTrees
import Synchronization
import Testing
import TransparencyLedger

@testable import LedgerService

@Suite("One writer for many (ledger-service.md §6)") struct SequencerTests {
  private struct Stopped: Error {}

  /// A log in a folder that goes away with the test.
  private final class Scratch {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "pol-service-\(UUID().uuidString)"
    ).path
    var log: String { "\(folder)/log" }

    init() throws {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      _ = try LocalLedger.create(at: log, origin: "example.org/service")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }
  }

  private func sequencer(
    _ scratch: Scratch, leastFree: UInt64 = 0, failingAt step: LocalLedger.AppendStep? = nil
  ) throws -> (Sequencer, ServiceMetrics) {
    let ledger = try LocalLedger.open(at: scratch.log)
    if let step { ledger.failpoint = { if $0 == step { throw Stopped() } } }
    let metrics = ServiceMetrics()
    return (
      Sequencer(ledger, leastFreeByteCount: leastFree, metrics: metrics) { _ in }, metrics
    )
  }

  private func entry(_ number: Int) throws -> PreparedEntry {
    try PreparedEntry(Array("entry \(number)".utf8))
  }

  @Test("entries of many at once get places of their own, each under a head that covers it")
  func many() async throws {
    let scratch = try Scratch()
    let (sequencer, _) = try sequencer(scratch)
    let entries = try (0..<300).map { try entry($0) }
    let source = DirectoryLedgerSource(directory: scratch.log)
    let key = try source.statedVerifierKey()
    let indices = try await withThrowingTaskGroup(of: UInt64.self) { group in
      for entry in entries {
        group.addTask {
          let receipt = try await sequencer.add(entry).get()
          try receipt.proof.verify(entry: entry.bytes, by: key, origin: "example.org/service")
          return receipt.index.value
        }
      }
      return try await group.reduce(into: Set<UInt64>()) { $0.insert($1) }
    }
    #expect(indices == Set(0..<300))
    #expect(sequencer.status.size == 300)
    let again = try await sequencer.add(entries[7]).get()
    #expect(again.wasKnown && indices.contains(again.index.value))
    await sequencer.close()
    #expect(await sequencer.add(entries[7]) == .failure(.stopping))
  }

  @Test(
    "a step that fails is answered as stopped, and the log goes on by itself",
    arguments: LocalLedger.AppendStep.allCases.filter {
      // Not reached where no policy asks for witnesses.
      $0 != .cosigned && $0 != .cosignaturesStored && $0 != .endStored
    })
  func failure(step: LocalLedger.AppendStep) async throws {
    let scratch = try Scratch()
    let (sequencer, _) = try sequencer(scratch, failingAt: step)
    #expect(await sequencer.add(try entry(1)) == .failure(.writerStopped))
    // The log that was opened again has no failpoint, and has finished that entry.
    let receipt = try await sequencer.add(try entry(1)).get()
    #expect(receipt.index.value == 0 && receipt.wasKnown)
    #expect(!sequencer.status.isStopped)
    await sequencer.close()
  }

  @Test("too little room on the disk is said before anything is queued") func space() async throws {
    let scratch = try Scratch()
    let (sequencer, _) = try sequencer(scratch, leastFree: .max)
    #expect(sequencer.refusal(byteCount: 1) == .noSpace)
    #expect(await sequencer.add(try entry(1)) == .failure(.noSpace))
    await sequencer.close()
  }

  @Test("the log is given back: another may write to it") func givenBack() async throws {
    let scratch = try Scratch()
    let (sequencer, _) = try sequencer(scratch)
    #expect(throws: LedgerError.self) { _ = try LocalLedger.open(at: scratch.log) }
    await sequencer.close()
    _ = try LocalLedger.open(at: scratch.log)
  }
}

extension Sequencer.Outcome {
  static func == (left: Self, right: Self) -> Bool {
    guard case .failure(let one) = left, case .failure(let other) = right else { return false }
    return one == other
  }
}
