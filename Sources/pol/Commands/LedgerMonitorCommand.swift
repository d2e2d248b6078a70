import ArgumentParser
import ChunkStorage
import Cryptography
import Glibc
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerMonitorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "monitor", abstract: "Follow a ledger, and tell when something is wrong with it.",
    discussion: """
      Reads every new entry, checks all heads it ever saw against each other, and tells once of each: a log \
      that broke its word (evidence is kept in DIR), an entry under a watched key, a claim of somebody else \
      on a watched digest, a withdrawn key. A place is one of spec/statements.md §11, such as model or \
      tensor, or any.

      Exit status: 0 all is well, 3 something was told, 2 the log broke its word, 1 could not decide.

      Example:
        pol ledger monitor https://example.org/log --ledger-key log.vkey \\
          --state watch --watch-key 8cef… --watch-digest model:77c8… --every 300
      """)

  @Argument(help: ArgumentHelp("The ledger.", valueName: "url-or-dir"))
  var location: String
  @OptionGroup var pin: LedgerPin
  @Option(help: ArgumentHelp("Where the monitor keeps what it knows.", valueName: "dir"))
  var state: String
  @Option(help: ArgumentHelp("Your key: its 32 bytes or its ID.", valueName: "hex"))
  var watchKey: [String] = []
  @Option(help: ArgumentHelp("What nobody else is to claim.", valueName: "place:hex"))
  var watchDigest: [String] = []
  @Option(help: ArgumentHelp("Leaf hashes of your own entries, one a line.", valueName: "file"))
  var known: String?
  @Option(help: ArgumentHelp("Tell when no new head comes for so long.", valueName: "seconds"))
  var staleAfter = 0
  @Flag(help: "Look once (the default).")
  var once = false
  @Option(help: ArgumentHelp("Look again and again.", valueName: "seconds"))
  var every: Int?
  @Option(help: ArgumentHelp("Run for each alert, which it reads as JSON.", valueName: "command"))
  var exec: String?
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard !(once && every != nil) else { throw ValidationError("--once or --every, not both") }
    guard every.map({ (1...86_400).contains($0) }) ?? true else {
      throw ValidationError("--every is a number from 1 to 86,400")
    }
    guard staleAfter >= 0 else { throw ValidationError("--stale-after is not below 0") }
    _ = try watch()
  }

  private func watch() throws -> MonitorWatch {
    var watch = MonitorWatch()
    watch.staleAfterSeconds = UInt64(staleAfter)
    for text in watchKey {
      guard let key = Digest(hex: text) else {
        throw ValidationError("--watch-key is 64 lower-case hexadecimal digits")
      }
      watch.keys.insert(key)
    }
    for text in watchDigest {
      let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
      guard parts.count == 2, let digest = Digest(hex: parts[1]) else {
        throw ValidationError("--watch-digest is a place, a colon and 64 hexadecimal digits")
      }
      if parts[0] == "any" {
        watch.digests.insert(digest)
      } else if let kind = ClaimKind(rawValue: parts[0]) {
        watch.claims.insert(Claim(kind, digest))
      } else {
        let names = ClaimKind.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--watch-digest knows no place \(printable(parts[0])): any, \(names)")
      }
    }
    return watch
  }

  func run() throws {
    try reporting.run { output in
      var watch = try watch()
      if let known { watch.known = try knownEntries(known) }
      let policy = try pin.policy()
      let source = try LedgerAccess.source(location)
      let monitor = try LedgerMonitor(
        state: state, verifierKey: try pin.verifierKey(policy), policy: policy, watch: watch)
      guard let every else {
        return try look(monitor, source, output, lines: false)
      }
      Interruption.watch()
      var worst: Int32 = 0
      repeat {
        do {
          worst = max(worst, rank(try look(monitor, source, output, lines: true)))
        } catch {
          let failure = CommandFailure(error)
          output.talk("\(failure.place): \(failure.message); looking again in \(every) s")
          try monitor.noteFailure(now: UInt64(max(0, time(nil))))
          _ = try deliver(monitor, output, lines: true)
        }
      } while pause(seconds: every)
      return [0, 3, 2][Int(worst)]
    }
  }

  private func rank(_ status: Int32) -> Int32 { status == 2 ? 2 : status == 3 ? 1 : 0 }

  private func knownEntries(_ path: String) throws -> Set<Digest> {
    let bytes = try DurableFile.readWhole(path, limit: 1 << 26, followsSymlinks: true)
    var found: Set<Digest> = []
    for line in bytes.split(separator: 10) {
      guard let digest = Digest(hex: String(decoding: line, as: UTF8.self)) else {
        throw CommandFailure(
          code: "malformed", place: printable(path),
          message: "a line is not 64 hexadecimal digits", remedy: "write one leaf hash a line")
      }
      found.insert(digest)
    }
    return found
  }

  /// One look, and the status that it ends with.
  private func look(
    _ monitor: LedgerMonitor, _ source: any LedgerSource, _ output: Output, lines: Bool
  ) throws -> Int32 {
    let round = try CommandFailure.at(location) {
      try monitor.round(source, now: UInt64(max(0, time(nil))))
    }
    let told = try deliver(monitor, output, lines: lines)
    let severity = max(told.map(\.kind.severity).max() ?? .notice, round.worst ?? .notice)
    if !lines || round.readCount > 0 {
      output.line(
        "\(round.head.size) entries, \(round.readCount) new, root \(round.head.root.short)…: "
          + (severity == .broken
            ? "THE LOG BROKE ITS WORD" : severity == .watched ? "see above" : "all is well"))
    }
    let members: [(String, JSONValue)] = [
      ("origin", .string(round.head.origin)), ("treeSize", .int(round.head.size.value)),
      ("treeRoot", .string(round.head.root.hex)), ("read", .int(round.readCount)),
      ("ended", .bool(round.end != nil)),
      ("verdict", .string(severity == .broken ? "broken" : severity == .watched ? "told" : "well")),
    ]
    if !lines {
      output.document(
        "pol-ledger-monitor/1",
        members + [("alerts", .array(told.map { .map(LedgerMonitorCommand.members($0)) }))])
    } else if round.readCount > 0 {
      output.jsonLine("pol-ledger-monitor/1", members)
    }
    return severity == .broken ? 2 : severity == .watched ? 3 : 0
  }

  /// Tells what was not told yet. One that the command did not take stays, and comes again.
  private func deliver(
    _ monitor: LedgerMonitor, _ output: Output, lines: Bool
  ) throws -> [MonitorAlert] {
    var told: [MonitorAlert] = []
    while true {
      let waiting = try monitor.waiting()
      if waiting.isEmpty { return told }
      for (id, alert) in waiting {
        let members = LedgerMonitorCommand.members(alert)
        for line in wrapped("\(alert.kind.rawValue): \(alert.text)", width: 78) {
          output.line(line)
        }
        if let path = alert.path { output.line("  evidence: \(printable(path, limit: 1000))") }
        if lines { output.jsonLine("pol-ledger-alert/1", members) }
        if let exec {
          let document = JSONValue.map(members + [("schema", .string("pol-ledger-alert/1"))])
          guard AlertCommand.run(exec, input: document.encoded + [10]) else {
            output.talk("the command of --exec failed; the alert is told again next time")
            return told + [alert]
          }
        }
        try monitor.delivered(id)
        told.append(alert)
      }
    }
  }

  private static func members(_ alert: MonitorAlert) -> [(String, JSONValue)] {
    var members: [(String, JSONValue)] = [
      ("kind", .string(alert.kind.rawValue)), ("text", .string(alert.text)),
      (
        "severity",
        .string(
          alert.kind.severity == .broken
            ? "broken" : alert.kind.severity == .watched ? "watched" : "notice")
      ),
    ]
    if let index = alert.index { members.append(("index", .int(index.value))) }
    if let key = alert.key { members.append(("key", .string(Hex.encode(key.rawBytes)))) }
    if let claim = alert.claim {
      members.append(("place", .string(claim.kind.rawValue)))
      members.append(("digest", .string(claim.digest.hex)))
    }
    if let path = alert.path { members.append(("evidence", .string(path))) }
    return members
  }
}

