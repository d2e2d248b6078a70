import CTransport
import ProofPrimitives
import Synchronization

/// The objects below a URL, read from any static file server that knows ranges.
///
/// The server is a stranger: it can refuse, stall and lie about bytes, which digests then show, but it
/// cannot make a reader keep more than was asked for, wait for ever, follow it elsewhere, or print to
/// the terminal. One request after another goes over one kept connection; `readTogether` and threads
/// that share a source use up to eight.
package final class HTTPObjectSource: ObjectSource {
  package let location: String
  private let client: HTTPClient
  private let wholes = WholeAnswers()
  private let notice: SourceNotice

  /// Connects to nothing yet. A slash at the end of the URL makes no difference.
  /// - Throws: `.malformed` for a URL with credentials, a query or a fragment, or one that is none.
  package convenience init(
    _ url: String, notice: @escaping SourceNotice = { _ in }
  ) throws(StorageError) {
    try self.init(url, patience: HTTPPatience(), notice: notice)
  }

  convenience init(
    _ url: String, patience: HTTPPatience, notice: @escaping SourceNotice = { _ in }
  ) throws(StorageError) {
    self.init(try HTTPClient(try HTTPLocation(url), patience: patience), notice: notice)
  }

  init(_ client: HTTPClient, notice: @escaping SourceNotice = { _ in }) {
    self.client = client
    self.notice = notice
    location = client.server.base
  }

  package var transfer: TransferCount { client.transfer }
  package var ignoresRanges: Bool { wholes.isIgnoring }

  /// Asks with HEAD, or for the first byte where HEAD is refused or tells no size.
  package func byteCount(of name: String) throws(StorageError) -> Int? {
    let target = try self.target(name)
    let url = target.url
    client.countRoundTrip()
    let answer = try client.ask(.head(target))
    switch answer.status {
    case 404, 410: return nil
    case 200:
      if let byteCount = answer.contentByteCount { return byteCount }
    case 400, 403, 405, 501: break
    default: throw client.unexpected(answer, url)
    }

    client.countRoundTrip()
    let probe = try client.ask(.range(target, 0..<1))
    switch probe.status {
    case 404, 410: return nil
    case 200 where probe.contentRange.isEmpty:
      return try wholeForPart(probe, name, 0..<1, url).count
    case 200, 206, 416:
      guard let total = HTTPContentRange(probe.contentRange)?.total else {
        throw badRange(probe, url)
      }
      return total
    default: throw client.unexpected(probe, url)
    }
  }

  package func read(_ name: String, range: Range<Int>) throws(StorageError) -> [UInt8] {
    client.countRoundTrip()
    return try answer(name, range)
  }

  package func readWhole(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    client.countRoundTrip()
    return try answer(name, limit: limit)
  }

  /// Up to `HTTPConnections.keptLimit` requests are on their way at a time. A fault of one is asked
  /// again by itself; one that lasts ends them all.
  package func readTogether(_ requests: [ObjectRequest]) throws(StorageError) -> [[UInt8]?] {
    guard !requests.isEmpty else { return [] }
    client.countRoundTrip()
    let answers = Mutex([[UInt8]?](repeating: nil, count: requests.count))
    let width = HTTPConnections.keptLimit
    try ConcurrentWork.run(requests.count, width: width) { number, _ throws(StorageError) in
      let request = requests[number]
      let bytes: [UInt8]?
      switch request.part {
      case .whole(let limit): bytes = try self.answer(request.name, limit: limit)
      case .range(let range): bytes = try self.answer(request.name, range)
      }
      answers.withLock { $0[number] = bytes }
    }
    return answers.withLock { $0 }
  }

  private func target(_ name: String) throws(StorageError) -> HTTPTarget {
    client.server.target(of: try ObjectName(name, in: location))
  }
}

// MARK: - What answers are believed

extension HTTPObjectSource {
  private func answer(_ name: String, _ range: Range<Int>) throws(StorageError) -> [UInt8] {
    let target = try self.target(name)
    let url = target.url
    guard range.lowerBound >= 0 else { throw rangeMissing(range, of: 0, at: printable(url)) }
    guard !range.isEmpty else {
      // No Range header asks for nothing; the contract still wants the object to reach there.
      guard let byteCount = try byteCount(of: name) else { throw missing(url) }
      guard range.upperBound <= byteCount else {
        throw rangeMissing(range, of: byteCount, at: printable(url))
      }
      return []
    }
    return try wholes.inTurn { () throws(StorageError) in
      if let whole = wholes.bytes(of: name) { return try part(range, of: whole, url) }
      return try ask(target, name, range)
    }
  }

