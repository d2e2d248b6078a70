import Glibc
import Synchronization

/// SIGINT and SIGTERM as a question that a loop asks. The second of a kind ends the process at once.
enum Interruption {
  private static let received = Atomic<Int32>(0)

  static func watch() {
    // Before a handler can run: the first use of a static would make it, and that takes a lock.
    received.store(0, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { Interruption.note($0) }
      // Restarted, so that no write to the archive is cut short by the signal.
      action.sa_flags = SA_RESTART | Int32(truncatingIfNeeded: SA_RESETHAND)
      sigaction(number, &action, nil)
    }
  }

  private static func note(_ number: Int32) { received.store(number, ordering: .relaxed) }

  /// The signal that came; nil when none did.
  static var signalNumber: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// What a shell reports for a process that a signal ended.
  static func exitStatus(_ number: Int32) -> Int32 { 128 + number }
}
