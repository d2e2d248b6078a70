/// A byte count for people, with three digits: `1.23 MiB`.
func byteText(_ count: Int) -> String {
  guard count >= 1024 else { return "\(count) B" }
  var value = Double(count)
  var unit = 0
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  while value >= 1024, unit + 1 < units.count {
    value /= 1024
    unit += 1
  }
  return "\(fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)) \(units[unit])"
}

/// A number with a fixed count of decimals, without a C library's locale.
func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return "\(value)" }
  var factor = 1.0
  for _ in 0..<decimals { factor *= 10 }
  let scaled = (abs(value) * factor).rounded()
  guard scaled < 9e15 else { return "\(value)" }
  let whole = Int(scaled)
  let sign = value < 0 && whole > 0 ? "-" : ""
  let unit = Int(factor)
  guard decimals > 0 else { return "\(sign)\(whole)" }
  let rest = String(whole % unit)
  return "\(sign)\(whole / unit)." + String(repeating: "0", count: decimals - rest.count) + rest
}

/// Four significant digits, with an exponent where the number is very small or large.
func brief(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return "\(value)" }
  let size = abs(value)
  if size >= 0.001, size < 100_000 { return fixed(value, size < 1 ? 5 : size < 100 ? 4 : 1) }
  var exponent = 0
  var mantissa = value
  while abs(mantissa) >= 10 {
    mantissa /= 10
    exponent += 1
  }
  while abs(mantissa) < 1 {
    mantissa *= 10
    exponent -= 1
  }
  return "\(fixed(mantissa, 3))e\(exponent)"
}

extension String {
  /// Cut or filled with spaces to `width` characters.
  func column(_ width: Int) -> String {
    if count > width { return String(prefix(max(0, width - 1))) + "…" }
    return self + String(repeating: " ", count: width - count)
  }

  func rightColumn(_ width: Int) -> String {
    count >= width ? self : String(repeating: " ", count: width - count) + self
  }
}
