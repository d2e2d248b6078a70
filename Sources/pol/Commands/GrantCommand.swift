import ArgumentParser
import ChunkStorage
import Cryptography
import ProofArchive
import ProofPrimitives

struct GrantCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grant", abstract: "Give a verifier the keys of a sealed, encrypted archive.",
    discussion: """
      A grant is an age file that the recipient's identity opens; `age -d` opens it too. The \
      archive stays as it is. --segments gives the keys of some segments alone, and with them \
      those of the key frames that their chunks are deltas against. A verifier who has \
      --segments none learns from `pol verify` which segments the draw needs, and asks for those.

      Examples:
        pol grant run.pol --content-key run.key --to age1... --out bob.grant
        pol grant run.pol --content-key run.key --to age1... --segments 3,5-9 --out bob.grant
      """)

  private static let none = "none"

  @Argument(help: "Archive, as a folder or a URL.")
  var archive: String
  @Option(help: ArgumentHelp("The archive's content key.", valueName: "file"))
  var contentKey: String
  @Option(help: ArgumentHelp("Who may open it; may be repeated.", valueName: "age1..."))
  var to: [String] = []
  @Option(
    help: ArgumentHelp(
      "Only these, counted from 0: 3,5-9; `none` for what a draw of segments takes.",
      valueName: "list"))
  var segments: String?
  @Flag(help: "With --segments: also the points that a claimed accuracy is counted on.")
  var heldOut = false
  @Option(help: ArgumentHelp("Where the grant goes.", valueName: "file"))
  var out: String
  @OptionGroup var storeOptions: StoreOptions
  @OptionGroup var reporting: Reporting

  func validate() throws {
    guard !to.isEmpty else { throw ValidationError("--to names at least one recipient") }
    if let segments {
      guard segments == GrantCommand.none || SegmentList(segments) != nil else {
        throw ValidationError("--segments is a list of numbers and ranges, such as 3,5-9, or none")
      }
    } else if heldOut {
      throw ValidationError("--held-out goes with --segments: the whole archive opens all points")
    }
  }

  func run() throws {
    try reporting.run { output in
      let recipients = try to.map { text in
        try CommandFailure.at(printable(text)) { try AgeRecipient(text) }
      }
      let key = try ContentKeyFile.read(contentKey)
      let reader = try ArchiveReader(try storeOptions.open(archive), access: .epochKey(key))
      let numbers =
        segments == GrantCommand.none ? [] : segments.flatMap { SegmentList($0)?.numbers }
      let points = heldOut ? try heldOutPoints(reader.settings) : nil
      let grant = try reader.grant(segments: numbers, points: points)
      let file = try grant.encrypted(to: recipients)
      try DurableFile.write(file, to: out, replaces: false)
      let scope = numbers.map { "\($0.count) of \(reader.segmentCount) segments" } ?? "everything"
      output.rows([
        ("grant", printable(out)), ("opens", scope), ("recipients", "\(recipients.count)"),
        ("size", byteText(file.count)),
      ])
      output.document(
        "pol-grant/1",
        [
          ("file", .string(out)), ("recipients", .array(to.map { .string($0) })),
          ("segments", .array((numbers ?? Array(0..<reader.segmentCount)).map { .int($0) })),
          ("isWhole", .bool(numbers == nil)), ("bytes", .int(file.count)),
        ])
      return 0
    }
  }
}

/// Segment numbers as a person writes them: `3,5-9`.
struct SegmentList {
  /// As many segments as an archive has at most.
  private static let limit = 1 << 24
  /// Ascending, none twice.
  let numbers: [Int]

  init?(_ text: String) {
    var found = Set<Int>()
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let first = bounds.first ?? nil, bounds.count <= 2, let last = bounds[bounds.count - 1],
        0 <= first, first <= last, last < SegmentList.limit
      else { return nil }
      found.formUnion(first...last)
    }
    guard !found.isEmpty else { return nil }
    numbers = found.sorted()
  }
}
