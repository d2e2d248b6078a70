import Glibc

/// One line on standard error that shows how far long work is; nothing when that is no terminal.
final class ProgressBar {
  private let title: String
  private let isShown = StandardStream.error.isTerminal
  private let clock = ContinuousClock()
  private var lastDraw: ContinuousClock.Instant?
  private var isDrawn = false
  private static let barWidth = 30
  private static let lineWidth = 79

  init(_ title: String) { self.title = title }

  /// - Parameter fraction: From 0 to 1.
  func show(_ fraction: Double, _ note: @autoclosure () -> String = "") {
    guard isShown else { return }
    let now = clock.now
    // Ten times a second is what an eye follows; more only costs the work its time.
    if let lastDraw, now - lastDraw < .milliseconds(100) { return }
    lastDraw = now
    isDrawn = true
    let share = min(1, max(0, fraction.isFinite ? fraction : 0))
    let full = Int(share * Double(ProgressBar.barWidth))
    let bar =
      String(repeating: "#", count: full)
      + String(repeating: ".", count: ProgressBar.barWidth - full)
    let percent = String(Int(share * 100))
    let line = "\(title) [\(bar)] \(percent)% \(note())"
    StandardStream.error.write("\r\(line.prefix(ProgressBar.lineWidth))\u{1b}[K")
  }

  /// Takes the line away.
  func finish() {
    if isDrawn { StandardStream.error.write("\r\u{1b}[K") }
    isDrawn = false
  }
}
