import MerkleTrees
import Testing
import TransparencyLedger

@testable import LedgerService

@Suite("Serving a witness, and asking some (witness.md §4, §7)") struct WitnessServingTests {
  @Test("a witness has three paths and one a log, each in one spelling") func paths() {
    let hash = String(repeating: "0a", count: 32)
    typealias Path = WitnessResponder.Path
    #expect(Path(target: "/add-checkpoint") == .addCheckpoint)
    #expect(Path(target: "/add-checkpoint?x") == .addCheckpoint)
    #expect(Path(target: "/healthz") == .health && Path(target: "/metrics") == .metrics)
    #expect(Path(target: "/\(hash)/checkpoint") == .head(hash))
    for target in [
      "", "/", "add-checkpoint", "//add-checkpoint", "/add-checkpoint/", "/\(hash)", "/\(hash)/",
      "/\(hash)/checkpoint/", "/\(hash.uppercased())/checkpoint", "/\(hash)0/checkpoint",
      "/x/\(hash)/checkpoint", "http://a/add-checkpoint", "/%61dd-checkpoint",
    ] { #expect(Path(target: target) == nil, "\(target)") }
  }

  @Test("a label holds any text") func labels() {
    #expect(MetricsText.label("witness", #"a"\b"#) == #"witness="a\"\\b""#)
    #expect(MetricsText.label("witness", "a\nb") == #"witness="a\nb""#)
  }

  @Test("a head that waits for witnesses for too long is stale, without anybody waiting for it")
  func staleHead() {
    var status = Sequencer.Status(size: 5, lastPublished: 0)
    func verdict(now: Double) -> ServiceHealth.Verdict {
      ServiceHealth(status, staleAfterSeconds: 30, now: now).verdict
    }
    #expect(verdict(now: 1000) == .ok)
    status.unpublishedSince = 100
    #expect(verdict(now: 129) == .ok && verdict(now: 131) == .stale)
    status.oldestWaiting = 120
    #expect(verdict(now: 131) == .stale)
    status.unpublishedSince = nil
    #expect(verdict(now: 149) == .ok && verdict(now: 151) == .stale)
  }

  @Test("a policy whose quorum has too few URLs, or one that is none, is refused at the start")
  func addresses() throws {
    func rounds(_ urls: [String]) -> String {
      let keys = [
        "witness.example/north+6a45e279+BNBKsjJ0K7SrOhNovUYV5ObQIkq3GgFrr4UgozLJd4c3",
        "witness.example/south+9d13cee8+BCBAQONkwQ8r7Jwf5QChzUwkfInWUKAe1+gsq6hnh3wh",
      ]
      let lines = zip(keys, urls).enumerated().map { "witness w\($0) \($1.0) \($1.1)\n" }
      let text = lines.joined() + "group g 1 w0 w1\nquorum g\n"
      do {
        let policy = try LedgerPolicy(parsing: Array(text.utf8))
        _ = try CosigningRounds(policy, lastSize: .zero) { _ in }
        return "none"
      } catch {
        return error.code.name
      }
    }
    #expect(rounds(["http://127.0.0.1:1", ""]) == "none")
    #expect(rounds(["", ""]) == "quorumMissing")
    #expect(rounds(["ftp://127.0.0.1", "http://127.0.0.1:1"]) == "badPolicy")
  }
}
