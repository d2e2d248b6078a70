/// The first bytes of everything that is hashed or signed, so that no two kinds of thing can ever
/// have the same digest or share a signature (`spec/glossary.md`, "Domain tags").
///
/// RFC 6962 hashes (0x00 and 0x01 prefixes) and a chunk's plain SHA-256 are the only untagged ones.
package enum DomainTag: String, CaseIterable, Sendable {
  case record = "pol/v1/record\n"
  case storedID = "pol/v1/stored-id\n"
  case seal = "pol/v1/seal\n"
  case sealDigest = "pol/v1/seal-digest\n"
  case object = "pol/v1/object\n"
  case norms = "pol/v1/norms\n"
  case tensor = "pol/v1/tensor\n"
  case model = "pol/v1/model\n"
  case dataPoint = "pol/v1/data-point\n"
  case dataSalt = "pol/v1/data-salt\n"
  case settings = "pol/v1/settings\n"
  case policy = "pol/v1/policy\n"
  case runSecret = "pol/v1/run-secret\n"
  case runSeed = "pol/v1/run-seed\n"
  case initialWeights = "pol/v1/initial-weights\n"
  case batchOrder = "pol/v1/batch-order\n"
  case draw = "pol/v1/draw\n"
  case publicDraw = "pol/v1/public-draw\n"
  case objectID = "pol/v1/object-id\n"
  case objectKey = "pol/v1/object-key\n"
  case objectData = "pol/v1/object-data\n"
  case keyCommitment = "pol/v1/key-commitment\n"
  case entryIdentity = "pol/v1/entry-identity\n"
  case statement = "pol/v1/statement\n"
  case hiding = "pol/v1/hiding\n"
  case challenge = "pol/v1/challenge\n"
  case mapKey = "pol/v1/map-key\n"
  case mapLeaf = "pol/v1/map-leaf\n"
  case mapNode = "pol/v1/map-node\n"

  package var bytes: [UInt8] { Array(rawValue.utf8) }
}