/// Runs what the user wants to be told by.
enum AlertCommand {
  /// Longer is a command that hangs, and would keep the monitor from looking.
  private static let secondsLimit = 60

  /// - Parameter input: At most what a pipe holds, 64 KiB: it is written before anybody reads.
  /// - Returns: Whether the command ended with status 0 in time.
  static func run(_ command: String, input: [UInt8]) -> Bool {
    var ends: [Int32] = [0, 0]
    guard input.count <= 65_536, pipe(&ends) == 0 else { return false }
    // The command must not hold the pipe's other end open, or it would never see the end of its input.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    // Standard output is for the monitor's own answers.
    posix_spawn_file_actions_adddup2(&actions, 2, 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = []
    for text in ["sh", "-c", command] { arguments.append(strdup(text)) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let failure = posix_spawn(&child, "/bin/sh", &actions, nil, arguments, environ)
    close(ends[0])
    if failure == 0 { _ = input.withUnsafeBytes { write(ends[1], $0.baseAddress, $0.count) } }
    close(ends[1])
    guard failure == 0 else { return false }
    var status: Int32 = 0
    for _ in 0..<secondsLimit * 50 {
      let ended = waitpid(child, &status, WNOHANG)
      if ended == child { return status == 0 }
      if ended < 0, errno != EINTR { return false }
      usleep(20_000)
    }
    kill(child, SIGKILL)
    waitpid(child, &status, 0)
    return false
  }
}
