import ArgumentParser
import Glibc
import MerkleTrees
import ProofPrimitives
import TransparencyLedger

struct LedgerStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats", abstract: "What a ledger holds: entries, kinds, keys, bytes, heads.",
    discussion: """
      Reads and proves every entry. Times are those of the witnesses where there are some, else of the \
      files, which nobody signs.

      Example:
        pol ledger stats ledger
      """)

  @Argument(help: ArgumentHelp("The ledger.", valueName: "dir-or-url"))
  var ledger: String
  @OptionGroup var pin: LedgerPin
  @OptionGroup var reporting: Reporting

  func run() throws {
    try reporting.run { output in
      let access = try LedgerAccess(ledger, key: pin.ledgerKey, policy: pin.ledgerPolicy)
      let found = try access.view.statistics()
      let isLocal = !ledger.hasPrefix("http://") && !ledger.hasPrefix("https://")
      let disk = isLocal ? try LedgerDisk(directory: ledger) : nil
      output.rows(rows(access.view, found, disk))
      for (kind, count) in found.kinds.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
        output.line("  \(printable(kind, limit: 60))  \(count)")
      }
      output.document("pol-ledger-stats/1", members(access.view, found, disk))
      return 0
    }
  }

  private func rows(
    _ view: LedgerView, _ found: LedgerStatistics, _ disk: LedgerDisk?
  ) -> [(name: String, value: String)] {
    var rows: [(name: String, value: String)] = [
      ("origin", printable(view.head.origin)),
      (
        "entries",
        "\(found.entryCount), \(byteText(Int(clamping: found.byteCount))), the largest "
          + byteText(found.largestByteCount)
      ),
      ("keys", "\(found.keys.count), \(found.withdrawnKeyCount) withdrawals"),
    ]
    if let heads = found.headCount { rows.append(("published heads", "\(heads)")) }
    for cosigner in found.cosigners {
      let time = cosigner.time.map { " at \(clockText(Int64(clamping: $0)))" } ?? ""
      rows.append(("line of", "\(printable(cosigner.name))\(time)"))
    }
    if let disk {
      if let headAt = disk.headAt {
        rows.append(("head written", "\(clockText(headAt)), \(age(headAt)) ago"))
      }
      if let rate = dailyRate(found, disk) { rows.append(("entries a day", rate)) }
      rows.append(
        (
          "on disk",
          "\(disk.fileCount) files: bundles \(byteText(disk.bundleByteCount)), tiles "
            + byteText(disk.tileByteCount)
        ))
      for (name, byteCount) in disk.privateByteCounts where name.hasPrefix("index.sqlite") {
        rows.append((name, byteText(byteCount)))
      }
    }
    if let end = found.end { rows.append(("ended", "with entry \(end.index)")) }
    if let beginning = found.beginning {
      rows.append(("goes on for", printable(beginning.predecessor)))
    }
    return rows
  }

  private func age(_ seconds: Int64) -> String {
    let age = max(0, Int64(time(nil)) - seconds)
    return age < 120 ? "\(age) s" : age < 7200 ? "\(age / 60) min" : "\(age / 3600) h"
  }

  /// By the times of the files, since the log was made.
  private func dailyRate(_ found: LedgerStatistics, _ disk: LedgerDisk) -> String? {
    guard let from = disk.createdAt, let to = disk.headAt, to > from else { return nil }
    let rate = Double(found.entryCount) * 86_400 / Double(to - from)
    return rate < 10 ? String(Double(Int(rate * 10)) / 10) : String(Int(min(rate, 1e15)))
  }

  private func members(
    _ view: LedgerView, _ found: LedgerStatistics, _ disk: LedgerDisk?
  ) -> [(String, JSONValue)] {
    var members: [(String, JSONValue)] = [
      ("origin", .string(view.head.origin)), ("treeSize", .int(view.head.size.value)),
      ("treeRoot", .string(view.head.root.hex)), ("entries", .int(found.entryCount)),
      ("bytes", .int(found.byteCount)), ("largestBytes", .int(found.largestByteCount)),
      ("keys", .int(found.keys.count)), ("withdrawals", .int(found.withdrawnKeyCount)),
      ("kinds", .map(found.kinds.map { ($0.key, .int($0.value)) })),
      (
        "cosigners",
        .array(
          found.cosigners.map {
            .map(
              [("name", .string($0.name))] + ($0.time.map { [("time", .int($0))] } ?? []))
          })
      ),
      ("ended", .bool(found.end != nil)),
    ]
    if let heads = found.headCount { members.append(("heads", .int(heads))) }
    if let beginning = found.beginning {
      members.append(("predecessor", .string(beginning.predecessor)))
    }
    guard let disk else { return members }
    members += [
      ("files", .int(disk.fileCount)), ("bundleBytes", .int(disk.bundleByteCount)),
      ("tileBytes", .int(disk.tileByteCount)), ("otherBytes", .int(disk.otherByteCount)),
      ("lastDayBundles", .int(disk.lastDayBundleCount)),
      (
        "private",
        .map(
          disk.privateByteCounts.sorted { $0.name < $1.name }.map { ($0.name, .int($0.byteCount)) })
      ),
    ]
    if let createdAt = disk.createdAt { members.append(("createdAt", .int(createdAt))) }
    if let headAt = disk.headAt { members.append(("headAt", .int(headAt))) }
    return members
  }
}
