import CKernels
import Cryptography
import ProofArchive
import ProofPrimitives
import Testing

@testable import Reexecution

@Suite("Arithmetic vectors (testvectors/arithmetic)") struct ArithmeticVectorTests {
  @Test(
    "elementary functions give the bits of the specification", arguments: ["exp", "log", "cos"])
  func elementary(name: String) throws {
    let function: (Float) -> Float =
      switch name {
      case "exp": pol_expf
      case "log": pol_logf
      default: pol_cos_turns
      }
    let cases = try Vectors.cases("arithmetic/\(name).json")
    #expect(cases.count > 300)
    for item in cases {
      let pair = try #require(item.arrayValue).compactMap(\.stringValue)
      let x = try #require(Float(bitPatternHex: pair[0]))
      // Bits, not the helper that unites NaNs: these functions return the one NaN themselves.
      #expect(function(x).bitPatternHex == pair[1], "\(name)(\(pair[0]))")
    }
  }

  @Test("the generator is ChaCha20 with counter and nonce zero")
  func generator() throws {
    for item in try Vectors.cases("arithmetic/generator.json") {
      var generator = ChaCha20Generator(key: try #require(Hex.decode(item.text("key"))))
      var stream: [UInt8] = []
      for _ in 0..<16 {
        let word = generator.nextWord()
        withUnsafeBytes(of: word.littleEndian) { stream += $0 }
      }
      #expect(Hex.encode(stream) == (try item.text("keyStream")))
    }
  }

  @Test("initial weights follow from the run seed")
  func initialWeights() throws {
    let file = try Vectors.json("arithmetic/initial-weights.json")
    let seed = try file.digest("runSeed")
    for item in try file.items("cases") {
      let settings = try item.settings()
      let layout = NetworkLayout(widths: settings.layers)
      let weights = DerivedRandomness.initialParameters(settings, layout, runSeed: seed)
      #expect(weights.prefix(4).map(\.bitPatternHex).starts(with: try item.strings("firstWeights")))
      #expect(flatDigest(weights).hex == (try item.text("sha256")))
      let state = try ReferenceExecutor(settings: settings).initialState(runSeed: seed)
      #expect(state.tensors(in: .optimizer).allSatisfy { $0.bytes.allSatisfy { $0 == 0 } })
      #expect(try layout.values(of: state).parameters == weights)
    }
  }

  @Test("batches follow from the run seed, epoch by epoch")
  func batchOrder() throws {
    let file = try Vectors.json("arithmetic/batch-order.json")
    let seed = try file.digest("runSeed")
    for item in try file.items("cases") {
      let settings = try item.settings()
      let executor = ReferenceExecutor(settings: settings)
      let first = try item.items("firstBatch").compactMap(\.countValue)
      #expect(try executor.batch(ofStep: 0, runSeed: seed).map(Int.init) == first)
      for (epoch, expected) in try item.strings("sha256").enumerated() {
        let steps = epoch * settings.batchesPerEpoch..<(epoch + 1) * settings.batchesPerEpoch
        var bytes: [UInt8] = []
        for step in steps {
          for index in try executor.batch(ofStep: step, runSeed: seed) {
            withUnsafeBytes(of: index.littleEndian) { bytes += $0 }
          }
        }
        #expect(SHA256.hash(bytes).hex == expected)
      }
    }
  }

  @Test("learning rates are the written formulas")
  func learningRates() throws {
    for item in try Vectors.cases("arithmetic/learning-rate.json") {
      let settings = try item.settings()
      for pair in try item.items("rates") {
        let step = try #require(pair.arrayValue?.first?.countValue)
        let bits = try #require(pair.arrayValue?.last?.stringValue)
        #expect(settings.learningRate(ofStep: step).bitPatternHex == bits, "step \(step)")
      }
      #expect(settings.learningRate(ofStep: settings.steps).isNaN)
      #expect(settings.learningRate(ofStep: -1).isNaN)
    }
  }

  @Test("twenty steps give the losses and weights of the plain Python trainer")
  func training() throws {
    let file = try Vectors.json("arithmetic/training.json")
    let seed = try file.digest("runSeed")
    for item in try file.items("cases") {
      let settings = try item.settings()
      let pixels = try item.items("pixels").map { row in
        (row.arrayValue ?? []).compactMap { $0.countValue.flatMap(UInt8.init(exactly:)) }
      }
      let labels = try item.items("labels").compactMap(\.integerValue)
      let points = try zip(pixels, labels).map { pixels, label in
        try #require(DataPoint(type: .u8, shape: [pixels.count], bytes: pixels, label: label))
      }
      let executor = ReferenceExecutor(settings: settings)
      let result = try executor.execute(
        from: executor.initialState(runSeed: seed), firstStep: 0,
        batches: (0..<20).map { try executor.batch(ofStep: $0, runSeed: seed) },
        learningRates: (0..<20).map { executor.learningRate(ofStep: $0) },
        points: indexed(points, first: settings.training.first))
      #expect(result.losses.map(\.bitPatternHex) == (try item.strings("losses")))
      let layout = NetworkLayout(widths: settings.layers)
      let (parameters, momentum) = try layout.values(of: result.endState)
      #expect(flatDigest(parameters).hex == (try item.text("weightsSHA256")))
      #expect(flatDigest(momentum).hex == (try item.text("momentumSHA256")))
    }
  }

  private func flatDigest(_ values: [Float]) -> Digest {
    var bytes: [UInt8] = []
    for value in values {
      withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }
    return SHA256.hash(bytes)
  }
}

@Suite("Run settings (settings.md)") struct RunSettingsTests {
  @Test("what is accepted encodes to the same bytes")
  func accepted() throws {
    let cases = try Vectors.json("settings/settings.json").items("accepted")
    #expect(cases.count >= 6)
    for item in cases {
      let text = Array(try item.text("text").utf8)
      let settings = try RunSettings(parsing: text)
      #expect(settings.canonicalBytes == text)
    }
    let standard = try RunSettings.digitsDefault()
    #expect(try RunSettings(parsing: standard.canonicalBytes) == standard)
  }

  @Test("each fault is refused")
  func refused() throws {
    let cases = try Vectors.json("settings/settings.json").items("refused")
    #expect(cases.count > 70)
    for item in cases {
      let id = try item.text("id")
      let text = Array(try item.text("text").utf8)
      #expect("\(id) was accepted") {
        _ = try RunSettings(parsing: text)
      } throws: { error in
        (error as? ReexecutionError)?.code.name == (try item.text("expect"))
      }
    }
  }

  @Test("decimals round to the nearest float32, not by way of a float64")
  func decimals() {
    // Just above the middle of two float32 values; a float64 in between would land on the middle.
    #expect(SettingsDecimal("1.0000000596046447754")?.value == Float(bitPattern: 0x3f80_0001))
    #expect(SettingsDecimal("0.1")?.value == Float(bitPattern: 0x3dcc_cccd))
  }
}
