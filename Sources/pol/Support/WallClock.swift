import Glibc

/// The time of day for the journal, UTC: outside of everything that is hashed.
func wallClockTime() -> String {
  var now = time(nil)
  var parts = tm()
  gmtime_r(&now, &parts)
  var text = [CChar](repeating: 0, count: 32)
  let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
  return String(decoding: text[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
