import ChunkStorage
import MerkleTrees
import NIOPosix
import ProofPrimitives
import Synchronization
import TransparencyLedger

/// One witness of a log's policy, asked over HTTP. One question is open at a time, on a thread that may
/// wait for it.
final class WitnessClient: Sendable {
  /// How a question ended.
  enum Result: String, CaseIterable { case cosigned, refused, unreachable }

  struct Status: Sendable {
    /// What it last cosigned, as far as is known.
    var size: TreeSize
    var isCosigning = false
    var results: [Result: UInt64] = [:]
  }

  private struct State {
    var status: Status
    var isBusy = false
  }

  let position: Int
  let name: String
  private let post: HTTPPost
  private let state: Mutex<State>

  /// - Parameter lastSize: A guess at what it last cosigned: right, it saves one question.
  init(_ position: Int, in policy: LedgerPolicy, url: String, lastSize: TreeSize)
    throws(StorageError)
  {
    self.position = position
    name = printable(String(decoding: policy.witnesses[position].name, as: UTF8.self))
    post = try HTTPPost(
      url, path: "/add-checkpoint", onceWithin: .seconds(ServiceLimits.witnessSeconds))
    state = Mutex(State(status: Status(size: lastSize)))
  }

  var status: Status { state.withLock { $0.status } }

  /// Asks for a cosignature on a round's head.
  ///
  /// - Parameters:
  ///   - isOver: Nobody waits for the answer any more: no further question is sent.
  ///   - tell: Called once, from another thread, with a copy of the round that has the witness's line.
  func ask(
    _ round: CosigningRound, on threads: NIOThreadPool, isOver: @escaping @Sendable () -> Bool,
    tell: @escaping @Sendable (Swift.Result<CosigningRound, LedgerError>) -> Void
  ) {
    let isFree = state.withLock { state in
      defer { state.isBusy = true }
      return !state.isBusy
    }
    guard isFree else {
      tell(.failure(failure(.inputOutput, "it has not answered the last question")))
      return
    }
    threads.submit { _ in
      let found = self.gather(round, isOver: isOver)
      self.state.withLock { $0.isBusy = false }
      tell(found)
    }
  }

  private func gather(
    _ round: CosigningRound, isOver: () -> Bool
  ) -> Swift.Result<CosigningRound, LedgerError> {
    var own = round
    do throws(LedgerError) {
      _ = try own.ask(position, lastSize: status.size) { body throws(LedgerError) in
        guard !isOver() else { throw failure(.inputOutput, "it did not answer in time") }
        return try send(body)
      }
      state.withLock {
        $0.status.size = round.view.head.size
        $0.status.isCosigning = true
        $0.status.results[.cosigned, default: 0] += 1
      }
      return .success(own)
    } catch {
      let result: Result = error.code == .inputOutput ? .unreachable : .refused
      state.withLock {
        $0.status.isCosigning = false
        $0.status.results[result, default: 0] += 1
      }
      return .failure(error)
    }
  }

  private func send(_ body: [UInt8]) throws(LedgerError) -> WitnessAnswer {
    do throws(StorageError) {
      let answer = try post.send(
        body, type: WitnessAnswer.textType, accept: "*/*", limit: CosigningRound.answerByteLimit)
      return WitnessAnswer(status: answer.status, body: answer.body)
    } catch {
      throw failure(.inputOutput, error.message)
    }
  }

  private func failure(_ code: LedgerError.Code, _ message: String) -> LedgerError {
    LedgerError(code, message, remedy: "check that the witness runs, and its URL in the policy")
  }
}
