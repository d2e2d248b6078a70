import ChunkStorage
import Glibc

/// Processor time of this process, its threads and the kernel's work for them.
func processorSeconds() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

func wallSeconds() -> Double { seconds(CLOCK_MONOTONIC) }

private func seconds(_ clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The most memory that was resident at any time, since this program began: what getrusage says goes back
/// to the program that this one took the place of.
func peakByteCount() -> Int {
  guard let file = fopen("/proc/self/status", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, Int32(line.count), file) != nil {
    let text = String(
      decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard text.hasPrefix("VmHWM:") else { continue }
    return (Int(text.filter { $0.isNumber }) ?? 0) << 10
  }
  return 0
}

/// Asks for 768 MiB and gives them back, before a measurement that writes as much.
///
/// A virtual machine may have to ask its host for each free page once more: writing a file then takes
/// three times as long as it does a moment later, and that is no property of what writes it.
func warmMemory() {
  let byteCount = 768 << 20
  guard
    let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
    memory != MAP_FAILED
  else { return }
  for offset in stride(from: 0, to: byteCount, by: 4096) {
    memory.storeBytes(of: 1, toByteOffset: offset, as: UInt8.self)
  }
  munmap(memory, byteCount)
}

/// The regular files of a folder, whole paths in order of names.
func sortedFiles(_ folder: String) throws -> [String] {
  guard let stream = opendir(folder) else { throw BenchmarkFailure(message: "no folder \(folder)") }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name.hasSuffix(".safetensors") { names.append("\(folder)/\(name)") }
  }
  return names.sorted()
}

/// Removes an archive that a measurement made.
func removeFolder(_ path: String) throws {
  func visit(_ path: String) {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { visit("\(path)/\(name)") }
      }
      closedir(stream)
    }
    remove(path)
  }
  visit(path)
}
