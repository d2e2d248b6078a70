import CKernels
import Foundation
import Testing

@testable import Reexecution

/// Values of mixed size and sign, so that another order of sums shows in the bits.
private func values(_ count: Int, _ salt: UInt32) -> [Float] {
  var state = salt &* 2_654_435_761 &+ 12345
  return (0..<count).map { _ in
    state = state &* 1_664_525 &+ 1_013_904_223
    let exponent = Float(sign: .plus, exponent: Int(state >> 5 % 8) - 4, significand: 1)
    return (Float(state >> 8) * 0x1p-24 - 0.5) * exponent
  }
}

/// The specification's loop, word for word.
private func plainProduct(
  _ m: Int, _ n: Int, _ k: Int, _ a: [Float], _ aRow: Int, _ aColumn: Int, _ b: [Float],
  _ initial: [Float]?
) -> [Float] {
  var c = [Float](repeating: 0, count: m * n)
  for i in 0..<m {
    for j in 0..<n {
      var sum = initial.map { $0[j] } ?? 0
      for step in 0..<k {
        let product = a[i * aRow + step * aColumn] * b[step * n + j]
        sum = sum + product
      }
      c[i * n + j] = sum
    }
  }
  return c
}

/// Suites that switch kernels: one after another, because the switch is the process's.
@Suite(.serialized) enum KernelSwitching {}

extension KernelSwitching {
  @Suite("Kernels (training-arithmetic.md §4 to §7)") struct KernelTests {
    struct Size: Sendable {
      let m: Int
      let n: Int
      let k: Int
    }

    static let sizes = [
      Size(m: 1, n: 1, k: 1), Size(m: 6, n: 16, k: 5), Size(m: 7, n: 17, k: 3),
      Size(m: 5, n: 15, k: 257), Size(m: 13, n: 33, k: 255), Size(m: 31, n: 10, k: 128),
      Size(m: 64, n: 47, k: 515), Size(m: 3, n: 1, k: 64), Size(m: 2, n: 4, k: 0),
    ]

    @Test("every path gives the bits of the written loop", arguments: sizes, [false, true])
    func productBits(size: Size, isTransposed: Bool) {
      defer { pol_kernels_force_portable(0) }
      let (m, n, k) = (size.m, size.n, size.k)
      let a = values(m * k, 1)
      let b = values(k * n, 2)
      let (aRow, aColumn) = isTransposed ? (1, m) : (k, 1)
      for initial in [nil, values(n, 3)] {
        let expected = plainProduct(m, n, k, a, aRow, aColumn, b, initial)
        for force in [0, 1] as [Int32] {
          pol_kernels_force_portable(force)
          #expect((pol_kernels_use_avx2() == 0) || force == 0)
          var c = [Float](repeating: .nan, count: m * n)
          if let initial {
            pol_matmul(m, n, k, a, aRow, aColumn, b, n, initial, &c, n)
          } else {
            pol_matmul(m, n, k, a, aRow, aColumn, b, n, nil, &c, n)
          }
          #expect(c.map(\.bitPattern) == expected.map(\.bitPattern))
        }
      }
    }

    @Test("any number of threads gives the same bits", arguments: 1...4)
    func threadBits(threadCount: Int) {
      let (m, n, k) = (131, 129, 257)
      let a = FloatBuffer(values(m * k, 4))
      let b = FloatBuffer(values(k * n, 5))
      let c = FloatBuffer(count: m * n)
      let product = MatrixProduct(
        m: m, n: n, k: k, a: a.pointer, aRowStride: k, aColumnStride: 1, b: b.pointer, initial: nil,
        c: c.pointer)
      #expect(product.partCount(threadCount: threadCount) == threadCount)
      product.compute(threadCount: threadCount)
      let expected = plainProduct(m, n, k, a.values, k, 1, b.values, nil)
      #expect(c.values.map(\.bitPattern) == expected.map(\.bitPattern))
    }

    @Test("the optimiser's step has the same bits on every path, and one NaN")
    func optimiserBits() {
      defer { pol_kernels_force_portable(0) }
      var results: [[UInt32]] = []
      for force in [0, 1] as [Int32] {
        pol_kernels_force_portable(force)
        var w = values(1003, 6)
        var v = values(1003, 7)
        var g = values(1003, 8)
        g[5] = Float(bitPattern: 0xffc1_2345)
        g[6] = .infinity
        v[6] = -.infinity
        pol_sgd(w.count, &w, &v, g, 0.1, 0.9, 0.01)
        #expect(w[5].bitPattern == 0x7fc0_0000 && v[5].bitPattern == 0x7fc0_0000)
        #expect(w[6].bitPattern == 0x7fc0_0000)
        results.append((w + v).map(\.bitPattern))
      }
      #expect(results[0] == results[1])
      let (w, v, g) = (values(1003, 6)[9], values(1003, 7)[9], values(1003, 8)[9])
      let slope = g + 0.01 * w
      let speed = 0.9 * v + slope
      #expect(results[0][9] == (w - 0.1 * speed).bitPattern)
    }

    @Test("exp, log and cos stay within two units in the last place of libm")
    func accuracy() {
      func error(_ got: Float, _ exact: Double) -> Double {
        let spacing = max(Double(Float(exact).magnitude.ulp), 0x1p-149)
        return abs(Double(got) - exact) / spacing
      }
      var worst = (exp: 0.0, log: 0.0, cos: 0.0)
      for step in 0..<200_000 {
        let x = Float(step) * 1e-3 - 110
        if x < 88.7 { worst.exp = max(worst.exp, error(pol_expf(x), Foundation.exp(Double(x)))) }
        let y = Float(bitPattern: UInt32(step) * 10_695 + 1)
        if y.isFinite { worst.log = max(worst.log, error(pol_logf(y), Foundation.log(Double(y)))) }
        let u = Float(step) / 200_000
        let turned = Foundation.cos(2 * Double.pi * Double(u))
        if abs(turned) > 1e-6 { worst.cos = max(worst.cos, error(pol_cos_turns(u), turned)) }
      }
      #expect(worst.exp < 1.5 && worst.log < 1.5 && worst.cos < 2)
    }

    @Test("a label wins above all before it and not below any after it; NaN never does")
    func labelWins() {
      #expect(pol_label_wins(3, [1, 2, 0], 1) == 1)
      #expect(pol_label_wins(3, [2, 2, 0], 0) == 1)
      #expect(pol_label_wins(3, [2, 2, 0], 1) == 0)
      #expect(pol_label_wins(3, [1, 2, 3], 1) == 0)
      #expect(pol_label_wins(3, [.nan, 2, 0], 1) == 0)
      #expect(pol_label_wins(3, [1, 2, .nan], 1) == 0)
      #expect(pol_label_wins(1, [.nan], 0) == 0)
      #expect(pol_label_wins(1, [-.infinity], 0) == 1)
    }

    @Test("ReLU and its mask let NaN and negative zero through as written")
    func rectifier() {
      var z: [Float] = [-1, 0, -0.0, 2, .nan, -.infinity]
      pol_relu(z.count, &z)
      #expect(
        z.map(hex) == ["00000000", "00000000", "80000000", "40000000", "7fc00000", "00000000"])
      var d: [Float] = [1, 1, 1, 1, 1, 1]
      pol_relu_mask(z.count, z, &d)
      #expect(d == [0, 0, 0, 1, 1, 0])
    }
  }
}
