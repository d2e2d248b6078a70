/// A rate for each of many strangers, in bounded memory.
///
/// Whoever was forgotten starts with a full bucket: what that gives away is what `limit` strangers at
/// once could take anyhow.
struct TokenBuckets<Key: Hashable & Sendable>: Sendable {
  private struct Bucket {
    var tokens: Double
    var seconds: Double
  }

  let perSecond: Double
  let burst: Double
  private let generation: Int
  /// Two generations: the older one goes as a whole when the newer one is full.
  private var recent: [Key: Bucket] = [:]
  private var older: [Key: Bucket] = [:]

  /// - Parameters:
  ///   - perSecond: 0 is no limit. Ten times as many may come at once.
  ///   - limit: Keys that are remembered, at most.
  init(perSecond: Int, limit: Int = 65_536) {
    self.perSecond = Double(perSecond)
    burst = Double(perSecond) * 10
    generation = limit / 2
  }

  var count: Int { recent.count + older.count }

  /// Takes one, or says after how many seconds there will be one.
  ///
  /// - Parameter now: Seconds of any clock that does not go back.
  mutating func take(_ key: Key, now: Double) -> Int? {
    guard perSecond > 0 else { return nil }
    var bucket =
      recent[key] ?? older.removeValue(forKey: key) ?? Bucket(tokens: burst, seconds: now)
    bucket.tokens = min(burst, bucket.tokens + max(0, now - bucket.seconds) * perSecond)
    bucket.seconds = now
    let isTaken = bucket.tokens >= 1
    if isTaken { bucket.tokens -= 1 }
    if recent[key] == nil, recent.count >= generation {
      older = recent
      recent = [:]
    }
    recent[key] = bucket
    return isTaken ? nil : max(1, Int(((1 - bucket.tokens) / perSecond).rounded(.up)))
  }
}
