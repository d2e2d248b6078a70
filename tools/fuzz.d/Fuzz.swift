// The entry points that libFuzzer calls. Which parser is meant stands in POL_FUZZ_TARGET, so that one
// program serves them all. A trap, a read outside of memory or a value that does not encode to the bytes
// that it was read from ends the process, and libFuzzer keeps the input.
import Glibc

/// What one parser does with one input; errors that it throws are its answer.
typealias FuzzTarget = @Sendable ([UInt8]) throws -> Void

nonisolated(unsafe) private var target: FuzzTarget = { _ in }

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafePointer<CInt>,
  _ values: UnsafePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
  let name = getenv("POL_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  if name == "list" {
    print((Array(fuzzTargets.keys) + ledgerTargets.keys).sorted().joined(separator: "\n"))
    exit(0)
  }
  guard let found = fuzzTargets[name] ?? ledgerTargets[name] else {
    print("fuzz: error: POL_FUZZ_TARGET is not a target; `list` shows them")
    exit(64)
  }
  target = found
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  do { try target(bytes) } catch {}
  return 0
}

/// One value, one encoding.
func same(_ encoded: some Collection<UInt8>, _ bytes: [UInt8]) {
  guard encoded.elementsEqual(bytes) else { fatalError("it encodes to other bytes than were read") }
}
