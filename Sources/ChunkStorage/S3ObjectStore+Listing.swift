import CTransport
import ProofPrimitives

/// Names, a thousand at a time (Amazon S3 API Reference, `ListObjectsV2`).
extension S3ObjectStore {
  /// A million names: what an object table may hold.
  private static let pageLimit = 1050

  package func names() throws(StorageError) -> Set<String>? {
    var names: Set<String> = []
    let prefix = place.prefix.isEmpty ? "" : place.prefix + "/"
    var token: String?
    for _ in 0..<S3ObjectStore.pageLimit {
      guard let page = try page(prefix, token) else { return nil }
      for item in page.all("Contents") {
        // Keys are percent-encoded, so that XML can hold each of them.
        guard let key = item.first("Key").flatMap({ HTTPLocation.decode($0.text) }),
          key.hasPrefix(prefix)
        else { continue }
        names.insert(String(key.dropFirst(prefix.count)))
      }
      guard page.first("IsTruncated")?.text == "true" else { return names }
      guard let next = page.first("NextContinuationToken")?.text, next != token else { break }
      token = next
    }
    throw StorageError(
      .limit, at: printable(location, limit: 1000), "the listing of this prefix never ends",
      remedy: "choose a prefix of its own for each archive")
  }

  /// Nil where listing is not allowed or not known.
  private func page(_ prefix: String, _ token: String?) throws(StorageError) -> XMLElements? {
    var target = place.bucketTarget
    target.query = [("encoding-type", "url"), ("list-type", "2"), ("prefix", prefix)]
    if let token { target.query.append(("continuation-token", token)) }
    client.countRoundTrip()
    let answer = try client.ask(.whole(target, limit: S3ObjectStore.answerLimit))
    switch (answer.status, S3ErrorReply(answer.body)?.code) {
    case (200, nil):
      guard let list = XMLElements(answer.body).first("ListBucketResult") else { break }
      return list
    case (403, "AccessDenied"?), (405, _), (501, _): return nil
    default: break
    }
    throw client.unexpected(answer, target.url)
  }
}
