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
    var lines: [String] = []
    func family(_ name: String, _ type: String, _ help: String) {
      lines.append("# HELP pol_ledger_\(name) \(help)")
      lines.append("# TYPE pol_ledger_\(name) \(type)")
    }
    func sample(_ name: String, _ value: UInt64) { lines.append("pol_ledger_\(name) \(value)") }
    for gauge in gauges {
      family(gauge.name, "gauge", gauge.help)
      sample(gauge.name, gauge.value)
    }
    family("adds_total", "counter", "Additions, by how they ended.")
    for result in AddResult.allCases {
      sample("adds_total{result=\"\(result.rawValue)\"}", values.adds[result] ?? 0)
    }
    family("batches_total", "counter", "Published batches.")
    sample("batches_total", values.batches)
    family("batch_entries_total", "counter", "Additions in published batches.")
    sample("batch_entries_total", values.batchEntries)
    family("responses_total", "counter", "Answers, by class of status.")
    for digit in 2...5 { sample("responses_total{class=\"\(digit)xx\"}", values.responses[digit]) }
    family("connections_refused_total", "counter", "Connections closed at once: too many.")
    sample("connections_refused_total", values.refusedConnections)
    family("connections_cut_total", "counter", "Connections closed on a peer, by limit.")
    for cut in Cut.allCases {
      sample("connections_cut_total{reason=\"\(cut.rawValue)\"}", values.cuts[cut] ?? 0)
    }
    for (name, help, histogram) in [
      ("add_seconds", "From the whole body of an addition to its answer.", values.addSeconds),
      ("publish_seconds", "From taking a batch to its published head.", values.publishSeconds),
    ] {
      family(name, "histogram", help)
      var total: UInt64 = 0
      for (bound, count) in zip(ServiceMetrics.bounds, histogram.counts) {
        total += count
        sample("\(name)_bucket{le=\"\(bound)\"}", total)
      }
      total += histogram.counts.last ?? 0
      sample("\(name)_bucket{le=\"+Inf\"}", total)
      lines.append("pol_ledger_\(name)_sum \(histogram.sum)")
      sample("\(name)_count", total)
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
