/// The elements of a short XML answer of an S3 server, found by name.
///
/// No parser of XML: no attributes, comments or entities of its own are known, and what is nested in an
/// element of the same name is not found. S3's answers have none of these, and whatever is read here
/// decides nothing that a digest does not decide again.
struct XMLElements {
  private let bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }
  private init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  func first(_ name: String) -> XMLElements? {
    var position = bytes.startIndex
    return next(name, from: &position)
  }

  func all(_ name: String) -> [XMLElements] {
    var found: [XMLElements] = []
    var position = bytes.startIndex
    while let element = next(name, from: &position) { found.append(element) }
    return found
  }

  /// The characters, with XML's five named entities and numbered characters replaced.
  var text: String {
    var out = ""
    var rest = String(decoding: bytes, as: UTF8.self)[...]
    while let start = rest.firstIndex(of: "&") {
      out += rest[..<start]
      rest = rest[rest.index(after: start)...]
      guard let end = rest.prefix(12).firstIndex(of: ";"),
        let character = XMLElements.character(rest[..<end])
      else {
        out += "&"
        continue
      }
      out.unicodeScalars.append(character)
      rest = rest[rest.index(after: end)...]
    }
    return out + rest
  }

  private static func character(_ name: Substring) -> Unicode.Scalar? {
    switch name {
    case "amp": "&"
    case "lt": "<"
    case "gt": ">"
    case "quot": "\""
    case "apos": "'"
    default:
      if name.hasPrefix("#x") {
        UInt32(name.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init)
      } else if name.hasPrefix("#") {
        UInt32(name.dropFirst()).flatMap(Unicode.Scalar.init)
      } else {
        nil
      }
    }
  }

  private func next(_ name: String, from position: inout Int) -> XMLElements? {
    let opening = Array("<\(name)".utf8)
    while let open = find(opening, from: position),
      let start = bytes[open...].firstIndex(of: UInt8(ascii: ">"))
    {
      position = start + 1
      // The name may be followed by a namespace, as in `<Name xmlns="…">`; otherwise it is a longer
      // name that begins the same, or an empty element.
      let after = bytes[open + opening.count]
      guard after == UInt8(ascii: ">") || after == UInt8(ascii: " "),
        bytes[start - 1] != UInt8(ascii: "/")
      else { continue }
      guard let end = find(Array("</\(name)>".utf8), from: position) else { return nil }
      defer { position = end + opening.count + 2 }
      return XMLElements(bytes[position..<end])
    }
    return nil
  }

  private func find(_ wanted: [UInt8], from start: Int) -> Int? {
    guard let first = wanted.first else { return nil }
    var position = start
    while position + wanted.count <= bytes.endIndex {
      guard let candidate = bytes[position...].firstIndex(of: first),
        candidate + wanted.count <= bytes.endIndex
      else { return nil }
      if bytes[candidate..<candidate + wanted.count].elementsEqual(wanted) { return candidate }
      position = candidate + 1
    }
    return nil
  }
}
