import NIOCore
import Testing

@testable import LedgerService

@Suite("Quotas (ledger-service.md §9)") struct TokenBucketTests {
  @Test("ten seconds' worth at once, then the rate") func rate() {
    var buckets = TokenBuckets<Int>(perSecond: 2)
    for _ in 0..<20 { #expect(buckets.take(1, now: 0) == nil) }
    #expect(buckets.take(1, now: 0) == 1)
    #expect(buckets.take(2, now: 0) == nil)
    #expect(buckets.take(1, now: 0.5) == nil)
    #expect(buckets.take(1, now: 0.5) == 1)
    // A clock that went back gives nothing.
    #expect(buckets.take(1, now: 0) == 1)
  }

  @Test("zero is no limit") func unlimited() {
    var buckets = TokenBuckets<Int>(perSecond: 0)
    for _ in 0..<1000 { #expect(buckets.take(1, now: 0) == nil) }
    #expect(buckets.count == 0)
  }

  @Test("strangers without end take no more memory; one that stays is remembered") func bounded() {
    var buckets = TokenBuckets<Int>(perSecond: 1, limit: 100)
    for _ in 0..<10 { _ = buckets.take(-1, now: 0) }
    for key in 0..<10_000 {
      _ = buckets.take(key, now: 0)
      if key % 20 == 0 { #expect(buckets.take(-1, now: 0) != nil) }
      #expect(buckets.count <= 100)
    }
  }
}

@Suite("Client addresses (ledger-service.md §9)") struct ClientAddressTests {
  @Test("IPv6 counts by /64, and IPv4 in IPv6 as IPv4") func groups() throws {
    func address(_ text: String) throws -> ClientAddress {
      ClientAddress(try SocketAddress(ipAddress: text, port: 1))
    }
    #expect(try address("10.0.0.1") == ClientAddress(ipv4: 0x0a00_0001))
    #expect(try address("10.0.0.1") != address("10.0.0.2"))
    #expect(try address("::ffff:10.0.0.1") == address("10.0.0.1"))
    #expect(try address("2001:db8::1") == address("2001:db8::ffff:1"))
    #expect(try address("2001:db8::1") != address("2001:db8:0:1::1"))
    #expect(try address("::1") != address("0.0.0.0"))
  }
}

@Suite("Places for connections (ledger-service.md §9)") struct ConnectionRegisterTests {
  @Test("an address takes its own places only, and gives them back") func places() {
    let register = ConnectionRegister(limit: 5, perAddress: 3)
    let (one, two) = (ClientAddress(ipv4: 1), ClientAddress(ipv4: 2))
    for _ in 0..<3 { #expect(register.enter(one)) }
    #expect(!register.enter(one))
    #expect(register.enter(two))
    #expect(register.enter(two))
    #expect(!register.enter(two))
    register.leave(one)
    #expect(register.count == 4)
    #expect(register.enter(two))
  }
}

@Suite("Health (ledger-service.md §8)") struct ServiceHealthTests {
  private func verdict(
    oldest: Double?, published: Double, stopped: Bool = false
  ) -> ServiceHealth.Verdict {
    ServiceHealth(
      Sequencer.Status(
        size: 1, isStopped: stopped, oldestWaiting: oldest, lastPublished: published),
      staleAfterSeconds: 30, now: 100
    ).verdict
  }

  @Test("a head is stale only if an entry waits for it") func stale() {
    #expect(verdict(oldest: nil, published: 0) == .ok)
    #expect(verdict(oldest: 99, published: 0) == .ok)
    #expect(verdict(oldest: 69, published: 0) == .stale)
    #expect(verdict(oldest: 69, published: 90) == .ok)
    #expect(verdict(oldest: 70, published: 0) == .ok)
    #expect(verdict(oldest: nil, published: 0, stopped: true) == .stopped)
    #expect(ServiceHealth(nil, staleAfterSeconds: 30, now: 0).verdict == .ok)
  }
}

@Suite("gzip forms (ledger-service.md §4)") struct BundleCompressionTests {
  private func bundle(
    _ compression: BundleCompression, _ path: String, count: Int = 1000
  ) -> CompressedBundle? {
    compression.bundle(path: path, byteCount: count) {
      () throws(Never) in (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    }
  }

  @Test("the bytes are the same each time, and gzip") func stable() throws {
    let one = try #require(bundle(BundleCompression(), "a"))
    #expect(try #require(bundle(BundleCompression(), "a")).bytes == one.bytes)
    #expect(one.bytes.starts(with: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]))
  }

  @Test("memory is counted while a form is held, and refused beyond") func memory() throws {
    let size = try #require(bundle(BundleCompression(), "a")).bytes.count
    let compression = BundleCompression(memoryLimit: size * 2, cacheLimit: size)
    var held = [try #require(bundle(compression, "a")), try #require(bundle(compression, "b"))]
    #expect(bundle(compression, "c") == nil)
    #expect(compression.usedByteCount == size * 2)
    held.removeAll()
    // The newest stays in the cache.
    #expect(compression.usedByteCount == size)
    #expect(bundle(compression, "c") != nil)
  }

  @Test("a bundle above the limit has no gzip form") func large() {
    #expect(bundle(BundleCompression(), "a", count: ServiceLimits.gzipInputByteCount + 1) == nil)
  }
}
