import ChunkStorage
import Cryptography
import Glibc
import ProofPrimitives
import TransparencyLedger

/// What `tools/bench ledger` needs of the modules: entries signed beforehand, and a log that grows while the cost
/// of adding to it is measured.
enum LedgerBenchmark {
  static let origin = "bench.invalid/log"

  /// Writes HTTP requests for `tools/bench-ledger-load.c`: additions of different entries of about 1 KiB.
  static func writeRequests(to path: String, count: Int, signed: Bool) throws -> JSONValue {
    guard let file = fopen(path, "w") else {
      throw BenchmarkFailure(message: "cannot write \(path)")
    }
    defer { fclose(file) }
    let keys = try (0..<16).map { _ in try SigningKey.generate() }
    // Another run's entries are others: nothing is known to the log beforehand.
    let salt = randomBytes(16)
    let type =
      signed
      ? "Content-Type: application/vnd.dsse.envelope.v1+json\r\nAccept: application/json\r\n"
      : "Content-Type: application/octet-stream\r\nAccept: text/plain\r\n"
    var byteCount = 0
    for number in 0..<count {
      let body =
        signed
        ? try commitment(number, salt, by: keys[number % keys.count])
        : opaque(number, salt)
      byteCount += body.count
      let head =
        "POST /add HTTP/1.1\r\nHost: 127.0.0.1\r\n\(type)Content-Length: \(body.count)\r\n\r\n"
      let request = Array(head.utf8) + body
      let length = (0..<4).map { UInt8(truncatingIfNeeded: request.count >> ($0 * 8)) }
      let whole = length + request
      guard fwrite(whole, 1, whole.count, file) == whole.count else {
        throw BenchmarkFailure(message: "cannot write \(path)")
      }
    }
    return .map([("count", .int(count)), ("entryBytes", .int(byteCount / max(1, count)))])
  }

  private static func digest(_ number: Int, _ salt: [UInt8], _ place: Int) -> Digest {
    SHA256.hash(salt + Array("\(number) \(place)".utf8))
  }

  private static func commitment(
    _ number: Int, _ salt: [UInt8], by key: SigningKey
  ) throws -> [UInt8] {
    let statement = CommitmentStatement(
      datasetRoot: digest(0, salt, 1), logOrigin: origin, policyDigest: digest(0, salt, 2),
      proverKey: try raw(key), runSecretDigest: digest(number, salt, 3),
      settingsDigest: digest(number, salt, 4))
    return try LedgerEntry.signed(statement.encoded, by: key)
  }

  /// With 16 tensors: 25 claims.
  private static func proof(_ number: Int, _ salt: [UInt8], by key: SigningKey) throws -> [UInt8] {
    func d(_ place: Int) -> Digest { digest(number, salt, place) }
    let statement = ProofStatement(
      archiveID: d(1), archiveRoot: d(2), commitment: d(3), checkpointWeights: [d(4)],
      datasetRoot: d(5), heldOut: .init(correct: 9, count: 10), location: "", logOrigin: origin,
      modelDigest: d(6), parents: [], policyDigest: d(7), proverKey: try raw(key), sealDigest: d(8),
      settingsDigest: d(9), sketch: [d(10)], steps: 100, tensors: (11..<27).map(d))
    return try LedgerEntry.signed(statement.encoded, by: key)
  }

  private static func raw(_ key: SigningKey) throws -> Digest {
    guard let raw = Digest(key.verifyingKey.rawBytes) else {
      throw BenchmarkFailure(message: "a key has 32 bytes")
    }
    return raw
  }

  private static func opaque(_ number: Int, _ salt: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in 0..<32 { bytes += digest(number, salt, part).bytes }
    return bytes
  }

  /// Fills a log up to `count` entries in batches of 256, every tenth entry a signed proof, and measures what
  /// adding costs between one size and the next: processor time and time of the clock an entry. What they can be
  /// found by is moved into the tables as a service does it, within the measured time.
  ///
  /// - Parameter queries: Gets the requests of look-ups: half of them of digests that are there.
  static func grow(_ directory: String, to count: Int, queries: String) throws -> JSONValue {
    let log = try LocalLedger.create(at: directory, origin: origin)
    log.indexesElsewhere = true
    let (key, salt) = (try SigningKey.generate(), randomBytes(16))
    var points: [JSONValue] = []
    var asked: [String] = []

    func prepared(_ range: Range<Int>) throws -> [PreparedEntry] {
      try range.map { number in
        if number % 10 == 0 {
          if number % 1000 < 500 {
            asked.append("tensor/\(digest(number, salt, 11 + number / 10 % 16).hex)")
          } else {
            asked.append("model/\(digest(number, salt, 99).hex)")
          }
          return try PreparedEntry(try proof(number, salt, by: key))
        }
        return try PreparedEntry(opaque(number, salt))
      }
    }
    func index() throws {
      let view = try log.view()
      try log.claims.index(
        origin: origin, reading: { index throws(LedgerError) in try view.entry(index) })
    }
    let marks = [10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000]
    var size = 0
    for end in marks.filter({ $0 < count }) + [count] {
      let start = size
      var (clock, busy) = (0.0, 0.0)
      while size < end {
        let batch = try prepared(size..<min(size + 256, end))
        let (wall, processor) = (wallSeconds(), processorSeconds())
        _ = try log.receipts(try log.stage(batch))
        if log.claims.tailCount >= LocalLedger.tailLimit / 2 { try index() }
        clock += wallSeconds() - wall
        busy += processorSeconds() - processor
        size += batch.count
      }
      guard start > 0 else { continue }
      points.append(
        .map([
          ("from", .int(start)), ("size", .int(size)),
          ("processorMicroseconds", .double(busy / Double(size - start) * 1e6)),
          ("microseconds", .double(clock / Double(size - start) * 1e6)),
        ]))
    }
    // As a service does at its end: what a start has to catch up with is measured elsewhere.
    while log.claims.tailCount > 0 { try index() }
    try writeQueries(asked, to: queries)
    return .map([("points", .array(points)), ("size", .int(size))])
  }

  private static func writeQueries(_ asked: [String], to path: String) throws {
    guard let file = fopen(path, "w") else {
      throw BenchmarkFailure(message: "cannot write \(path)")
    }
    defer { fclose(file) }
    for query in asked.shuffled().prefix(20_000) {
      let request = Array("GET /lookup/\(query) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
      let length = (0..<4).map { UInt8(truncatingIfNeeded: request.count >> ($0 * 8)) }
      fwrite(length + request, 1, 4 + request.count, file)
    }
  }
}
