internal import ChunkStorage
internal import ProofArchive

/// A tensor that a reader found in a file.
struct FoundTensor: Sendable {
  /// Path of keys that leads to it; one component in formats without nesting.
  var path: [String]
  let type: ElementType
  let shape: [Int]
  let bytes: TensorBytes

  /// The components joined by slashes.
  var name: String { path.joined(separator: "/") }
}

/// Where a tensor's bytes are, little-endian and row-major unless `strided`.
enum TensorBytes: Sendable {
  /// In the file itself, from this byte on.
  case stored(at: Int)
  /// In a scratch file, because the file holds them compressed.
  case inflated(RandomAccessFile, at: Int)
  /// In the file itself, in another order.
  case strided(StridedView)
}

/// One file and what was found in it.
struct ReadFile: Sendable {
  /// Its name without folders, which is what an export calls it.
  let name: String
  let file: RandomAccessFile
  var tensors: [FoundTensor]
  /// What the user should know.
  var notes: [String] = []
}

/// A tensor of a state, with the file that its bytes are read from.
struct PlacedTensor: Sendable {
  let spec: TensorSpec
  let file: RandomAccessFile
  let bytes: TensorBytes
}
