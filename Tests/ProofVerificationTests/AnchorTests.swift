import Cryptography
import Foundation
import MerkleTrees
import ProofPrimitives
import Testing

@testable import ProofArchive
@testable import ProofVerification
@testable import TransparencyLedger

@Suite("Anchors against the archive (verification.md §5)") struct AnchorTests {
  private let run: TestRun

  init() throws { run = try TestRun(publishes: false) }

  /// What the owner's recorder would have logged at a record.
  private func anchor(
    _ record: Int, of other: TestRun? = nil,
    _ change: (inout [String: Any]) -> Void = { _ in }
  ) throws -> AnchorStatement {
    let rows = try (other ?? run).reader().index.rows
    var fields: [String: Any] = [
      "id": (other ?? run).opening.archiveID, "head": rows[record].hash, "count": record + 1,
      "step": rows[record].step, "origin": run.ledger.origin,
    ]
    change(&fields)
    return AnchorStatement(
      archiveID: try #require(fields["id"] as? Digest),
      chainHead: try #require(fields["head"] as? Digest),
      commitment: try #require(run.opening.commitment).leafHash,
      logOrigin: try #require(fields["origin"] as? String),
      proverKey: try TestRun.digest(of: run.key),
      recordCount: try #require(fields["count"] as? Int),
      step: try #require(fields["step"] as? Int))
  }

  private func log(_ statement: AnchorStatement, by key: SigningKey? = nil) throws {
    try run.log(statement.encoded, by: key ?? run.key)
  }

  private func refuted(_ what: String) throws {
    try run.publish()
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.answer == .refuted, "\(verdict.summary)")
    #expect(verdict.decisive?.name == .anchors)
    #expect(verdict.decisive?.code == "anchor")
    #expect(verdict.decisive?.evidence.first?.contains(what) == true, "\(verdict.summary)")
    let blind = try Judge(isFull: false, disabled: [.anchors]).verdict(run)
    #expect(blind.answer == .verified, "\(blind.summary)")
  }

  @Test("anchors of this chain are counted, with what they span") func honest() throws {
    for record in [1, 21, 41] { try log(anchor(record)) }
    try run.publish()
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    let evidence = verdict[.anchors]?.evidence ?? []
    #expect(evidence.first?.hasPrefix("42 of 82 records (to step 120)") == true, "\(evidence)")
    #expect(
      evidence.last
        == "3 anchors, entries 2 to 4, under 3 published heads; the first covers 2 records"
    )
  }

  @Test("without anchors nothing is checked") func none() throws {
    try run.publish()
    #expect(try Judge(isFull: false).verdict(run)[.anchors]?.status == .notChecked)
  }

  @Test("an archive that was written anew after an anchor is refuted") func rewritten() throws {
    try log(anchor(40) { $0["head"] = SHA256.hash([1]) })
    try refuted("another record 40")
  }

  @Test("an archive that was begun anew on the same commitment is refuted") func begunAnew() throws
  {
    try log(anchor(40) { $0["id"] = SHA256.hash([2]) })
    try refuted("another archive")
  }

  @Test("a run with fewer records than were anchored is refuted") func cutShort() throws {
    try log(anchor(40) { $0["count"] = 83 })
    try refuted("83 records")
  }

  @Test("an anchor that names another step for a record is refuted") func otherStep() throws {
    try log(anchor(40) { $0["step"] = 120 })
    try refuted("step 120")
  }

  @Test("anchors of another run, pasted onto this commitment, are refuted") func pasted() throws {
    var plan = RunPlan(name: "other")
    plan.learningRate = "0.04"
    let other = try TestRun(plan, in: run.scratch, on: run.ledger, publishes: false)
    let rows = try other.reader().index.rows
    try log(anchor(20) { $0["head"] = rows[20].hash })
    try refuted("another record 20")
  }

  @Test("anchors on another commitment say nothing of this run") func otherRuns() throws {
    run.ledger.admission = .everything
    var plan = RunPlan(name: "other")
    plan.learningRate = "0.04"
    let other = try TestRun(plan, in: run.scratch, on: run.ledger, publishes: false)
    let own = try anchor(20)
    let statement = AnchorStatement(
      archiveID: own.archiveID, chainHead: SHA256.hash([3]),
      commitment: try #require(other.opening.commitment).leafHash, logOrigin: own.logOrigin,
      proverKey: own.proverKey, recordCount: 21, step: 60)
    try log(statement)
    try run.publish()
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict[.anchors]?.status == .notChecked)
  }

  @Test("anchors in another order, or all at once, gain nothing") func reordered() throws {
    // Heads exchanged between two places.
    let (late, early) = (try anchor(60), try anchor(20))
    let entries = try [late, early].map { try LedgerEntry.signed($0.encoded, by: run.key) }
    _ = try run.ledger.append(entries)
    try run.publish()
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    let evidence = verdict[.anchors]?.evidence ?? []
    #expect(evidence.first?.hasPrefix("61 of 82 records") == true, "\(evidence)")
    #expect(evidence.last?.contains("under 1 published head: they say nothing") == true)
  }

  @Test("heads exchanged between two anchors are refuted") func exchanged() throws {
    let rows = try run.reader().index.rows
    try log(anchor(20) { $0["head"] = rows[60].hash })
    try log(anchor(60) { $0["head"] = rows[20].hash })
    try refuted("another record 20")
  }

  @Test(
    "a false anchor under another key, for another log, or after the proof harms nobody",
    arguments: ["key", "origin", "late"])
  func harmless(fault: String) throws {
    run.ledger.admission = .everything
    let thief = try RunPlan(name: "thief").key
    var statement = try anchor(40) {
      $0["head"] = SHA256.hash([1])
      if fault == "origin" { $0["origin"] = "example.org/other" }
    }
    if fault == "key" {
      statement = AnchorStatement(
        archiveID: statement.archiveID, chainHead: statement.chainHead,
        commitment: statement.commitment, logOrigin: statement.logOrigin,
        proverKey: try TestRun.digest(of: thief), recordCount: 41, step: statement.step)
    }
    if fault == "late" { try run.publish() }
    try log(statement, by: fault == "key" ? thief : nil)
    if fault != "late" { try run.publish() }
    let verdict = try Judge(isFull: false).verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict[.anchors]?.status == .notChecked)
  }
}
