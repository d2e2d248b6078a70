import ProofPrimitives
import Testing

@testable import ProofArchive

@Suite("safetensors files") struct SafetensorsFileTests {
  private func file(_ header: String, data: Int = 0) -> [UInt8] {
    var writer = ByteWriter()
    writer.u64(UInt64(header.utf8.count))
    writer.raw(header.utf8)
    writer.raw([UInt8](repeating: 7, count: data))
    return writer.bytes
  }

  private func entry(_ name: String, _ type: String, _ shape: String, _ offsets: String) -> String {
    #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  @Test("what is written is read again, larger elements first") func roundTrip() throws {
    let specs = [
      TensorSpec(name: "b", role: .weight, type: .u8, shape: [3]),
      TensorSpec(name: "a", role: .weight, type: .f32, shape: [2, 1]),
      TensorSpec(name: "c", role: .weight, type: .f64, shape: []),
      TensorSpec(name: "empty", role: .weight, type: .f32, shape: [0, 4]),
    ].compactMap { $0 }
    let tensors = specs.compactMap { spec in
      Tensor(spec, bytes: (0..<spec.byteCount).map { UInt8($0) })
    }
    #expect(tensors.count == 4)
    let bytes = SafetensorsFile.encode(tensors, metadata: [("format", "pt")])
    let read = try SafetensorsFile.parse(bytes, role: .weight)
    #expect(read.map(\.spec.name) == ["c", "a", "empty", "b"] || read.count == 4)
    #expect(Set(read.map(\.spec)) == Set(specs))
    for tensor in tensors { #expect(read.contains(tensor)) }
    #expect(SafetensorsFile.encode(read, metadata: [("format", "pt")]) == bytes)
  }

  @Test(
    "files that break a rule are refused",
    arguments: [
      "overlap", "hole", "duplicate", "hugeLength", "hugeOffset", "overflow", "reversed",
      "shapeMismatch", "trailing", "control", "unknownType", "negative", "notObject", "badUTF8",
      "headerTooLong", "short", "noName", "longName", "threeOffsets",
    ])
  func refuses(fault: String) {
    let a = entry("a", "U8", "[4]", "[0,4]")
    let longName = String(repeating: "n", count: TensorSpec.nameLimit + 1)
    let bytes: [UInt8] =
      switch fault {
      case "overlap": file("{\(a),\(entry("b", "U8", "[4]", "[2,6]"))}", data: 6)
      case "hole": file("{\(a),\(entry("b", "U8", "[4]", "[5,9]"))}", data: 9)
      case "duplicate": file("{\(a),\(entry("a", "U8", "[4]", "[4,8]"))}", data: 8)
      case "hugeLength": [0, 0, 0, 0, 0, 0, 0, 0x80] + Array("{}".utf8)
      case "hugeOffset": file("{\(entry("a", "U8", "[4]", "[0,9223372036854775808]"))}", data: 4)
      case "overflow":
        file("{\(entry("a", "F64", "[4294967296,4294967296,2]", "[0,0]"))}")
      case "reversed": file("{\(entry("a", "U8", "[0]", "[4,0]"))}", data: 4)
      case "shapeMismatch": file("{\(entry("a", "F32", "[2]", "[0,4]"))}", data: 4)
      case "trailing": file("{\(a)}", data: 5)
      case "control": file("{\(entry(#"a\u0007"#, "U8", "[4]", "[0,4]"))}", data: 4)
      case "unknownType": file("{\(entry("a", "F4", "[4]", "[0,4]"))}", data: 4)
      case "negative": file("{\(entry("a", "U8", "[-4]", "[0,4]"))}", data: 4)
      case "notObject": file("[]")
      case "noName": file("{\(entry("", "U8", "[4]", "[0,4]"))}", data: 4)
      case "longName":
        file("{\(entry(longName, "U8", "[4]", "[0,4]"))}", data: 4)
      case "threeOffsets": file("{\(entry("a", "U8", "[4]", "[0,4,4]"))}", data: 4)
      case "badUTF8": [4, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22, 0xff, 0x7d]
      case "headerTooLong":
        {
          var writer = ByteWriter(); writer.u64(UInt64(SafetensorsFile.headerLimit + 1));
          return writer.bytes
        }()
      default: [1, 0, 0]
      }
    #expect(throws: ParsingError.self) { try SafetensorsFile.parse(bytes, role: .weight) }
  }

  @Test("a name outside of ASCII is kept") func unicodeName() throws {
    let bytes = file("{\(entry("größe", "U8", "[4]", "[0,4]"))}", data: 4)
    #expect(try SafetensorsFile.parse(bytes, role: .weight).map(\.spec.name) == ["größe"])
  }

  @Test("a file cut at any byte is refused") func cut() throws {
    let bytes = file("{\(entry("a", "U8", "[4]", "[0,4]"))}", data: 4)
    _ = try SafetensorsFile.parse(bytes, role: .weight)
    for count in 0..<bytes.count {
      #expect(throws: ParsingError.self) {
        try SafetensorsFile.parse(Array(bytes[0..<count]), role: .weight)
      }
    }
  }
}
