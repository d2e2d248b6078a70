import Testing

@testable import ProofArchive

@Suite("Statistics of a tensor") struct TensorStatisticsTests {
  private func statistics(
    _ type: ElementType, _ bytes: [UInt8]
  ) throws -> TensorStatistics {
    TensorStatistics(
      try SmallArchive.tensor("t", .weight, type, [bytes.count / type.byteCount], bytes))
  }

  @Test(
    "numbers of every type are read",
    arguments: [
      (ElementType.u8, [UInt8](arrayLiteral: 3, 255), 3.0, 255.0),
      (.i8, [3, 255], -1, 3), (.i16, [0, 0x80, 1, 0], -32768, 1), (.bool, [0, 1], 0, 1),
      (.f16, [0, 0x3c, 0, 0xc0], -2, 1), (.bf16, [0x80, 0x3f, 0, 0xc0], -2, 1),
      (.f32, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], -2, 1),
      (.f64, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f], 1, 1),
      (.u32, [0, 0, 0, 0x80], 2_147_483_648, 2_147_483_648),
      (.i64, [255, 255, 255, 255, 255, 255, 255, 255], -1, -1),
    ])
  func types(type: ElementType, bytes: [UInt8], low: Double, high: Double) throws {
    let found = try statistics(type, bytes)
    #expect(found.minimum == low)
    #expect(found.maximum == high)
    #expect(found.notANumberCount == 0)
  }

  @Test("NaN is counted and left out") func notANumber() throws {
    let found = try statistics(.f32, [0, 0, 0xc0, 0x7f, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0xc0])
    #expect(found.notANumberCount == 1)
    #expect(found.count == 3)
    #expect(found.mean == -0.5)
    #expect(found.norm == 5)
    #expect(found.minimum == -4)
  }

  @Test("no elements, no numbers") func empty() throws {
    #expect(try statistics(.f32, []).count == 0)
  }

  @Test("eight-bit floats: the smallest, one, the largest, NaN and infinity") func eightBits()
    throws
  {
    let e4m3 = try statistics(.f8e4m3, [0x01, 0x38, 0x7e, 0xfe, 0x7f, 0xff])
    #expect(e4m3.notANumberCount == 2)
    #expect(e4m3.infiniteCount == 0)
    #expect(e4m3.minimum == -448 && e4m3.maximum == 448)
    let e4m3Mean = (1 + 1.0 / 512) / 4
    #expect(e4m3.mean == e4m3Mean)
    let e5m2 = try statistics(.f8e5m2, [0x01, 0x3c, 0x7b, 0xfb, 0x7d])
    #expect(e5m2.notANumberCount == 1)
    #expect(e5m2.minimum == -57344 && e5m2.maximum == 57344)
    let e5m2Mean = (1 + 1.0 / 65536) / 4
    #expect(e5m2.mean == e5m2Mean)
    #expect(try statistics(.f8e5m2, [0x7c, 0xfc]).infiniteCount == 2)
  }
}
