import Mustache
import ProofPrimitives

/// Escapes each scalar for HTML, in text and in quoted attributes.
///
/// The library's own escaping looks at characters: a bracket or a quotation mark that a combining scalar
/// clings to is another character there and passes, and browsers see the bracket.
struct PageContent: MustacheContentType {
  func escapeText(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "<": out.append(contentsOf: "&lt;".unicodeScalars)
      case ">": out.append(contentsOf: "&gt;".unicodeScalars)
      case "&": out.append(contentsOf: "&amp;".unicodeScalars)
      case "\"": out.append(contentsOf: "&quot;".unicodeScalars)
      case "'": out.append(contentsOf: "&#39;".unicodeScalars)
      default: out.append(scalar)
      }
    }
    return String(out)
  }
}

/// The pages' templates. Whatever fills them is escaped: none uses a form that does not.
struct ExplorerTemplates: Sendable {
  private let library: MustacheLibrary

  /// - Throws: When a template is malformed, which its tests would show.
  init() throws {
    MustacheContentTypes.register(PageContent(), named: "PAGE")
    var library = MustacheLibrary()
    for (name, bytes) in [
      ("layout", PackageResources.layout_mustache), ("home", PackageResources.home_mustache),
      ("entry", PackageResources.entry_mustache), ("search", PackageResources.search_mustache),
      ("key", PackageResources.key_mustache), ("head", PackageResources.head_mustache),
      ("problem", PackageResources.problem_mustache),
      ("entries", PackageResources.entries_mustache), ("plot", PackageResources.plot_mustache),
    ] {
      // A partial begins with the library's content type, so each template says ours.
      let text = "{{% CONTENT_TYPE:PAGE}}" + String(decoding: bytes, as: UTF8.self)
      try library.register(text, named: name)
    }
    self.library = library
  }

  /// - Parameter values: Text, numbers, flags, lists and maps of these.
  func page(_ name: String, _ values: [String: Any]) -> [UInt8] {
    Array((library.render(values, withTemplate: name) ?? "").utf8)
  }
}

/// A stranger's text for a page: what would not show, or would turn the text around, is spelled out.
func shown(_ text: String, limit: Int = ExplorerLimits.textScalars) -> String {
  printable(text, limit: limit)
}
