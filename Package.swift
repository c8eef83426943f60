// swift-tools-version: 6.2

import PackageDescription

/// Every target is built alike: Swift 6, warnings are errors, `any` is written out.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// Of what is done some thousand times a message. Exclusive access, which the compiler proves for nearly all of it, is checked at run
/// time in debug builds, with which all tests run; in a release the checks would cost 3 % of the time that rules take.
let evaluation: [SwiftSetting] = settings + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// A Swift target of ours. `scripts/layering` holds the list below against the layers of `docs/architecture.md`.
func layer(_ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = settings) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// A program. In a release the Swift runtime is linked in: a call into it is then a call, and no table is asked for its address.
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    let isStatic = ["-static-stdlib"]
    return .executableTarget(
        name: name,
        dependencies: dependencies,
        swiftSettings: settings + [.unsafeFlags(isStatic, .when(configuration: .release))],
        linkerSettings: [.unsafeFlags(isStatic, .when(configuration: .release))]
    )
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "outpost-gateway",
    products: [
        .executable(name: "outpost", targets: ["outpost"]),
        .executable(name: "outpost-scanner", targets: ["outpost-scanner"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // 0: C modules
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(name: "CClamAV", pkgConfig: "libclamav", providers: [.apt(["libclamav-dev"])]),
        .systemLibrary(name: "CUnbound", pkgConfig: "libunbound", providers: [.apt(["libunbound-dev"])]),
        .target(name: "CVectorscan"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "COutpostSystem"),
        .target(name: "COutpostTerminal"),

        // 1: kits, one Swift owner for each C module
        layer("OpenSSLKit", ["COpenSSL"]),
        layer("PatternKit", ["CPCRE2", "CVectorscan"], settings: evaluation),
        layer("ClamAVKit", ["CClamAV"]),
        layer("SystemKit", ["COutpostSystem"]),
        layer("UnboundKit", ["CUnbound"]),
        layer("DeflateKit", ["CZlib"]),

        // 2: pure cores
        layer("MailTypes"),
        layer("SMTPCore", ["MailTypes", nioCore]),
        layer("MailMessage", ["MailTypes", "SystemKit", "DeflateKit"]),
        layer("MailChecks", ["MailTypes", "MailMessage"]),
        layer("MailRules", ["MailTypes", "MailMessage", "PatternKit", "OpenSSLKit"], settings: evaluation),
        layer("MailPolicy", ["MailTypes"]),
        layer("DeliveryCore", ["MailTypes"]),
        layer("SenderAuth", ["MailTypes", "MailMessage", "OpenSSLKit"]),
        layer("SenderReputation", ["MailTypes", "MailChecks"]),

        // 3: edges
        layer("AdminSocket", ["SystemKit", nioPosix, logging]),
        layer("ContentStorage", ["SystemKit"]),
        layer("DNSClient", ["MailTypes", "UnboundKit"]),
        layer("TLSTransport", ["OpenSSLKit", "MailTypes", nioCore]),
        layer(
            "SMTPServer",
            ["MailTypes", "SMTPCore", "ContentStorage", "SystemKit", "TLSTransport", "OpenSSLKit", nioCore, nioPosix, logging]
        ),
        layer(
            "SMTPClient",
            ["MailTypes", "SMTPCore", "ContentStorage", "TLSTransport", "OpenSSLKit", nioCore, nioPosix, logging]
        ),
        layer("VirusScan", ["MailTypes", "ContentStorage", "SystemKit", nioCore, nioPosix, logging]),
        layer("MailStore", ["MailTypes", "MailPolicy", "ContentStorage", "OpenSSLKit", "SystemKit", grdb, logging]),

        // 4: application
        layer(
            "Gateway",
            [
                "MailTypes", "SMTPCore", "MailMessage", "MailChecks", "MailRules", "MailPolicy", "ContentStorage",
                "TLSTransport", "OpenSSLKit", "PatternKit", "SystemKit", "SMTPServer", "SMTPClient", "VirusScan", "MailStore",
                "SenderAuth", "SenderReputation", "DNSClient", "DeliveryCore", "DeflateKit", "AdminSocket", nioCore,
                nioPosix,
                logging,
            ]
        ),
        layer("ConfigurationFile", ["Gateway", "MailTypes", "MailPolicy", "SenderAuth", "SenderReputation", "SMTPCore", yams]),

        // 5: programs
        layer("QuarantineReview", ["COutpostTerminal", "MailTypes", "MailMessage", "MailStore", "ContentStorage", "SystemKit"]),
        program(
            "outpost",
            [
                "Gateway", "ConfigurationFile", "MailTypes", "MailMessage", "MailRules", "PatternKit", "MailStore", "MailPolicy",
                "SMTPClient", "SenderAuth", "AdminSocket",
                "QuarantineReview", "SMTPCore", "SystemKit", "ContentStorage", nioCore, nioPosix, logging, argumentParser,
            ]
        ),
        program("outpost-scanner", ["ClamAVKit", "SystemKit", "COutpostSystem"]),

        // 6: tests
        layerTestKit(),
        tests("MailTypesTests", ["MailTypes", "OutpostTestKit"]),
        tests("SMTPCoreTests", ["SMTPCore", "MailTypes", "OutpostTestKit", nioCore]),
        tests(
            "SMTPServerTests",
            [
                "SMTPServer", "SMTPCore", "MailTypes", "ContentStorage", "TLSTransport", "OpenSSLKit", "OutpostTestKit", nioCore,
                nioPosix,
                nioEmbedded, logging,
            ]
        ),
        tests(
            "SMTPClientTests",
            ["SMTPClient", "SMTPCore", "MailTypes", "ContentStorage", "OutpostTestKit", nioCore, nioPosix, logging]
        ),
        tests("MailMessageTests", ["MailMessage", "MailTypes", "OutpostTestKit"]),
        tests("MailChecksTests", ["MailChecks", "MailMessage", "MailTypes", "OutpostTestKit"]),
        tests("MailRulesTests", ["MailRules", "MailMessage", "PatternKit", "MailTypes", "OutpostTestKit"]),
        tests("SenderAuthTests", ["SenderAuth", "DNSClient", "MailTypes", "MailMessage", "OpenSSLKit", "OutpostTestKit", yams]),
        tests("SenderReputationTests", ["SenderReputation", "MailChecks", "MailTypes", "OutpostTestKit"]),
        tests("DNSClientTests", ["DNSClient", "SenderAuth", "MailMessage", "MailTypes", "OutpostTestKit"]),
        tests("DeliveryCoreTests", ["DeliveryCore", "MailMessage", "MailTypes", "OutpostTestKit"]),
        tests("MailPolicyTests", ["MailPolicy", "MailTypes", "OutpostTestKit"]),
        tests(
            "TLSTransportTests",
            ["TLSTransport", "OpenSSLKit", "MailTypes", "OutpostTestKit", nioCore, nioPosix, nioEmbedded]
        ),
        tests("VirusScanTests", ["VirusScan", "MailTypes", "ContentStorage", "SystemKit", "OutpostTestKit", nioPosix, logging]),
        tests(
            "MailStoreTests",
            ["MailStore", "MailPolicy", "MailTypes", "ContentStorage", "OpenSSLKit", "SystemKit", "OutpostTestKit", grdb]
        ),
        tests(
            "QuarantineReviewTests",
            ["QuarantineReview", "MailStore", "MailMessage", "MailTypes", "ContentStorage", "OutpostTestKit"]
        ),
        tests(
            "GatewayTests",
            [
                "Gateway", "ConfigurationFile", "MailPolicy", "MailRules", "PatternKit", "MailTypes", "SMTPCore", "SMTPServer",
                "SMTPClient",
                "ContentStorage", "DeflateKit", "MailStore", "MailMessage", "OpenSSLKit", "VirusScan", "SystemKit",
                "OutpostTestKit", nioCore,
                nioPosix, nioEmbedded, logging,
            ]
        ),
        tests(
            "ConfigurationFileTests",
            ["ConfigurationFile", "Gateway", "MailPolicy", "MailTypes", "SMTPCore", "OutpostTestKit"]
        ),
        tests("AdminSocketTests", ["AdminSocket", "SystemKit", "OutpostTestKit", logging]),
        tests("IntegrationTests", ["OutpostTestKit"]),
        tests("DocumentationTests", ["OutpostTestKit"]),
    ],
    swiftLanguageModes: [.v6]
)

/// Fixtures, temporary directories, processes and scripted peers for the tests; depends on nothing of the gateway.
func layerTestKit() -> Target {
    .target(name: "OutpostTestKit", path: "Tests/OutpostTestKit", swiftSettings: settings)
}

// Fuzzing needs an entry point of libFuzzer's in place of `main`, so its program is there only when `scripts/fuzz` asks for it.
if Context.environment["OUTPOST_FUZZING"] != nil {
    package.products.append(.executable(name: "outpost-fuzz", targets: ["outpost-fuzz"]))
    package.targets.append(
        .executableTarget(
            name: "outpost-fuzz",
            dependencies: [
                "MailTypes", "MailMessage", "MailRules", "SenderAuth", "DeliveryCore", "SMTPCore", "ConfigurationFile", nioCore,
            ],
            path: "Fuzzing",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        )
    )
}

// Programs that measure are there only for the scripts in `Benchmarks`.
if Context.environment["OUTPOST_BENCHMARKS"] != nil {
    package.products.append(.executable(name: "outpost-sender-benchmark", targets: ["outpost-sender-benchmark"]))
    package.targets.append(
        .executableTarget(
            name: "outpost-sender-benchmark",
            dependencies: ["MailTypes", "MailMessage", "SenderAuth"],
            path: "Benchmarks/SenderBenchmark",
            swiftSettings: settings
        )
    )
}
