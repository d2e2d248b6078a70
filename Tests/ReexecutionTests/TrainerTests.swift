import CKernels
import ProofArchive
import ProofPrimitives
import Testing

@testable import Reexecution

extension KernelSwitching {
  @Suite("Reference trainer") struct TrainerTests {
    @Test("the default settings reach 95 % on held-out digits")
    func digits() throws {
      let settings = try RunSettings.digitsDefault()
      let training = try PreparedPoints(Vectors.digits("train"), settings: settings)
      let executor = ReferenceExecutor(settings: settings)
      let trainer = ReferenceTrainer(settings: settings, runSeed: testSeed)
      #expect(training.count == settings.training.count)
      for step in 0..<settings.steps {
        _ = try trainer.step(
          batch: executor.batch(ofStep: step, runSeed: testSeed),
          learningRate: executor.learningRate(ofStep: step), points: training)
      }
      let heldOut = try Vectors.digits("test")
      #expect(heldOut.count == settings.heldOut.count)
      let correct = try executor.countCorrect(state: trainer.state, points: heldOut)
      #expect(Double(correct) >= 0.95 * Double(heldOut.count), "\(correct) of \(heldOut.count)")
      // The untrained network, so that the count above says something.
      let guesses = try executor.countCorrect(
        state: executor.initialState(runSeed: testSeed), points: heldOut)
      #expect(Double(guesses) < 0.5 * Double(heldOut.count))
    }

    private func run(
      _ settings: RunSettings, threadCount: Int, from state: TrainingState? = nil,
      _ steps: Range<Int>, _ points: PreparedPoints
    ) throws -> TrainingState {
      let executor = ReferenceExecutor(settings: settings)
      let trainer =
        if let state {
          try ReferenceTrainer(settings: settings, state: state, threadCount: threadCount)
        } else {
          ReferenceTrainer(settings: settings, runSeed: testSeed, threadCount: threadCount)
        }
      for step in steps {
        _ = try trainer.step(
          batch: executor.batch(ofStep: step, runSeed: testSeed),
          learningRate: executor.learningRate(ofStep: step), points: points)
      }
      return try trainer.state
    }

    @Test("threads and kernels change no bit of a training", arguments: [false, true])
    func pathsAgree(isPortable: Bool) throws {
      defer { pol_kernels_force_portable(0) }
      let settings = try smallSettings(layers: [65, 259, 131, 3], batchSize: 129, count: 150)
      let points = try PreparedPoints(smallPoints(150, width: 65), settings: settings)
      let expected = try run(settings, threadCount: 1, 0..<5, points)
      pol_kernels_force_portable(isPortable ? 1 : 0)
      for threadCount in 1...4 {
        #expect(try run(settings, threadCount: threadCount, 0..<5, points) == expected)
      }
    }

    @Test("a training that is stopped and resumed has the same state")
    func resumed() throws {
      let settings = try smallSettings()
      let points = try PreparedPoints(smallPoints(23), settings: settings)
      let whole = try run(settings, threadCount: 1, 0..<20, points)
      let half = try run(settings, threadCount: 1, 0..<9, points)
      #expect(try run(settings, threadCount: 1, from: half, 9..<20, points) == whole)
      #expect(half != whole)
    }

    @Test("each of weights, momentum and learning rate reaches the result")
    func everythingCounts() throws {
      let executor = ReferenceExecutor(settings: try smallSettings())
      let points = indexed(try smallPoints(23))
      let start = try executor.initialState(runSeed: testSeed)
      func end(_ state: TrainingState, _ batch: [UInt32], _ rate: Float) throws -> TrainingState {
        try executor.execute(
          from: state, firstStep: 0, batches: [batch], learningRates: [rate], points: points
        ).endState
      }
      let expected = try end(start, [1, 2, 3], 0.05)
      #expect(try end(start, [1, 2, 3], 0.05) == expected)
      #expect(try end(start, [1, 2, 4], 0.05) != expected)
      #expect(try end(start, [1, 2, 3], 0.0500001) != expected)
      for index in start.tensors.indices {
        var tensors = start.tensors
        tensors[index].bytes[3] ^= 0x40
        let altered = try #require(TrainingState(tensors))
        #expect(try end(altered, [1, 2, 3], 0.05) != expected)
      }
    }

    @Test("NaN and infinity run through, and every stored NaN is the same")
    func notFinite() throws {
      let executor = ReferenceExecutor(settings: try smallSettings())
      let points = indexed(try smallPoints(23))
      var tensors = try executor.initialState(runSeed: testSeed).tensors
      for bits in [0xffc1_2345, 0x7f80_0000, 0xff80_0000] as [UInt32] {
        withUnsafeBytes(of: bits.littleEndian) { tensors[1].bytes.replaceSubrange(0..<4, with: $0) }
        let result = try executor.execute(
          from: try #require(TrainingState(tensors)), firstStep: 0, batches: [[0, 1], [2, 3]],
          learningRates: [0.1, .infinity], points: points)
        #expect(result.losses.count == 2)
        let layout = NetworkLayout(widths: [5, 7, 3])
        let values = try layout.values(of: result.endState)
        let unusual = (values.parameters + values.momentum).filter(\.isNaN)
        #expect(!unusual.isEmpty && unusual.allSatisfy { $0.bitPattern == 0x7fc0_0000 })
        #expect(
          try executor.countCorrect(state: result.endState, points: smallPoints(23)) <= 23)
      }
    }
  }
}
