import Synchronization

/// Who is connected: how many in all, and how many from each address.
final class ConnectionRegister: Sendable {
  private struct State {
    var total = 0
    var byAddress: [ClientAddress: Int] = [:]
  }

  private let limit: Int
  private let perAddress: Int
  private let state = Mutex(State())

  init(limit: Int, perAddress: Int) {
    self.limit = limit
    self.perAddress = perAddress
  }

  var count: Int { state.withLock { $0.total } }

  /// Takes a place, or answers false. Whoever took one calls `leave` once.
  func enter(_ address: ClientAddress) -> Bool {
    state.withLock { state in
      let mine = state.byAddress[address] ?? 0
      guard state.total < limit, mine < perAddress else { return false }
      state.total += 1
      state.byAddress[address] = mine + 1
      return true
    }
  }

  func leave(_ address: ClientAddress) {
    state.withLock { state in
      let mine = state.byAddress[address] ?? 0
      state.total -= 1
      state.byAddress[address] = mine > 1 ? mine - 1 : nil
    }
  }
}
