import ContentStorage
import Foundation
import OutpostTestKit
import SystemKit

@testable import VirusScan

/// Harmless content that engines find.
enum ScanSamples {
    /// EICAR's test file in two halves, so that virus scanners leave the checkout alone.
    static let eicar = Array(#"X5O!P%@AP[4\PZX54(P^)7CC)7}$"#.utf8) + Array("EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*".utf8)
    static let eicarName = "Eicar-Test-Signature.UNOFFICIAL"
    static let clean = Array("Subject: hello\r\n\r\nNothing is in here.\r\n".utf8)

    /// A message with one attachment.
    static func mail(attachment: [UInt8]) -> [UInt8] {
        let encoded = Data(attachment).base64EncodedString(options: [.lineLength76Characters])
        return Array(
            """
            From: a@example.com\r
            To: b@example.net\r
            Subject: a file\r
            MIME-Version: 1.0\r
            Content-Type: multipart/mixed; boundary="b"\r
            \r
            --b\r
            Content-Type: text/plain\r
            \r
            See the file.\r
            --b\r
            Content-Type: application/octet-stream; name="file.bin"\r
            Content-Disposition: attachment; filename="file.bin"\r
            Content-Transfer-Encoding: base64\r
            \r
            \(encoded)\r
            --b--\r

            """.utf8
        )
    }

    static func subject(_ bytes: [UInt8]) -> ScanSubject { ScanSubject(message: .memory(bytes)) }

    /// The same content in an unlinked file.
    static func file(_ bytes: [UInt8], in directory: TemporaryDirectory) throws -> ScanSubject {
        let file = try File(unlinkedIn: directory.path)
        try file.write(bytes, at: 0)
        return ScanSubject(message: .file(file, octets: bytes.count))
    }

    /// Runs a packer on a file in `directory` and returns what it made.
    static func packed(_ content: [UInt8], by tool: [String], to result: String, in directory: TemporaryDirectory) throws
        -> [UInt8]
    {
        try Data(content).write(to: directory.url.appending(path: "content.bin"))
        return try self.run(tool, result: result, in: directory)
    }

    static func run(_ tool: [String], result: String, in directory: TemporaryDirectory) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = tool
        process.currentDirectoryURL = directory.url
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return try Fixture.bytes(directory.url.appending(path: result))
    }

    static func isInstalled(_ program: String) -> Bool {
        ["/usr/bin", "/usr/sbin", "/bin"].contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }
}

/// The scanner program of this checkout, when it is built.
enum BuiltScanner {
    static let path: String? = {
        let candidates = ["debug", "release"].map { Fixture.root.appending(path: ".build/\($0)/outpost-scanner").path }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    static var isThere: Bool { self.path != nil }

    static let signatures = Fixture.directory.appending(path: "signatures").path
}

/// Waits for a fact, looking often and not for ever.
func eventually(within limit: Duration = .seconds(20), _ isTrue: () async -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if await isTrue() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return await isTrue()
}
