import Foundation
import Logging
import MailTypes
import NIOCore
import OutpostTestKit
import Testing

@testable import Gateway

@Suite("The log")
struct LogTests {
    /// What `docs/logging.md` says, by section.
    private static func documented() throws -> [String: Set<String>] {
        let text = String(decoding: try Fixture.bytes(Fixture.root.appending(path: "docs/logging.md")), as: UTF8.self)
        var result: [String: Set<String>] = [:]
        var section = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("## ") { section = String(line.dropFirst(3)).replacing("`", with: "") }
            let names = line.hasPrefix("| `") ? line.split(separator: "|").first ?? "" : section == "Other fields" ? line : ""
            for (index, part) in names.split(separator: "`", omittingEmptySubsequences: false).enumerated() where index % 2 == 1 {
                result[section, default: []].insert(String(part))
            }
        }
        return result
    }

    @Test("every field is described, and every described field exists")
    func fieldsAreDescribed() throws {
        let documented = try Self.documented()
        #expect(documented.values.reduce(into: Set()) { $0.formUnion($1) } == Set(LogKey.allCases.map(\.rawValue)))
    }

    private static let script = """
        # An accepted message, a refused recipient and a refused sender.
        client hello
        client C> MAIL FROM:<alice@example.org>
        client S~ 250
        client C> RCPT TO:<eve@elsewhere.example>
        client S~ 554
        client C> RCPT TO:<bob@example.com>
        client S~ 250
        client C> DATA
        client S~ 354
        client C> From: Alice <alice@example.org>
        client C> Subject: confidential-subject
        client C> Date: Mon, 23 Nov 2026 10:00:00 +0000
        client C> Message-ID: <confidential-id@example.org>
        client C>
        client C> confidential-body
        client C> .
        client S~ 250
        client quit
        """

    @Test("lines of transactions and connections have the described fields, and nothing of the message")
    func lines() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("", to: "log")
        let handle = try #require(FileHandle(forWritingAtPath: file))
        let output = LogOutput(descriptor: handle.fileDescriptor)
        let logger = Logger(label: "test") { _ in LineLogHandler(format: .json, level: .debug, output: output) }
        let downstream = try await MaildirDownstream.start(maildir: directory.path + "/Maildir", port: 0, logger: logger)
        var configuration = GatewayConfiguration(hostname: "mx.example.com", dataDirectory: directory.path + "/data")
        configuration.antivirus.engine = .none
        configuration.limits.graceSeconds = 0
        configuration.listeners = [GatewayConfiguration.Listener(address: .loopback4, port: 0)]
        var route = GatewayConfiguration.Route(hosts: [.init(name: "127.0.0.1", port: UInt16(downstream.port ?? 0))])
        route.tls = .none
        configuration.domains = [GatewayConfiguration.Domain(names: ["example.com"], route: route)]
        let gateway = try Gateway(snapshot: GatewaySnapshot(configuration: configuration, rules: nil), logger: logger)
        try await gateway.start()
        let port = UInt16(try #require(gateway.addresses.first?.port))
        let script = try ConversationScript.parse(Self.script, name: "log")
        let failures = try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        try ConversationRun(
                            script,
                            connect: { try ConversationSocket(address: "127.0.0.1", port: port) },
                            downstreams: []
                        ).run()
                    }
                )
            }
        }
        #expect(failures.isEmpty, "\(failures)")
        await gateway.stop()
        await downstream.stop()

        let text = String(decoding: try Fixture.bytes(URL(filePath: file)), as: UTF8.self)
        #expect(!text.contains("confidential"))
        var lines: [String: [[String: Any]]] = [:]
        for line in text.split(separator: "\n") {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            lines[try #require(object["message"] as? String), default: []].append(object)
        }
        let documented = try Self.documented()
        let line = Set(["time", "level", "message"])
        let transactions = try #require(lines["transaction"])
        #expect(transactions.count == 1)
        #expect(
            Set(transactions[0].keys).subtracting(line)
                == documented["Fields of transaction"]?.subtracting([
                    "tls", "unchecked", "list", "greylist", "shadow_hits", "suspended", "cuts", "authentication", "dns",
                    "repeats",
                ])
        )
        #expect(transactions[0]["disposition"] as? String == "deliver")
        #expect(transactions[0]["to"] as? [String] == ["<bob@example.com>"])
        #expect(transactions[0]["level"] as? String == "info")
        let connections = try #require(lines["connection"])
        #expect(connections.count == 1)
        #expect(Set(connections[0].keys).subtracting(line) == documented["Fields of connection"]?.subtracting(["tls"]))
        #expect(connections[0]["end"] as? String == "quit")
        #expect(connections[0]["accepted"] as? Int == 1)
        #expect(connections[0]["errors"] as? Int == 1)
    }

    /// What the handler writes for one event, without its time.
    private static func written(
        _ format: LineLogHandler.Format,
        _ message: Logger.Message,
        _ metadata: Logger.Metadata
    ) throws -> String {
        let directory = try TemporaryDirectory()
        let file = try directory.write("", to: "log")
        let handle = try #require(FileHandle(forWritingAtPath: file))
        let logger = Logger(label: "test") { _ in
            LineLogHandler(format: format, level: .info, output: LogOutput(descriptor: handle.fileDescriptor))
        }
        logger.info(message, metadata: metadata)
        logger.debug("below the level")
        let text = String(decoding: try Fixture.bytes(URL(filePath: file)), as: UTF8.self)
        return format == .text ? String(text.drop { $0 != " " }.dropFirst()) : text
    }

    @Test(
        "a value with blanks, quotes or control characters is quoted, and one event stays one line",
        arguments: [
            ("plain", "plain"), ("two words", #""two words""#), ("", #""""#), ("a\r\nlevel=error", #""a\r\nlevel=error""#),
            (#"say "x""#, #""say \"x\"""#), ("a=b", #""a=b""#), ("back\\slash", #""back\\slash""#),
            ("\u{1b}[31m", #""\u001b[31m""#), ("\u{85}", #""\u0085""#), ("<a@b>", "<a@b>"), ("gr\u{fc}n", "gr\u{fc}n"),
        ]
    )
    func quoting(_ value: String, _ written: String) throws {
        #expect(try Self.written(.text, "event", ["helo": "\(value)"]) == "info event helo=\(written)\n")
        let line = try Self.written(.json, "event", ["helo": "\(value)"])
        #expect(line.split(separator: "\n").count == 1)
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(object?["helo"] as? String == value)
    }

    @Test("fields stand in the order of their list, unknown ones behind; numbers and lists keep their kind")
    func order() throws {
        let metadata: Logger.Metadata = [
            "zebra": "1", "octets": .stringConvertible(12), "id": "X", "score": .stringConvertible(1.25),
            "to": ["<a@b>", "<c@d>"],
        ]
        let text = try Self.written(.text, "an event", metadata)
        #expect(text == "info \"an event\" id=X to=<a@b>,<c@d> octets=12 score=1.3 zebra=1\n")
        let json = try Self.written(.json, "an event", metadata)
        #expect(json.hasSuffix(#""id":"X","to":["<a@b>","<c@d>"],"octets":12,"score":1.3,"zebra":"1"}"# + "\n"))
    }
}
