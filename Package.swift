// swift-tools-version: 6.1
import PackageDescription

// One build serves the demo, the tests and the benchmarks:
//   swift build -c release --build-tests -Xswiftc -enable-testing
// Arrows between targets point down only (ARCHITECTURE.md has the map).

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "pol",
  products: [.executable(name: "pol", targets: ["pol"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(
      name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CTransport", dependencies: ["CCurl"]),
    .target(name: "CKernels"),

    .target(name: "ProofPrimitives", swiftSettings: strict),
    .target(
      name: "Cryptography", dependencies: ["CKernels", "COpenSSL", "ProofPrimitives"],
      swiftSettings: strict),
    .target(
      name: "MerkleTrees", dependencies: ["Cryptography", "ProofPrimitives"],
      swiftSettings: strict),
    .target(
      name: "ChunkStorage",
      dependencies: ["CLZ4", "CTransport", "CKernels", "Cryptography", "ProofPrimitives"],
      cSettings: [.define("_GNU_SOURCE")], swiftSettings: strict),
    .target(
      name: "ProofArchive",
      dependencies: ["CKernels", "ChunkStorage", "MerkleTrees", "Cryptography", "ProofPrimitives"],
      swiftSettings: strict),
    .target(
      name: "CheckpointFiles",
      dependencies: ["CZlib", "ProofArchive", "ChunkStorage", "Cryptography", "ProofPrimitives"],
      swiftSettings: strict),
    .target(
      name: "TransparencyLedger",
      dependencies: [
        "ChunkStorage", "MerkleTrees", "Cryptography", "ProofPrimitives",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
    .target(
      name: "LedgerService",
      dependencies: [
        "CZlib", "TransparencyLedger", "ChunkStorage", "MerkleTrees", "Cryptography",
        "ProofPrimitives",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
      ],
      resources: [
        .embedInCode("openapi.yaml"), .embedInCode("Explorer/explorer.css"),
        .embedInCode("Explorer/explorer.js"), .embedInCode("Explorer/layout.mustache"),
        .embedInCode("Explorer/home.mustache"), .embedInCode("Explorer/entry.mustache"),
        .embedInCode("Explorer/search.mustache"), .embedInCode("Explorer/key.mustache"),
        .embedInCode("Explorer/head.mustache"), .embedInCode("Explorer/problem.mustache"),
        .embedInCode("Explorer/entries.mustache"), .embedInCode("Explorer/plot.mustache"),
      ], swiftSettings: strict),
    .target(
      name: "ProofRecording",
      dependencies: ["ProofArchive", "ChunkStorage", "Cryptography", "ProofPrimitives"],
      swiftSettings: strict),
    .target(
      name: "Reexecution",
      dependencies: ["CKernels", "ProofArchive", "Cryptography", "ProofPrimitives"],
      swiftSettings: strict),
    .target(
      name: "ProofVerification",
      dependencies: [
        "Reexecution", "ProofArchive", "TransparencyLedger", "ChunkStorage", "MerkleTrees",
        "Cryptography", "ProofPrimitives",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "pol",
      dependencies: [
        "CKernels",
        "ProofVerification", "ProofRecording", "Reexecution", "CheckpointFiles", "ProofArchive",
        "LedgerService", "TransparencyLedger", "ChunkStorage", "MerkleTrees", "Cryptography",
        "ProofPrimitives",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "pol-bench",
      dependencies: [
        "CKernels",
        "ProofRecording", "Reexecution", "CheckpointFiles", "ProofArchive", "TransparencyLedger",
        "ChunkStorage", "Cryptography", "ProofPrimitives",
      ],
      swiftSettings: strict),

    // For tests only: vectors, temporary folders, programs.
    .target(name: "ProofTestSupport", swiftSettings: strict),
    .testTarget(
      name: "ProofPrimitivesTests", dependencies: ["ProofPrimitives", "ProofTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "CryptographyTests",
      dependencies: ["CKernels", "Cryptography", "ProofPrimitives", "ProofTestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "TransparencyLedgerTests",
      dependencies: [
        "TransparencyLedger", "MerkleTrees", "Cryptography", "ProofPrimitives",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "LedgerServiceTests",
      dependencies: [
        "LedgerService", "TransparencyLedger", "MerkleTrees",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ProofArchiveVectorTests",
      dependencies: [
        "ProofArchive", "ChunkStorage", "MerkleTrees", "Cryptography", "ProofPrimitives",
        "ProofTestSupport",
      ], swiftSettings: strict),
    .testTarget(
      name: "MerkleTreesTests", dependencies: ["MerkleTrees", "Cryptography", "ProofPrimitives"],
      swiftSettings: strict),
    .testTarget(
      name: "ChunkStorageTests",
      dependencies: [
        "ChunkStorage", "CKernels", "Cryptography", "ProofPrimitives", "ProofTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ProofVerificationTests",
      dependencies: [
        "ProofVerification", "ProofRecording", "Reexecution", "ProofArchive", "TransparencyLedger",
        "ChunkStorage", "MerkleTrees", "Cryptography", "ProofPrimitives", "ProofTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ProofArchiveTests",
      dependencies: [
        "ProofArchive", "ChunkStorage", "Cryptography", "ProofPrimitives", "ProofTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CheckpointFilesTests",
      dependencies: [
        "CheckpointFiles", "ProofArchive", "ChunkStorage", "Cryptography", "ProofPrimitives",
        "ProofTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ProofRecordingTests",
      dependencies: [
        "ProofRecording", "ProofArchive", "ChunkStorage", "Cryptography", "ProofPrimitives",
        "ProofTestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ReexecutionTests",
      dependencies: ["Reexecution", "CKernels", "ProofArchive", "Cryptography", "ProofPrimitives"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