  private func ask(
    _ target: HTTPTarget, _ name: String, _ range: Range<Int>
  ) throws(StorageError) -> [UInt8] {
    let url = target.url
    let answer = try client.ask(.range(target, range, expectsWhole: wholes.isIgnoring))
    switch answer.status {
    case 404, 410: throw missing(answer, url)
    case 416:
      let total = HTTPContentRange(answer.contentRange)?.total
      throw StorageError(
        .missing, at: printable(url, limit: 1000),
        "bytes \(range.lowerBound)..<\(range.upperBound) are asked for and there are "
          + (total.map { "\($0)" } ?? "fewer"), remedy: "fetch from a server that has it whole")
    case 200 where answer.contentRange.isEmpty:
      return try part(range, of: wholeForPart(answer, name, range, url), url)
    // With a Content-Range, a 200 is what some S3 servers (rclone) say for a 206.
    case 200, 206:
      let bytes = try partialBody(answer, range, url)
      wholes.gaveRange()
      return bytes
    default: throw client.unexpected(answer, url)
    }
  }

  private func answer(_ name: String, limit: Int) throws(StorageError) -> [UInt8]? {
    let target = try self.target(name)
    let answer = try client.ask(.whole(target, limit: limit))
    switch answer.status {
    case 404, 410:
      // A bucket that is not there is no archive without a file.
      guard S3ErrorReply(answer.body)?.code != "NoSuchBucket" else {
        throw missing(answer, target.url)
      }
      return nil
    case 200:
      try checkWhole(answer, target.url)
      return answer.body
    default: throw client.unexpected(answer, target.url)
    }
  }

  private func part(
    _ range: Range<Int>, of whole: [UInt8], _ url: String
  ) throws(StorageError) -> [UInt8] {
    guard range.upperBound <= whole.count else {
      throw rangeMissing(range, of: whole.count, at: printable(url))
    }
    return Array(whole[range])
  }

  /// The body of a server that ignored the range. Says so the first time.
  private func wholeForPart(
    _ answer: HTTPAnswer, _ name: String, _ range: Range<Int>, _ url: String
  ) throws(StorageError) -> [UInt8] {
    let isCut = answer.outcome == ct_overflow
    if !isCut { try checkWhole(answer, url) }
    // An object that is no longer than what was asked for has no part.
    if isCut || answer.body.count > range.count,
      wholes.gaveWhole(name, isCut ? nil : answer.body)
    {
      notice(
        "\(printable(location, limit: 1000)) ignores byte ranges: reading a part of a file fetches "
          + "the whole file")
    }
    guard !isCut else {
      throw StorageError(
        .noRanges, at: printable(url, limit: 1000),
        "the server ignores byte ranges, and the file"
          + (answer.contentByteCount.map { " of \($0) bytes" } ?? "")
          + " is above the 66 MiB that are fetched whole to read a part",
        remedy: "use a server that answers byte ranges, or copy the files here with another program"
      )
    }
    return answer.body
  }

  private func checkWhole(_ answer: HTTPAnswer, _ url: String) throws(StorageError) {
    guard answer.outcome != ct_overflow else {
      throw StorageError(
        .limit, at: printable(url, limit: 1000),
        "the body is larger than what is accepted here"
          + (answer.contentByteCount.map { " (it has \($0) bytes)" } ?? ""),
        remedy: "use a server that answers ranges, and check that the URL is the right one")
    }
    guard answer.isFramed else {
      throw StorageError(
        .malformed, at: printable(url, limit: 1000),
        "the answer does not state its length, so its end cannot be told from a lost connection",
        remedy: "use a server that sends Content-Length")
    }
  }

  private func partialBody(
    _ answer: HTTPAnswer, _ range: Range<Int>, _ url: String
  ) throws(StorageError) -> [UInt8] {
    guard let content = HTTPContentRange(answer.contentRange), let sent = content.range else {
      throw badRange(answer, url)
    }
    if let total = content.total, total < range.upperBound, sent.lowerBound == range.lowerBound {
      throw rangeMissing(range, of: total, at: printable(url, limit: 1000))
    }
    guard sent == range, answer.outcome == ct_done, answer.body.count == range.count else {
      throw badRange(answer, url)
    }
    return answer.body
  }

  private func badRange(_ answer: HTTPAnswer, _ url: String) -> StorageError {
    StorageError(
      .malformed, at: printable(url, limit: 1000),
      "the server answers another range than the one asked for (Content-Range: "
        + "\"\(printable(answer.contentRange, limit: 80))\", \(answer.receivedByteCount) bytes)",
      remedy: "use a server that answers single byte ranges")
  }

  private func missing(_ url: String) -> StorageError {
    StorageError(
      .missing, at: printable(url, limit: 1000), "the server has no such object",
      remedy: "check the URL")
  }

  private func missing(_ answer: HTTPAnswer, _ url: String) -> StorageError {
    S3ErrorReply(answer.body)?.code == "NoSuchBucket"
      ? client.unexpected(answer, url) : missing(url)
  }
}
