/// Archives made of other programs' checkpoints (`spec/conversion.md` §5): nothing is known of the steps
/// between these, so that no training in them can be judged.
package enum ImportedArchive {
  /// The algorithm that their settings name.
  package static let algorithm = "import/v1"
}
