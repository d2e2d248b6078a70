package import ProofArchive
internal import ProofPrimitives

/// The file that carries a whole state between verifier and worker (`spec/executor.md` §4): safetensors
/// whose names begin with the tensor's role and a slash, such as `weight/layers.0.bias`.
///
/// The role is in the name because safetensors has no other place for it.
package enum StateFile {
  package static func encode(_ state: TrainingState) throws(ReexecutionError) -> [UInt8] {
    var tensors: [Tensor] = []
    for tensor in state.tensors {
      let spec = tensor.spec
      guard
        let named = TensorSpec(
          name: "\(spec.role.name)/\(spec.name)", role: spec.role, type: spec.type,
          shape: spec.shape),
        let renamed = Tensor(named, bytes: tensor.bytes)
      else { throw refusal("the name \(printable(spec.name, limit: 60)) is too long for a file") }
      tensors.append(renamed)
    }
    return SafetensorsFile.encode(tensors)
  }

  package static func parse(_ bytes: [UInt8]) throws(ReexecutionError) -> TrainingState {
    let parsed: [Tensor]
    do throws(ParsingError) {
      parsed = try SafetensorsFile.parse(bytes, role: .weight)
    } catch {
      throw refusal("\(error.reason) at byte \(error.offset)", underlying: error)
    }
    var tensors: [Tensor] = []
    for tensor in parsed {
      let name = tensor.spec.name
      guard let slash = name.firstIndex(of: "/"),
        let role = TensorRole.allCases.first(where: { $0.name == name[..<slash] }),
        let spec = TensorSpec(
          name: String(name[name.index(after: slash)...]), role: role, type: tensor.spec.type,
          shape: tensor.spec.shape),
        let renamed = Tensor(spec, bytes: tensor.bytes)
      else { throw refusal("the name \(printable(name, limit: 60)) does not begin with a role") }
      tensors.append(renamed)
    }
    guard let state = TrainingState(tensors) else { throw refusal("two tensors share a name") }
    return state
  }

  private static func refusal(
    _ message: String, underlying: (any Error)? = nil
  ) -> ReexecutionError {
    ReexecutionError(
      .badFile, message, remedy: "write states by spec/executor.md §4", underlying: underlying)
  }
}
