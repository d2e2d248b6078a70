import ProofArchive
import Testing

@testable import ProofRecording

@Suite("CSV datasets") struct CSVDatasetTests {
  private func read(_ text: String, heldOut: String? = nil) throws -> CSVDataset {
    try CSVDataset(
      training: ("train.csv", Array(text.utf8)),
      heldOut: heldOut.map { ("test.csv", Array($0.utf8)) })
  }

  @Test("samples are points, training first") func reads() throws {
    let dataset = try read("0,255,1\n3,4,0\n", heldOut: "9,9,2")
    #expect(dataset.trainingCount == 2)
    #expect(dataset.heldOutCount == 1)
    #expect(dataset.featureCount == 2)
    #expect(dataset.classCount == 3)
    #expect(
      dataset.points == [
        DataPoint(type: .u8, shape: [2], bytes: [0, 255], label: 1),
        DataPoint(type: .u8, shape: [2], bytes: [3, 4], label: 0),
        DataPoint(type: .u8, shape: [2], bytes: [9, 9], label: 2),
      ])
  }

  @Test(
    "the smallest type that holds every feature is taken",
    arguments: [
      ("256,0", ElementType.i16), ("-1,0", .i16), ("-32768,0", .i16), ("32768,0", .i32),
      ("-2147483648,0", .i32), ("255,0", .u8),
    ])
  func types(text: String, type: ElementType) throws {
    #expect(try read(text).points.map(\.type) == [type])
  }

  @Test("a held-out sample decides the type of all") func commonType() throws {
    #expect(try read("1,0", heldOut: "-2,0").points.map(\.bytes) == [[1, 0], [254, 255]])
  }

  @Test("lines may end as on Windows") func carriageReturns() throws {
    #expect(try read("1,0\r\n2,1\r\n").points.count == 2)
  }

  @Test(
    "what is no dataset is refused, with line and column",
    arguments: [
      ("", "train.csv, line 1, column 1"),
      ("1,2,0\n1,x,0\n", "train.csv, line 2, column 3"),
      ("1, 2,0", "train.csv, line 1, column 3"),
      ("1,2.5,0", "train.csv, line 1, column 3"),
      ("1,+2,0", "train.csv, line 1, column 3"),
      ("1,,0", "train.csv, line 1, column 3"),
      ("1,2,", "train.csv, line 1, column 5"),
      ("1,2,0\n\n", "train.csv, line 2, column 1"),
      ("2147483648,0", "train.csv, line 1, column 1"),
      ("-,0", "train.csv, line 1, column 1"),
      ("00000000001,0", "train.csv, line 1, column 1"),
      ("1,0\r2,0", "train.csv, line 1, column 4"),
      ("\"1\",0", "train.csv, line 1, column 1"),
      ("1,2,0\n1,0\n", "train.csv, line 2"),
      ("1,2,0\n1,2,3,0\n", "train.csv, line 2"),
      ("7\n", "train.csv, line 1"),
      ("1,-1", "train.csv, line 1"),
    ])
  func refuses(text: String, place: String) {
    let error = #expect(throws: RecordingError.self) { try read(text) }
    #expect(error?.place == place)
    #expect(error?.code == .badInput)
  }

  @Test("both files have the same columns") func widths() {
    let error = #expect(throws: RecordingError.self) { try read("1,2,0", heldOut: "1,0") }
    #expect(error?.place == "test.csv, line 1")
  }

  @Test("a line of too many numbers is refused before it is kept") func tooWide() {
    let text = String(repeating: "1,", count: CSVDataset.columnLimit) + "1"
    let error = #expect(throws: RecordingError.self) { try read(text) }
    #expect(error?.message.contains("more than") == true)
  }
}
