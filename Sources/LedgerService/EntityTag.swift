import Cryptography
import ProofPrimitives

/// A strong entity tag (RFC 9110 §8.8.3), with its quotes.
struct EntityTag: Hashable, Sendable, CustomStringConvertible {
  let description: String

  /// Of bytes that are at hand.
  init(of bytes: [UInt8]) { self.init(SHA256.hash(bytes)) }

  /// Of a file that never changes: the log's key and the path name its bytes for ever.
  init(path: String, verifierKey: String) {
    self.init(SHA256.hash(Array("\(verifierKey)\n\(path)".utf8)))
  }

  /// Of a file that only grows.
  init(growingTo byteCount: Int) { description = "\"\(byteCount)\"" }

  private init(_ digest: Digest) { description = "\"\(digest.hex.prefix(32))\"" }

  private init(_ text: String) { description = text }

  /// Of another form of the same thing, which has other bytes.
  func with(coding: String) -> EntityTag {
    EntityTag(String(description.dropLast()) + "-\(coding)\"")
  }

  /// Whether an `If-None-Match` names this tag: weak comparison, or any by `*`.
  func isListed(in field: String?) -> Bool {
    EntityTag.tags(field).contains { $0 == "*" || $0 == description || $0 == "W/\(description)" }
  }

  /// Whether an `If-Match` names this tag: strong comparison, or any by `*`.
  func isStronglyListed(in field: String) -> Bool {
    EntityTag.tags(field).contains { $0 == "*" || $0 == description }
  }

  /// Whether an `If-Range` is exactly this tag. Dates never are.
  func allowsRange(_ ifRange: String?) -> Bool {
    guard let ifRange else { return true }
    return EntityTag.tags(ifRange) == [description]
  }

  /// Tags in the order given. No tag of this service holds a comma, so nothing is lost in splitting.
  private static func tags(_ field: String?) -> [String] {
    (field ?? "").split(separator: ",").map { tag in
      String(
        tag.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }
          .reversed())
    }
  }
}
