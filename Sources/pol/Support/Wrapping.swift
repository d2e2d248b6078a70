/// Text in lines of at most `width` characters, cut at spaces; words longer than that stand alone.
///
/// - Parameter keepsCommands: What stands between backticks is one word, to be copied from one line.
func wrapped(_ text: String, width: Int, keepsCommands: Bool = false) -> [String] {
  var lines: [String] = []
  var line = ""
  for word in words(text, keepsCommands: keepsCommands) {
    if !line.isEmpty, line.count + 1 + word.count > width {
      lines.append(line)
      line = ""
    }
    line += line.isEmpty ? word : " \(word)"
  }
  if !line.isEmpty { lines.append(line) }
  return lines.isEmpty ? [""] : lines
}

private func words(_ text: String, keepsCommands: Bool) -> [String] {
  var words: [String] = []
  var isInside = false
  for word in text.split(separator: " ") {
    if isInside, let last = words.popLast() {
      words.append("\(last) \(word)")
    } else {
      words.append(String(word))
    }
    if keepsCommands, !word.count(where: { $0 == "`" }).isMultiple(of: 2) { isInside.toggle() }
  }
  return words
}
