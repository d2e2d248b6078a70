import NIOCore

/// Who is limited together: an IPv4 address, or the /64 of an IPv6 one, which is what one customer
/// gets.
struct ClientAddress: Hashable, Sendable {
  /// Big-endian bytes as a number; IPv4 ones have a bit that no /64 of them has.
  private let high: UInt64
  private let isIPv4: Bool

  init(_ address: SocketAddress?) {
    // As the kernel has them: an IPv4 address stands at byte 4 of its structure, an IPv6 one at 8.
    let bytes = address?.withSockAddr { Array(UnsafeRawBufferPointer(start: $0, count: $1)) } ?? []
    switch address {
    case .v4 where bytes.count >= 8:
      self.init(ipv4: bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) })
    case .v6 where bytes.count >= 24: self.init(ipv6: Array(bytes[8..<24]))
    default: self.init(ipv4: 0)
    }
  }

  init(ipv4: UInt32) {
    high = UInt64(ipv4)
    isIPv4 = true
  }

  /// - Parameter bytes: 16; an IPv4 address in IPv6 clothes counts as that.
  init(ipv6 bytes: [UInt8]) {
    func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    if number(bytes[..<8]) == 0, number(bytes[8..<12]) == 0xffff {
      high = number(bytes[12...])
      isIPv4 = true
    } else {
      high = number(bytes[..<8])
      isIPv4 = false
    }
  }
}
