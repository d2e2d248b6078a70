package import ChunkStorage
package import TransparencyLedger

/// A ledger's public files behind any object source, such as a static web server.
package struct ObjectLedgerSource: LedgerSource {
  private let source: any ObjectSource

  package init(_ source: any ObjectSource) { self.source = source }

  package func read(path: String, limit: Int) throws(LedgerError) -> [UInt8]? {
    do throws(StorageError) {
      return try source.readWhole(path, limit: limit)
    } catch {
      throw LedgerError(
        error.code == .limit ? .tooLarge : .inputOutput, error.message, remedy: error.remedy,
        path: error.place, cause: error)
    }
  }
}
