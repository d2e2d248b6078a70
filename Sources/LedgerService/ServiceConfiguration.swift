/// What an operator may set (`spec/ledger-service.md` §9, §10).
package struct ServiceConfiguration: Sendable {
  package var host = "127.0.0.1"
  /// 0 takes a free one.
  package var port = 8080
  /// Serves the folder and takes nothing.
  package var isReadOnly = false
  /// Takes bytes that are no statement, as entries that claim nothing.
  package var takesOpaqueEntries = false
  /// Additions each second; ten times as many at once; 0 is no limit.
  package var addsPerAddress = 200
  package var addsPerKey = 50
  package var connectionsPerAddress = 256
  /// Below this much room on the disk nothing is taken: a batch that fills it would stop the log.
  package var leastFreeByteCount: UInt64 = 256 << 20
  /// After this many seconds with an entry waiting and no new head the service is not healthy.
  package var staleAfterSeconds = 30.0
  /// Who stamps published heads; nobody when nil.
  package var timeAuthority: TimeAuthority?
  package var timeEverySeconds = 86_400

  package init() {}
}

/// Limits that nobody needs to set. The reasons stand in `spec/ledger-service.md` §9.
enum ServiceLimits {
  static let entryByteCount = 65_535
  static let pathByteCount = 200
  static let queuedEntries = 16_384
  static let queuedByteCount = 32 << 20
  static let batchEntries = 4096
  static let batchByteCount = 16 << 20
  static let connections = 4096
  /// Of the files that the process may open, for the log, its databases and what is being served.
  static let reservedFiles = 256
  /// A piece of a file that is read and written at once.
  static let pieceByteCount = 65_536
  static let gzipInputByteCount = 1 << 20
  static let gzipMemoryByteCount = 64 << 20
  static let gzipCacheByteCount = 16 << 20
  static let retryAfterSeconds = 1
  /// From an addition until it is told that the witnesses did not sign.
  static let cosigningSeconds = 10.0
  /// One question to a witness, and a round of questions to all of them.
  static let witnessSeconds = 4
  /// Pauses after rounds without a quorum, the first and the longest.
  static let firstPause = Duration.milliseconds(250)
  static let longestPause = Duration.seconds(2)
  /// Entries that have their places and wait for witnesses, at most.
  static let unpublishedEntries: UInt64 = 65_536
  static let retryAfterStopSeconds = 5
}
