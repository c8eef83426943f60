import Foundation

/// A certificate authority for one test run and certificates it signs, made with the `openssl` command line.
///
/// Nothing of it is in the repository: keys in a repository end up in use.
public final class TestCertificates: Sendable {
    public enum Key: String, Sendable, CaseIterable {
        case rsa
        case p256

        var options: [String] {
            switch self {
            case .rsa: ["-newkey", "rsa:2048"]
            case .p256: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            }
        }
    }

    /// A certificate and its key, PEM files.
    public struct Files: Hashable, Sendable {
        public let certificate: String
        public let privateKey: String
    }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// One authority for all tests of a process that need nothing special of it.
    public static let shared = Result { try TestCertificates() }

    /// The authority's certificate, a PEM file.
    public let authority: String
    private let directory: TemporaryDirectory
    private var authorityKey: String { "\(self.directory.path)/ca.key" }

    public init(name: String = "Outpost test authority") throws {
        self.directory = try TemporaryDirectory()
        self.authority = "\(self.directory.path)/ca.pem"
        try Self.openssl(
            [
                "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-keyout", self.authorityKey, "-out",
                self.authority,
            ]
                + Key.p256.options
        )
    }

    /// A certificate for `names` (DNS names, or IP addresses written `IP:127.0.0.1`); the first is the common name.
    public func make(_ names: [String], key: Key = .p256, isExpired: Bool = false) throws -> Files {
        let base = "\(self.directory.path)/\(UUID().uuidString)"
        let files = Files(certificate: "\(base).pem", privateKey: "\(base).key")
        try Self.openssl(
            [
                "req", "-new", "-nodes", "-subj", "/CN=\(names.first ?? "unnamed")", "-keyout", files.privateKey, "-out",
                "\(base).csr",
            ]
                + key.options
        )
        let alternatives = names.map { $0.hasPrefix("IP:") ? $0 : "DNS:\($0)" }.joined(separator: ",")
        let extensions = "basicConstraints=CA:FALSE\n" + (names.isEmpty ? "" : "subjectAltName=\(alternatives)\n")
        try Data(extensions.utf8).write(to: URL(filePath: "\(base).ext"))
        try Self.openssl([
            "x509", "-req", "-in", "\(base).csr", "-CA", self.authority, "-CAkey", self.authorityKey,
            "-set_serial", String(UInt32.random(in: 1...(.max))), "-extfile", "\(base).ext", "-days", isExpired ? "-1" : "2",
            "-out", files.certificate,
        ])
        return files
    }

    /// Runs `openssl` to its end.
    private static func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(description: "openssl \(arguments[0]): \(text)") }
    }
}
