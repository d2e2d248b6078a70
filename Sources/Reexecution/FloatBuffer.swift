/// Float32 memory for kernels, which take plain addresses.
///
/// Arrays would do, but each kernel call with two arrays of one trainer is an overlapping access in
/// Swift's eyes. Not `Sendable`: a buffer belongs to one trainer.
final class FloatBuffer {
  /// Valid until the next `reserve`.
  private(set) var pointer: UnsafeMutablePointer<Float>
  private(set) var count: Int

  /// `count` zeros.
  init(count: Int = 0) {
    pointer = .allocate(capacity: count)
    pointer.initialize(repeating: 0, count: count)
    self.count = count
  }

  convenience init(_ values: [Float]) {
    self.init(count: values.count)
    for (index, value) in values.enumerated() { pointer[index] = value }
  }

  deinit { pointer.deallocate() }

  /// Makes room for at least `count` values; what was there may be lost.
  ///
  /// Keeps the largest room that any batch needed, so that steps do not allocate.
  func reserve(_ count: Int) {
    guard self.count < count else { return }
    pointer.deallocate()
    pointer = .allocate(capacity: count)
    pointer.initialize(repeating: 0, count: count)
    self.count = count
  }

  var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}
