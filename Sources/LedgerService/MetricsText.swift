/// Prometheus' text format, version 0.0.4, a family at a time.
struct MetricsText {
  static let type = "text/plain; version=0.0.4; charset=utf-8"

  /// What all names begin with.
  let prefix: String
  private var lines: [String] = []

  init(prefix: String) { self.prefix = prefix }

  var whole: String { lines.joined(separator: "\n") + "\n" }

  mutating func gauge(_ name: String, _ help: String, _ value: UInt64) {
    family(name, "gauge", help)
    sample(name, value)
  }

  mutating func gauge(
    _ name: String, _ help: String, by label: String, _ values: [(String, UInt64)]
  ) {
    family(name, "gauge", help)
    for (text, value) in values { sample("\(name){\(MetricsText.label(label, text))}", value) }
  }

  mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
    family(name, "counter", help)
    sample(name, value)
  }

  mutating func counter(
    _ name: String, _ help: String, by label: String, _ values: [(String, UInt64)]
  ) {
    counter(name, help, values.map { (MetricsText.label(label, $0), $1) })
  }

  /// - Parameter samples: Labels as `label` writes them, separated by commas.
  mutating func counter(_ name: String, _ help: String, _ samples: [(labels: String, UInt64)]) {
    family(name, "counter", help)
    for (labels, value) in samples { sample("\(name){\(labels)}", value) }
  }

  mutating func histogram(_ name: String, _ help: String, _ histogram: ServiceMetrics.Histogram) {
    family(name, "histogram", help)
    var total: UInt64 = 0
    for (bound, count) in zip(ServiceMetrics.bounds, histogram.counts) {
      total += count
      sample("\(name)_bucket{le=\"\(bound)\"}", total)
    }
    total += histogram.counts.last ?? 0
    sample("\(name)_bucket{le=\"+Inf\"}", total)
    lines.append("\(prefix)_\(name)_sum \(histogram.sum)")
    sample("\(name)_count", total)
  }

  /// One label; its value may be anybody's text.
  static func label(_ name: String, _ value: String) -> String {
    let escaped = value.reduce(into: "") { text, character in
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
    return "\(name)=\"\(escaped)\""
  }

  private mutating func family(_ name: String, _ type: String, _ help: String) {
    lines.append("# HELP \(prefix)_\(name) \(help)")
    lines.append("# TYPE \(prefix)_\(name) \(type)")
  }

  private mutating func sample(_ name: String, _ value: UInt64) {
    lines.append("\(prefix)_\(name) \(value)")
  }
}
