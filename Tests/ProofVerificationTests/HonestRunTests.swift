import ChunkStorage
import Foundation
import ProofPrimitives
import ProofTestSupport
import Testing
import TransparencyLedger

@testable import ProofArchive
@testable import ProofVerification

@Suite("An honest run") struct HonestRunTests {
  @Test("is verified in full, with derived randomness")
  func full() throws {
    let run = try TestRun()
    var judge = Judge()
    judge.change = { $0.receipt = run.receipt }
    let verdict = try judge.verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(verdict.answer.exitStatus == 0)
    #expect(verdict.assurance == .derived)
    // Nobody anchored it.
    #expect(verdict.checks.allSatisfy { ($0.name == .anchors) != ($0.status == .passed) })
    #expect(verdict.coverage.executedSegments == Array(0..<80))
    #expect(verdict.coverage.executedSteps == 240)
    #expect(verdict.coverage.probability == 1)
    #expect(verdict.coverage.isFull)
    // Learnable, or the accuracy cheats would prove nothing.
    let claim = try #require(try run.reader().claims()?["heldOut"]?["correct"]?.countValue)
    #expect((10..<24).contains(claim), "\(claim) of 24 are right")
  }

  @Test("is verified by sampling, executing exactly what was drawn", arguments: 0..<5)
  func sampled(nonce: Int) throws {
    let run = try TestRun()
    let verdict = try Judge(isFull: false, nonceNumber: nonce).verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    let seal = try #require(try run.reader().seal)
    let chosen = Judge.chosen(seal, nonce: nonce)
    let coverage = verdict.coverage
    #expect(coverage.executedSegments == chosen.all.sorted())
    #expect(coverage.segments == 80)
    #expect(coverage.drawn == chosen.drawn.count)
    #expect(coverage.targeted == chosen.all.count - chosen.drawn.count)
    #expect(coverage.executedSteps == 3 * chosen.all.count)
    #expect(coverage.trainedSteps == 240)
    #expect(coverage.forgedSegments == 4)
    #expect(abs(coverage.forgedStepShare - 0.05) < 1e-12)
    #expect(
      coverage.probability
        == SegmentDraw.probability(segments: 80, forged: 4, drawn: chosen.drawn.count))
    #expect(coverage.probability >= Judge.confidence.value)
    #expect(coverage.bytesFetched < coverage.archiveBytes)
    // The same nonce draws the same for everybody.
    let again = try Judge(isFull: false, nonceNumber: nonce).verdict(run)
    #expect(again.coverage.executedSegments == coverage.executedSegments)
    #expect(again.json.encoded == verdict.json.encoded)
  }

  @Test("the default draw adds the largest and smallest updates")
  func targeted() throws {
    let run = try TestRun()
    var judge = Judge(isFull: false)
    judge.change = {
      $0.largest = 8
      $0.smallest = 4
    }
    let verdict = try judge.verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    let sizes = try run.reader().normsTable().rows.map(\.norms.relativeSize)
    let wanted = SegmentDraw.targeted(relativeSizes: sizes, largest: 8, smallest: 4)
    #expect(wanted.count >= 8)
    #expect(Set(verdict.coverage.executedSegments).isSuperset(of: wanted))
  }

  @Test("over HTTP, only what is sampled is fetched, and never an end state")
  func http() throws {
    let run = try TestRun()
    guard NginxServer.program != nil else { return }
    let server = try NginxServer(serving: run.scratch.path)
    let judge = Judge(isFull: false, nonceNumber: 3)
    let source = try openObjectSource("\(server.url)/owner.pol")
    let remote = try judge.verdict(
      source,
      try TransparencyLedgerOverHTTP.view(
        "\(server.url)/log", key: run.ledger.verifierKey))
    let local = try judge.verdict(run)
    #expect(remote.answer == .verified, "\(remote.summary)")
    #expect(remote.coverage.executedSegments == local.coverage.executedSegments)
    #expect(remote.coverage.bytesFetched == local.coverage.bytesFetched)
    #expect(remote.coverage.bytesFetched == source.transfer.bytes)
    #expect(remote.coverage.bytesFetched < remote.coverage.archiveBytes)
  }

  @Test("the end state of a segment that was not sampled as a start is never read")
  func endStateUntouched() throws {
    // Every chunk of the last checkpoint destroyed: a verifier that fetched it would see damage.
    let run = try TestRun()
    let reader = try run.reader()
    let last = try reader.checkpoint(reader.index.rows.count - 1)
    let index = try PackIndex(parsing: try readFile("\(run.archive)/packs/00000000.index"))
    var pack = try readFile("\(run.archive)/packs/00000000.pack")
    for chunk in last.chunks {
      let id = PackWriter.storedID(of: chunk, in: run.opening.archiveID)
      let row = try #require(index.rows.first { $0.storedID == id })
      for byte in row.offset..<row.offset + row.byteCount { pack[byte] ^= 0x55 }
    }
    try writeFile(pack, "\(run.archive)/packs/00000000.pack")
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    #expect(try !ArchiveChecker.check(run.archive).isWhole)
  }

  @Test("without a ledger the start is not proved")
  func withoutLedger() throws {
    var plan = RunPlan()
    plan.usesLedger = false
    let run = try TestRun(plan)
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == .undecided)
    #expect(verdict.answer.exitStatus == 1)
    #expect(verdict.decisive?.name == .start)
    #expect(verdict.decisive?.code == "unproved")
    #expect(verdict.assurance == .signed)
    #expect(verdict[.segments]?.status == .passed)
    var judge = Judge()
    judge.change = { $0.acceptsUnprovedStart = true }
    let accepted = try judge.verdict(run)
    #expect(accepted.answer == .verified, "\(accepted.summary)")
    #expect(accepted.assurance == .signed)
  }

  @Test("a ledger it does not stand on cannot decide")
  func unpublished() throws {
    let run = try TestRun(publishes: false)
    let verdict = try Judge().verdict(run)
    #expect(verdict.answer == .undecided)
    #expect(verdict.decisive?.code == "notPublished")
    let blind = try Judge(disabled: [.ledgerInclusion]).verdict(run)
    #expect(blind.answer == .verified, "\(blind.summary)")
  }

  @Test("the model file is compared with the last checkpoint")
  func model() throws {
    let run = try TestRun()
    let reader = try run.reader()
    let final = try reader.state(reader.index.rows.count - 1, roles: [.weight, .buffer])
    var judge = Judge(isFull: false)
    judge.change = { $0.model = final.tensors }
    let verdict = try judge.verdict(run)
    #expect(verdict.answer == .verified, "\(verdict.summary)")
    var other = final.tensors
    other[0].bytes[0] ^= 1
    judge.change = { $0.model = other }
    let refuted = try judge.verdict(run)
    #expect(refuted.answer == .refuted)
    #expect(refuted.decisive?.name == .model)
  }
}
