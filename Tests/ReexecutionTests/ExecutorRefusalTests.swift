import ProofArchive
import ProofPrimitives
import Testing

@testable import Reexecution

@Suite("What an executor refuses") struct ExecutorRefusalTests {
  private let executor: ReferenceExecutor
  private let points: [UInt32: DataPoint]
  private let start: TrainingState

  init() throws {
    executor = ReferenceExecutor(settings: try smallSettings())
    points = indexed(try smallPoints(23))
    start = try executor.initialState(runSeed: testSeed)
  }

  private func code(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch {
      return (error as? ReexecutionError)?.code.name
    }
  }

  private func executed(
    _ state: TrainingState? = nil, firstStep: Int = 0, _ batches: [[UInt32]] = [[1, 2]],
    _ rates: [Float] = [0.1], points: [UInt32: DataPoint]? = nil
  ) -> String? {
    code {
      _ = try executor.execute(
        from: state ?? start, firstStep: firstStep, batches: batches, learningRates: rates,
        points: points ?? self.points)
    }
  }

  @Test("batches that do not fit") func batches() {
    #expect(executed() == nil)
    #expect(executed([[]]) == "badBatch")
    #expect(executed([[0, 1, 2, 3, 4]]) == "badBatch")
    #expect(executed([[23]]) == "badBatch")
    #expect(executed([[1], [2]]) == "badBatch")
    #expect(executed([], []) == nil)
  }

  private func executed(_ batches: [[UInt32]], _ rates: [Float] = [0.1]) -> String? {
    executed(nil, batches, rates)
  }

  @Test("steps outside the run") func steps() {
    #expect(executed(firstStep: 19) == nil)
    #expect(executed(firstStep: 20) == "badStep")
    #expect(executed(firstStep: .max) == "badStep")
    #expect(executed(firstStep: -1) == "badStep")
    #expect(code { _ = try executor.batch(ofStep: 20, runSeed: testSeed) } == "badStep")
    #expect(code { _ = try executor.batch(ofStep: -1, runSeed: testSeed) } == "badStep")
  }

  @Test("data points that do not fit") func dataPoints() throws {
    func with(_ type: ElementType, _ shape: [Int], _ label: Int64) throws -> String? {
      let bytes = [UInt8](repeating: 1, count: shape.reduce(type.byteCount, *))
      let point = try #require(DataPoint(type: type, shape: shape, bytes: bytes, label: label))
      return executed(points: self.points.merging([1: point]) { $1 })
    }
    #expect(try with(.u8, [5], 2) == nil)
    #expect(try with(.f32, [1, 5], 0) == nil)
    #expect(try with(.i16, [5, 1], 0) == nil)
    #expect(try with(.u8, [4], 0) == "badDataPoint")
    #expect(try with(.u8, [0], 0) == "badDataPoint")
    #expect(try with(.u8, [5], 3) == "badDataPoint")
    #expect(try with(.u8, [5], -1) == "badDataPoint")
    #expect(try with(.u8, [5], .max) == "badDataPoint")
    #expect(try with(.f64, [5], 0) == "badDataPoint")
    #expect(try with(.i32, [5], 0) == "badDataPoint")
  }

  @Test("states that do not fit") func states() throws {
    for index in start.tensors.indices {
      var tensors = start.tensors
      let removed = tensors.remove(at: index)
      let state = try #require(TrainingState(tensors))
      #expect(executed(state) == "badState")
      for (type, shape) in [
        (ElementType.i32, removed.spec.shape), (.f32, removed.spec.shape + [1]),
        (.f32, [removed.spec.byteCount / 4 + 1]),
      ] {
        let spec = try #require(
          TensorSpec(name: removed.spec.name, role: removed.spec.role, type: type, shape: shape))
        let other = try #require(
          Tensor(spec, bytes: [UInt8](repeating: 0, count: spec.byteCount)))
        let state = try #require(TrainingState(tensors + [other]))
        #expect(executed(state) == "badState")
      }
    }
    for role in TensorRole.allCases {
      let name = role == .weight ? "layers.2.bias" : "layers.0.bias"
      let spec = try #require(TensorSpec(name: name, role: role, type: .f32, shape: [7]))
      let extra = try #require(Tensor(spec, bytes: [UInt8](repeating: 0, count: 28)))
      let state = try #require(TrainingState(start.tensors + [extra]))
      #expect(executed(state) == "badState")
    }
  }

  @Test("batches run over the order of each epoch, and seeds do not share a cache")
  func cachedOrders() throws {
    let other = try #require(Digest([UInt8](repeating: 1, count: 32)))
    let first = try executor.batch(ofStep: 0, runSeed: testSeed)
    #expect(try executor.batch(ofStep: 0, runSeed: other) != first)
    #expect(try executor.batch(ofStep: 0, runSeed: testSeed) == first)
    let epoch = try (0..<6).flatMap { try executor.batch(ofStep: $0, runSeed: testSeed) }
    #expect(epoch.sorted() == Array(0..<23))
    #expect(try executor.batch(ofStep: 5, runSeed: testSeed).count == 3)
    #expect(try executor.batch(ofStep: 6, runSeed: testSeed) != first)
  }
}
