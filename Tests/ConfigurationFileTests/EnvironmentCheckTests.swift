import Foundation
import Gateway
import OutpostTestKit
import Testing

@testable import ConfigurationFile

/// Files that a test makes up.
private struct FakeFiles: FileAccess {
    var kinds: [String: FileKind] = [:]
    var unreadable: Set<String> = []
    var unwritable: Set<String> = []
    var open: Set<String> = []

    func contents(_ path: String, limit: Int) throws -> [UInt8] { throw FileProblem(description: "there is no such file") }
    func kind(_ path: String) -> FileKind { self.kinds[path] ?? .missing }
    func isReadable(_ path: String) -> Bool { !self.unreadable.contains(path) }
    func isWritable(_ path: String) -> Bool { !self.unwritable.contains(path) }
    func isExecutable(_ path: String) -> Bool { self.kinds[path] == .file }
    func isReadableByAll(_ path: String) -> Bool { self.open.contains(path) }
}

@Suite("The host's files against the configuration")
struct EnvironmentCheckTests {
    private static let text = """
        hostname: mx1.example.com
        data_directory: /data/outpost
        listeners:
          - address: "0.0.0.0:25"
            tls: {certificate: /tls/cert.pem, private_key: /tls/key.pem}
        domains:
          - names: [example.com]
            downstream: ["mail.internal:25"]
        rules: [/rules]
        """

    private static let complete = FakeFiles(kinds: [
        "/data": .directory, "/tls/cert.pem": .file, "/tls/key.pem": .file, "/rules": .directory, "/var/lib/clamav": .directory,
    ])

    private func issues(_ change: (inout FakeFiles) -> Void) -> [String] {
        var files = Self.complete
        change(&files)
        return ConfigurationReader.read(text: Self.text, file: "f").checkEnvironment(files: files).map(\.description)
    }

    @Test("nothing to say when all is there")
    func complete() {
        #expect(self.issues { _ in } == [])
    }

    @Test("what is missing is said, at its line")
    func missing() {
        #expect(
            self.issues { $0 = FakeFiles() }
                == [
                    "f:2:17: error: data_directory: /data/outpost does not exist and cannot be made (make it, writable for the gateway)",
                    "f:5:24: error: listeners[0].tls.certificate: /tls/cert.pem does not exist",
                    "f:5:52: error: listeners[0].tls.private_key: /tls/key.pem does not exist",
                    "f:9:9: error: rules[0]: /rules does not exist",
                    "f:1:1: error: antivirus.database: /var/lib/clamav does not exist",
                ].sorted { $0.hasPrefix("f:1:1") && !$1.hasPrefix("f:1:1") }
        )
    }

    @Test("what cannot be used is said")
    func unusable() {
        #expect(
            self.issues { $0.unreadable = ["/tls/key.pem"] } == [
                "f:5:52: error: listeners[0].tls.private_key: /tls/key.pem is not readable"
            ]
        )
        #expect(
            self.issues { $0.open = ["/tls/key.pem"] } == [
                "f:5:52: warning: listeners[0].tls.private_key: /tls/key.pem can be read by every user of this host (chmod o-r)"
            ]
        )
        #expect(
            self.issues { files in
                files.kinds["/data/outpost"] = .directory
                files.unwritable = ["/data/outpost"]
            } == ["f:2:17: error: data_directory: /data/outpost is not writable"]
        )
        #expect(self.issues { $0.kinds["/rules"] = .file } == ["f:9:9: error: rules[0]: /rules is not a directory"])
    }

    @Test("reads a real file and checks real paths")
    func real() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            Self.text.replacingOccurrences(of: "/data/outpost", with: "data")
                .replacingOccurrences(of: "/rules", with: "rules") + "\nantivirus: {engine: none}\n",
            to: "outpost.yaml"
        )
        try directory.write("", to: "rules/a.cf")
        let result = ConfigurationReader.load(file: file, environment: [:], files: SystemFileAccess())
        #expect(result.configuration == nil)
        #expect(result.issues.map(\.path) == ["listeners[0].tls.certificate", "listeners[0].tls.private_key"])

        let missing = ConfigurationReader.load(file: directory.path + "/none.yaml", environment: [:], files: SystemFileAccess())
        #expect(
            missing.issues.map(\.description) == ["\(directory.path)/none.yaml: error: cannot be read: there is no such file"]
        )
        let folder = ConfigurationReader.load(file: directory.path, environment: [:], files: SystemFileAccess())
        #expect(folder.issues.map(\.message) == ["cannot be read: it is a directory"])
    }
}
