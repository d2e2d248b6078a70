internal import CKernels
internal import Dispatch

/// Where a matrix stands in memory, so that it can be handed to another thread.
///
/// `@unchecked Sendable`: the threads of one product read A, B and the initial values only, and write
/// disjoint rows of C; the product returns after the last of them, so no pointer outlives its array.
struct MatrixProduct: @unchecked Sendable {
  let m: Int
  let n: Int
  let k: Int
  let a: UnsafePointer<Float>
  let aRowStride: Int
  let aColumnStride: Int
  /// Shape [k, n], row-major, dense.
  let b: UnsafePointer<Float>
  /// n values that the sums start from; nil for zero.
  let initial: UnsafePointer<Float>?
  /// Shape [m, n], row-major, dense.
  let c: UnsafeMutablePointer<Float>

  /// A thread takes tens of microseconds to wake; 2^20 products take about 25.
  private static let productsPerThread = 1 << 20

  /// Threads that the product is worth, at most `threadCount`.
  func partCount(threadCount: Int) -> Int {
    max(1, min(threadCount, min(m, m * n * k / MatrixProduct.productsPerThread)))
  }

  /// Computes the product. Rows are independent, so the number of threads changes no bit.
  func compute(threadCount: Int) {
    let parts = partCount(threadCount: threadCount)
    guard parts > 1 else { return computeRows(0..<m) }
    DispatchQueue.concurrentPerform(iterations: parts) { part in
      computeRows(m * part / parts..<m * (part + 1) / parts)
    }
  }

  private func computeRows(_ rows: Range<Int>) {
    guard !rows.isEmpty else { return }
    pol_matmul(
      rows.count, n, k, a + rows.lowerBound * aRowStride, aRowStride, aColumnStride, b, n, initial,
      c + rows.lowerBound * n, n)
  }
}
