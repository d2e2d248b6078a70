internal import COpenSSL
internal import ProofPrimitives

/// Why a key could not be read, made or used.
package struct CryptographyError: Error, Sendable, CustomStringConvertible {
  package struct Code: Hashable, Sendable {
    package let name: String
    package static let badKey = Code(name: "badKey")
    package static let badKeyFile = Code(name: "badKeyFile")
    package static let library = Code(name: "library")
  }

  package let code: Code
  package let message: String
  package let remedy: String

  package init(_ code: Code, _ message: String, remedy: String) {
    self.code = code
    self.message = message
    self.remedy = remedy
  }

  package var description: String { "\(code.name): \(message); \(remedy)" }
}
