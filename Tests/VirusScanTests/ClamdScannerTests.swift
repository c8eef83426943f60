import ContentStorage
import Foundation
import Glibc
import Logging
import MailTypes
import OutpostTestKit
import Synchronization
import SystemKit
import Testing

@testable import VirusScan

@Suite("Scanning at clamd")
struct ClamdScannerTests {
    private static let budget = Duration.seconds(60)

    private func scanner(_ endpoints: [ClamdEndpoint], restTime: Duration = .seconds(5)) -> ClamdScanner {
        var configuration = ClamdScanner.Configuration(endpoints: endpoints)
        configuration.restTime = restTime
        return ClamdScanner(configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func status(
        _ scanner: ClamdScanner,
        _ subject: ScanSubject = ScanSamples.subject(ScanSamples.clean),
        budget: Duration = Self.budget
    ) async -> ScanFindings.Status {
        await scanner.scan(subject, budget: budget).status
    }

    /// Answers every stream with one text, and `VERSION`.
    private static func answering(_ reply: @escaping @Sendable ([UInt8]) -> String) -> FakeClamd.Script {
        { connection in
            var number = 0
            while true {
                number += 1
                if number == 1 { guard try connection.command() == "zIDSESSION" else { return } }
                switch try connection.command() {
                case "zVERSION": try connection.send("\(number): ClamAV 1.4.6/27450/today\0")
                case "zINSTREAM":
                    var bytes: [UInt8] = []
                    while true {
                        let length = try connection.read(4).reduce(0) { $0 << 8 | Int($1) }
                        if length == 0 { break }
                        bytes += try connection.read(length)
                    }
                    try connection.send("\(number): \(reply(bytes))\0")
                default: return
                }
            }
        }
    }

    @Test("message and parts go over one connection, each content once, and the names come together")
    func message() async throws {
        let seen = Mutex<[[UInt8]]>([])
        let clamd = try FakeClamd(
            Self.answering { bytes in
                seen.withLock { $0.append(bytes) }
                return bytes == [1] ? "stream: A FOUND" : bytes == [2] ? "stream: B A FOUND" : "stream: OK"
            }
        )
        let scanner = self.scanner([clamd.endpoint])
        let subject = ScanSubject(message: .memory([0]), parts: [[2], [1], [], [0], [2]])
        let findings = await scanner.scan(subject, budget: Self.budget)
        #expect(findings.status == .found(["B", "A"]))
        #expect(findings.engine == "ClamAV 1.4.6/27450/today")
        #expect(seen.withLock { $0 } == [[0], [2], [1]])
        #expect(await self.status(scanner) == .clean)
        #expect(clamd.connections == 1)
        await scanner.stop()
    }

    @Test("a large file is streamed whole", arguments: [0, 1, 262_143, 262_144, 262_145, 1_000_000])
    func sizes(size: Int) async throws {
        let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let clamd = try FakeClamd(Self.answering { $0 == content ? "stream: Same FOUND" : "stream: OK" })
        let directory = try TemporaryDirectory()
        let scanner = self.scanner([clamd.endpoint])
        #expect(try await self.status(scanner, ScanSamples.file(content, in: directory)) == .found(["Same"]))
        #expect(await self.status(scanner, ScanSamples.subject(content)) == .found(["Same"]))
        await scanner.stop()
    }

    @Test(
        "what is no verdict is never clean",
        arguments: [
            "1: INSTREAM size limit exceeded. ERROR\0", "INSTREAM size limit exceeded. ERROR\n",
            "1: stream: Time limit reached ERROR\0",
            "7: stream: OK\0", "stream: OK\0", "1: PONG\0", "1: stream: OKAY\0", "\0", "\u{1}\u{2}\u{3}", "1: stream: O", "",
        ]
    )
    func noVerdict(reply: String) async throws {
        let clamd = try FakeClamd { connection in
            _ = try connection.stream()
            try connection.send(reply)
        }
        let scanner = self.scanner([clamd.endpoint])
        guard case .notScanned = await self.status(scanner) else {
            Issue.record("a verdict from \(reply.debugDescription)")
            return
        }
        await scanner.stop()
    }

    @Test("a reply in single octets is a reply")
    func dripFed() async throws {
        let clamd = try FakeClamd { connection in
            _ = try connection.stream()
            for octet in "1: stream: Slow.Worm FOUND\0" { try connection.send(String(octet)) }
            _ = try connection.command()
        }
        let scanner = self.scanner([clamd.endpoint])
        #expect(await self.status(scanner, budget: .seconds(3)) == .found(["Slow.Worm"]))
        await scanner.stop()
    }

    @Test("a refusal in the middle of a stream is read, although the rest cannot be sent")
    func refusedInTheMiddle() async throws {
        let clamd = try FakeClamd { connection in
            guard try connection.command() == "zIDSESSION", try connection.command() == "zINSTREAM" else { return }
            _ = try connection.read(100)
            try connection.send("INSTREAM size limit exceeded. ERROR\0")
        }
        let scanner = self.scanner([clamd.endpoint])
        let large = ScanSamples.subject([UInt8](repeating: 0x41, count: 8_000_000))
        guard case .notScanned(.failed) = await self.status(scanner, large) else {
            Issue.record("a verdict")
            return
        }
        await scanner.stop()
    }

    @Test("no answer in time is no verdict")
    func silence() async throws {
        let clamd = try FakeClamd { connection in
            _ = try connection.stream()
            _ = try? connection.command()
        }
        let scanner = self.scanner([clamd.endpoint])
        #expect(await self.status(scanner, budget: .milliseconds(100)) == .notScanned(.timedOut))
        await scanner.stop()
    }

    @Test("an unused connection that clamd closed is replaced without a word")
    func closedWhileIdle() async throws {
        let clamd = try FakeClamd { connection in
            guard try connection.command() == "zIDSESSION" else { return }
            _ = try connection.stream()
            try connection.send("1: stream: OK\0")
        }
        let scanner = self.scanner([clamd.endpoint])
        #expect(await self.status(scanner) == .clean)
        #expect(await self.status(scanner) == .clean)
        await scanner.stop()
    }

    @Test("the next engine answers when one is away, hangs or breaks, and that one rests")
    func order() async throws {
        let (descriptor, port) = try FakeClamd.listen()
        close(descriptor)
        let breaking = try FakeClamd { connection in _ = try connection.stream() }
        let good = try FakeClamd(Self.answering { _ in "stream: Good FOUND" })
        let away = ClamdEndpoint.network(host: "127.0.0.1", port: port)
        let missing = ClamdEndpoint.unix("/nonexistent/clamd.ctl")
        let scanner = self.scanner([missing, away, breaking.endpoint, good.endpoint], restTime: .seconds(3_600))
        #expect(await self.status(scanner) == .found(["Good"]))
        #expect(await self.status(scanner) == .found(["Good"]))
        #expect(breaking.connections == 1)
        await scanner.stop()

        let silent = try FakeClamd { connection in
            _ = try connection.stream()
            _ = try? connection.command()
        }
        let patient = self.scanner([silent.endpoint, good.endpoint])
        #expect(await self.status(patient, budget: .milliseconds(800)) == .found(["Good"]))
        await patient.stop()
    }

    @Test("a resting engine is better than none, and comes back")
    func rest() async throws {
        let clamd = try FakeClamd { connection in
            if connection.number == 0 { return }
            try Self.answering { _ in "stream: OK" }(connection)
        }
        let scanner = self.scanner([clamd.endpoint], restTime: .seconds(3_600))
        guard case .notScanned = await self.status(scanner) else {
            Issue.record("a verdict without an engine")
            return
        }
        #expect(await self.status(scanner) == .clean)
        await scanner.stop()
    }
}

@Suite("The same answers from Debian's clamd", .enabled(if: ScanSamples.isInstalled("clamd"), "clamd is not installed"))
struct RealClamdTests {
    @Test("over a Unix socket with a passed file and with a copy, and over TCP")
    func answers() async throws {
        let directory = try TemporaryDirectory()
        let (listener, port) = try FakeClamd.listen()
        close(listener)
        let socket = directory.path + "/clamd"
        let configuration = try directory.write(
            """
            Foreground yes
            LocalSocket \(socket)
            TCPSocket \(port)
            TCPAddr 127.0.0.1
            DatabaseDirectory \(BuiltScanner.signatures)
            TemporaryDirectory \(directory.path)
            AlertEncrypted yes
            AlertExceedsMax yes
            """,
            to: "clamd.conf"
        )
        let process = Process()
        process.executableURL = URL(filePath: "/usr/sbin/clamd")
        process.arguments = ["-c", configuration]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        #expect(await eventually { FileManager.default.fileExists(atPath: socket) })

        for endpoint in [ClamdEndpoint.unix(socket), .network(host: "127.0.0.1", port: port)] {
            var settings = ClamdScanner.Configuration(endpoints: [endpoint])
            settings.restTime = .zero
            let scanner = ClamdScanner(configuration: settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let samples: [([UInt8], ScanFindings.Status)] = [
                (ScanSamples.clean, .clean),
                (ScanSamples.eicar, .found([ScanSamples.eicarName])),
                (ScanSamples.mail(attachment: ScanSamples.eicar), .found([ScanSamples.eicarName])),
            ]
            for (content, expected) in samples {
                let findings = await scanner.scan(ScanSamples.subject(content), budget: .seconds(20))
                #expect(findings.status == expected)
                #expect(findings.engine?.hasPrefix("ClamAV ") == true)
                let file = try ScanSamples.file(content, in: directory)
                #expect(await scanner.scan(file, budget: .seconds(20)).status == expected)
            }
            await scanner.stop()
        }
    }
}
