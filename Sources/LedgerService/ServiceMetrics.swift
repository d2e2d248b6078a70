import Synchronization

/// Counts since the start, and their text for Prometheus.
final class ServiceMetrics: Sendable {
  /// How an addition ended.
  enum AddResult: String, CaseIterable { case new, known, refused, limited, failed }
  /// Why a connection was closed on its peer.
  enum Cut: String, CaseIterable { case head, body, stall, ceiling, unread }

  /// Upper bounds in seconds. One published batch takes some fsyncs: milliseconds to seconds.
  static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  struct Histogram {
    var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    var sum = 0.0

    mutating func add(_ seconds: Double) {
      counts[bounds.firstIndex { seconds <= $0 } ?? bounds.count] += 1
      sum += seconds
    }
  }

  struct Values {
    var adds: [AddResult: UInt64] = [:]
    var cuts: [Cut: UInt64] = [:]
    /// By the first digit of the status.
    var responses = [UInt64](repeating: 0, count: 6)
    var refusedConnections: UInt64 = 0
    var batches: UInt64 = 0
    var batchEntries: UInt64 = 0
    var addSeconds = Histogram()
    var publishSeconds = Histogram()
  }

  private let values = Mutex(Values())

  func count(_ change: (inout Values) -> Void) { values.withLock { change(&$0) } }

  /// The text format, version 0.0.4.
  func text(_ gauges: [(name: String, help: String, value: UInt64)]) -> String {
    let values = values.withLock { $0 }
    var text = MetricsText(prefix: "pol_ledger")
    for gauge in gauges { text.gauge(gauge.name, gauge.help, gauge.value) }
    text.counter(
      "adds_total", "Additions, by how they ended.", by: "result",
      AddResult.allCases.map { ($0.rawValue, values.adds[$0] ?? 0) })
    text.counter("batches_total", "Published batches.", values.batches)
    text.counter("batch_entries_total", "Additions in published batches.", values.batchEntries)
    addConnections(to: &text)
    text.histogram(
      "add_seconds", "From the whole body of an addition to its answer.", values.addSeconds)
    text.histogram(
      "publish_seconds", "From taking a batch to its signed head.", values.publishSeconds)
    return text.whole
  }

  /// What every service counts: answers, and connections that were ended.
  func addConnections(to text: inout MetricsText) {
    let values = values.withLock { $0 }
    text.counter(
      "responses_total", "Answers, by class of status.", by: "class",
      (2...5).map { ("\($0)xx", values.responses[$0]) })
    text.counter(
      "connections_refused_total", "Connections closed at once: too many.",
      values.refusedConnections)
    text.counter(
      "connections_cut_total", "Connections closed on a peer, by limit.", by: "reason",
      Cut.allCases.map { ($0.rawValue, values.cuts[$0] ?? 0) })
  }
}
