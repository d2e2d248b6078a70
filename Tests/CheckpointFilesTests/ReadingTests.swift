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

  @Test("a pickle of too many steps is refused") func steps() {
    var machine = PickleMachine(
      [0x80, 2] + [UInt8](repeating: 0x4e, count: (1 << 22) + 1) + [0x2e])
    let error = #expect(throws: ParsingError.self) { try machine.run() }
    #expect(error?.kind == .limit)
  }
}
