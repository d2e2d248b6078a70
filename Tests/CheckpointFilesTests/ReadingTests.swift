import ChunkStorage
import Foundation
import ProofArchive
import ProofPrimitives
import ProofTestSupport
import Testing

@testable import CheckpointFiles

@Suite("reading checkpoint files (conversion.md §3)") struct ReadingTests {
  @Test("there are vectors") func present() {
    #expect(ConversionCase.accepted.count > 30)
    #expect(ConversionCase.refused.count > 100)
  }

  @Test("tensors have their names, types, shapes and bytes", arguments: ConversionCase.accepted)
  func accepts(_ item: ConversionCase) throws {
    try item.withFiles { path in
      let source = try CheckpointSource(opening: path)
      let found = source.specs.enumerated().filter {
        CheckpointWriter.skeletonNumber($0.element) == nil
      }
      let expected = try #require(item.tensors)
      #expect(found.count == expected.count)
      for ((index, spec), tensor) in zip(found, expected) {
        #expect(spec.role.name == tensor.role)
        #expect(spec.name == tensor.name)
        #expect(spec.type.name == tensor.type)
        #expect(spec.shape == tensor.shape)
        #expect(try bytes(of: source, index) == tensor.bytes.bytes)
        #expect(try bytes(of: source, index, step: 1 << 20) == tensor.bytes.bytes)
      }
    }
  }

  @Test("files come back byte for byte", arguments: ConversionCase.accepted)
  func restores(_ item: ConversionCase) throws {
    try item.withFiles { path in
      let source = try CheckpointSource(opening: path)
      try withTemporaryDirectory { folder in
        let names = try CheckpointWriter(source).restore(to: folder + "/out")
        guard item.restores == true else {
          #expect(names.isEmpty)
          #expect(source.notes.contains { $0.contains("byte for byte") })
          return
        }
        #expect(Set(names) == Set(item.files.keys))
        for (name, content) in item.files {
          #expect(try contents(folder + "/out/" + name) == content.bytes, "\(name)")
        }
      }
    }
  }

  @Test("files that break a rule are refused, with the reason", arguments: ConversionCase.refused)
  func refuses(_ item: ConversionCase) throws {
    try item.withFiles { path in
      let error = #expect(throws: CheckpointFileError.self) { try CheckpointSource(opening: path) }
      #expect(error?.code.description == item.expect)
      #expect(error?.description.contains(item.says ?? "?") == true, "\(error?.description ?? "")")
    }
  }

  /// Single files alone: one byte changed, or cut, is read or refused and never traps.
  @Test(
    "a changed byte is never a trap",
    arguments: ConversionCase.all.filter {
      $0.files.count == 1 && $0.files.values.allSatisfy { $0.bytes.count < 1500 }
        && ($0.tensors != nil || $0.id.utf8.reduce(0) { $0 + Int($1) } % 4 == 0)
    })
  func mutations(_ item: ConversionCase) throws {
    let (name, original) = try #require(item.files.first)
    try withTemporaryDirectory { folder in
      let path = folder + "/" + name
      for position in original.bytes.indices {
        for mask: UInt8 in [0x01, 0xff] {
          var changed = original.bytes
          changed[position] ^= mask
          try write(changed, path)
          guard let source = try? CheckpointSource(opening: path) else { continue }
          for index in source.specs.indices where source.specs[index].byteCount < 1 << 20 {
            _ = try? bytes(of: source, index, step: 1 << 16)
          }
        }
      }
      guard item.tensors?.isEmpty == false else { return }
      for count in original.bytes.indices {
        try write(Array(original.bytes[..<count]), path)
        #expect(throws: CheckpointFileError.self) { try CheckpointSource(opening: path) }
      }
    }
  }

  @Test("a file that shrinks while it is read is noticed") func shrinks() throws {
    try withTemporaryDirectory { folder in
      let path = folder + "/m.safetensors"
      let original = SafetensorsFile.encode(
        try state([(.weight, "w", .f32, [100])]).tensors)
      try write(original, path)
      let source = try CheckpointSource(opening: path)
      #expect(truncate(path, 100) == 0)
      let index = try #require(source.specs.firstIndex { $0.name == "w" })
      let error = #expect(throws: ArchiveError.self) { try bytes(of: source, index) }
      #expect(error?.code == .damaged)
    }
  }

  @Test("several threads read one state, views among it") func threads() async throws {
    let item = try #require(ConversionCase.accepted.first { $0.id == "torch-transposed" })
    try item.withFiles { path in
      let source = try CheckpointSource(opening: path)
      let whole = try source.specs.indices.map { try bytes(of: source, $0) }
      DispatchQueue.concurrentPerform(iterations: 8) { turn in
        for _ in 0..<50 {
          for index in source.specs.indices {
            #expect((try? bytes(of: source, index, step: turn + 1)) == whole[index])
          }
        }
      }
    }
  }

  @Test("a folder's links are not followed; the path itself may be one") func links() throws {
    let item = try #require(ConversionCase.accepted.first { $0.id == "safetensors" })
    try item.withFiles { path in
      try withTemporaryDirectory { folder in
        #expect(symlink(path, folder + "/model.safetensors") == 0)
        let error = #expect(throws: CheckpointFileError.self) {
          try CheckpointSource(opening: folder)
        }
        #expect(error?.message.contains("link") == true)
        _ = try CheckpointSource(opening: folder + "/model.safetensors")
        // Beside a model that is a file, a link is left out and said so.
        #expect(unlink(folder + "/model.safetensors") == 0)
        try write(try contents(path), folder + "/model.safetensors")
        #expect(symlink(path, folder + "/secret.json") == 0)
        let source = try CheckpointSource(opening: folder)
        #expect(source.notes.contains { $0.contains("secret.json") })
        #expect(try CheckpointWriter(source).skeletons().map(\.fileName) == ["model.safetensors"])
      }
    }
  }

  @Test("a shard that is a link is refused") func shardLink() throws {
    let item = try #require(ConversionCase.accepted.first { $0.id == "shards" })
    try item.withFiles { path in
      let shard = path.replacingOccurrences(
        of: "model.safetensors.index.json", with: "s1.safetensors")
      #expect(rename(shard, shard + ".real") == 0)
      #expect(symlink(shard + ".real", shard) == 0)
      #expect(throws: CheckpointFileError.self) { try CheckpointSource(opening: path) }
    }
  }

  @Test("neither a FIFO nor a missing file is waited for") func noFile() throws {
    try withTemporaryDirectory { folder in
      #expect(mkfifo(folder + "/fifo", 0o600) == 0)
      for name in ["fifo", "none"] {
        #expect(throws: CheckpointFileError.self) {
          try CheckpointSource(opening: folder + "/" + name)
        }
      }
    }
  }

  /// A zip whose one member has zeros for its bytes, which take no room on the disk.
  private func writeSparseZip(
    _ path: String, member: String, byteCount: Int, rows: Int = 1, padding: Int = 0
  ) throws {
    func littleEndian(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let name = Array(member.utf8)
    let fields =
      [20, 0, 0, 0, 0x21, 0, 0].flatMap { littleEndian($0, 2) } + littleEndian(byteCount, 4)
      + littleEndian(byteCount, 4) + littleEndian(name.count, 2)
    let head = [0x50, 0x4b, 3, 4] + fields + [0, 0]
    let row =
      [0x50, 0x4b, 1, 2, 20, 0] + fields + [UInt8](repeating: 0, count: 16) + name
    let start = head.count + name.count + byteCount
    let directory = (0..<rows).flatMap { _ in row }
    try write(head + name, path)
    #expect(truncate(path, start) == 0)
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.seekToEnd()
    try file.write(contentsOf: Data(directory))
    try file.close()
    let end = start + directory.count + padding
    #expect(truncate(path, end) == 0)
    let tail = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try tail.seekToEnd()
    try tail.write(
      contentsOf: Data(
        [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + littleEndian(rows, 2) + littleEndian(rows, 2)
          + littleEndian(end - start, 4) + littleEndian(start, 4) + [0, 0]))
    try tail.close()
  }

  @Test("a directory or a pickle of more than 64 MiB is refused before it is read") func limits()
    throws
  {
    let limit = 64 << 20
    try withTemporaryDirectory { folder in
      let path = folder + "/m.pt"
      func refusal() -> CheckpointFileError? {
        #expect(throws: CheckpointFileError.self) { try CheckpointSource(opening: path) }
      }
      try writeSparseZip(path, member: "a/data.pkl", byteCount: limit + 1)
      #expect(refusal()?.code == .limit)
      #expect(refusal()?.message.contains("its pickle has \(limit + 1) bytes") == true)
      // A small one is read, and its checksum is another.
      try writeSparseZip(path, member: "a/data.pkl", byteCount: 8)
      #expect(refusal()?.code == .damaged)
      try writeSparseZip(path, member: "a/data.pkl", byteCount: 8, padding: limit)
      #expect(refusal()?.code == .limit)
      #expect(refusal()?.message.contains("the central directory has 1 members") == true)
    }
  }

  @Test("a skeleton over the limit is not kept, and the tensors are") func largeLiteral() throws {
    try withTemporaryDirectory { folder in
      let path = folder + "/m.pt"
      let item = try #require(ConversionCase.accepted.first { $0.id == "torch-plain" })
      try write(try #require(item.files.values.first).bytes, path)
      let file = try RandomAccessFile(path)
      let read = try AnyFormat.read(file, name: "m.pt")
      let placed = try read.tensors.map { tensor in
        PlacedTensor(
          spec: try #require(
            TensorSpec(name: tensor.name, role: .weight, type: tensor.type, shape: tensor.shape)),
          file: file, bytes: tensor.bytes)
      }
      #expect(try FileSkeleton(of: read, tensors: placed, remaining: 10) == nil)
      #expect(try FileSkeleton(of: read, tensors: placed, remaining: 4096) != nil)
    }
  }

  @Test("lists nested a hundred thousand times overflow nothing") func deep() throws {
    var machine = PickleMachine(
      [0x80, 2] + [UInt8](repeating: 0x5d, count: 100_000)
        + [UInt8](repeating: 0x61, count: 99_999) + [0x2e])
    _ = try machine.run()
    #expect(machine.arena.lists.count == 100_000)
  }

  /// Each is one rule away from a pickle that is read, which the first of them shows.
  @Test(
    "pickles that break a rule are refused",
    arguments: [
      ("read", [0x5d, 0x2e]),
      ("a mark is left", [0x28, 0x5d, 0x2e]),
      ("append below a mark", [0x5d, 0x28, 0x4e, 0x61, 0x2e]),
      ("keep what stands below a mark", [0x5d, 0x28, 0x71, 0, 0x65, 0x2e]),
      ("a member without a value", [0x7d, 0x28, 0x4e, 0x75, 0x2e]),
      ("a name without end", [0x63] + [UInt8](repeating: 0x61, count: 300) + [10, 0x61, 10, 0x2e]),
      ("two values", [0x4e, 0x5d, 0x2e]),
    ] as [(String, [UInt8])])
  func pickles(rule: String, bytes: [UInt8]) {
    var machine = PickleMachine([0x80, 2] + bytes)
    if rule == "read" {
      #expect(throws: Never.self) { try machine.run() }
    } else {
      #expect(throws: ParsingError.self) { try machine.run() }
    }
  }

  /// ("storage", FloatStorage, "0", "cpu", count), and of it a tensor.
  private func tensorPickle(
    kind: String = "storage", device: [UInt8] = [0x8c, 1, 0x63], count: [UInt8] = [0x4b, 4],
    offset: [UInt8] = [0x4b, 0], shape: [UInt8] = [0x4b, 4, 0x85],
    strides: [UInt8] = [0x4b, 1, 0x85]
  ) -> [UInt8] {
    func global(_ module: String, _ name: String) -> [UInt8] {
      [0x63] + Array("\(module)\n\(name)\n".utf8)
    }
    let storage: [UInt8] =
      [0x28, 0x8c, UInt8(kind.utf8.count)] + Array(kind.utf8) + global("torch", "FloatStorage")
      + [0x8c, 1, 0x30] + device + count + [0x74, 0x51]
    return [0x80, 2] + global("torch._utils", "_rebuild_tensor_v2") + [0x28] + storage + offset
      + shape + strides + [0x89] + global("collections", "OrderedDict") + [0x29, 0x52, 0x74, 0x52]
      + [0x2e]
  }

  @Test("a tensor of a pickle that is not described as PyTorch does is refused") func tensors() {
    let negative: [UInt8] = [0x4a, 0xff, 0xff, 0xff, 0xff]
    func refuses(_ bytes: [UInt8]) {
      var machine = PickleMachine(bytes)
      #expect(throws: ParsingError.self) { try machine.run() }
    }
    var machine = PickleMachine(tensorPickle())
    #expect(throws: Never.self) { try machine.run() }
    refuses(tensorPickle(kind: "storagf"))
    refuses(tensorPickle(device: [0x4b, 1]))
    refuses(tensorPickle(count: negative))
    refuses(tensorPickle(offset: negative))
    refuses(tensorPickle(shape: negative + [0x85]))
    refuses(tensorPickle(strides: [0x4b, 1, 0x4b, 1, 0x86]))
    let ones: [[UInt8]] = Array(repeating: [0x4b, 1], count: TensorSpec.rankLimit + 1)
    let many: [UInt8] = [0x28] + ones.flatMap { $0 } + [0x74]
    refuses(tensorPickle(shape: many, strides: many))
  }

  @Test(
    "heads of NumPy arrays that break a rule are refused",
    arguments: [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
      "{'descr': ", "{'descr': '<f4\\', 'fortran_order': False, 'shape': (2,), }",
      "{'descr': '<f4', 'fortran_order': Fals, 'shape': (2,), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1), }",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
    ])
  func numpyHeads(text: String) {
    func head(_ version: [UInt8]) -> [UInt8] {
      [0x93] + Array("NUMPY".utf8) + version + [UInt8(text.utf8.count), 0] + Array(text.utf8)
    }
    if text == "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }" {
      #expect(throws: Never.self) { try NumpyHeader(parsing: head([1, 0])) }
      #expect(throws: ParsingError.self) { try NumpyHeader(parsing: head([1, 1])) }
      #expect(throws: ParsingError.self) { try NumpyHeader(parsing: head([0, 0])) }
    } else {
      #expect(throws: ParsingError.self) { try NumpyHeader(parsing: head([1, 0])) }
    }
  }

  @Test("a pickle of too many steps is refused") func steps() {
    var machine = PickleMachine(
      [0x80, 2] + [UInt8](repeating: 0x4e, count: (1 << 22) + 1) + [0x2e])
    let error = #expect(throws: ParsingError.self) { try machine.run() }
    #expect(error?.kind == .limit)
  }
}
