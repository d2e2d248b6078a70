import Glibc

/// The time of day for the journal, UTC: outside of everything that is hashed.
func wallClockTime() -> String { clockText(Int64(time(nil))) }

/// Seconds since 1970, as a date and time of day, UTC.
func clockText(_ seconds: Int64) -> String {
  var now = time_t(seconds)
  var parts = tm()
  // A year that no calendar has.
  guard gmtime_r(&now, &parts) != nil else { return "\(seconds) s after 1970" }
  var text = [CChar](repeating: 0, count: 32)
  let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
  return String(decoding: text[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
