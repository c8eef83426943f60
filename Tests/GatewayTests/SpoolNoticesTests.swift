import ConfigurationFile
import ContentStorage
import Foundation
import Logging
import MailStore
import MailTypes
import OutpostTestKit
import Testing

@testable import Gateway

@Suite("Notices about spooled mail")
struct SpoolNoticesTests {
    private let directory: TemporaryDirectory
    private let spool: Spool
    private let quarantine: Quarantine
    private let notices: SpoolNotices

    private static let content = Array("Subject: Hello\r\n\r\nText\r\n".utf8)

    init() throws {
        self.directory = try TemporaryDirectory()
        let file = try self.directory.write(
            GatewayFile.bare(downstream: 25).text(port: 2_525, data: self.directory.path + "/data"),
            to: "outpost.yaml"
        )
        let result = ConfigurationReader.load(file: file, environment: [:], files: SystemFileAccess())
        let configuration = try #require(result.configuration)
        try FileManager.default.createDirectory(
            atPath: configuration.dataDirectory,
            withIntermediateDirectories: true
        )
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.spool = try Spool(configuration)
        self.quarantine = try Quarantine(configuration, logger: logger)
        self.notices = SpoolNotices(
            spool: self.spool,
            quarantine: self.quarantine,
            snapshot: GatewaySnapshot(configuration: configuration, rules: nil),
            logger: logger
        )
    }

    private func message(from: String?, notify: [String?], isForged: Bool = false) throws -> SpooledMessage {
        let recipients = try notify.enumerated().map { index, notify in
            Recipient(try #require(MailAddress("r\(index)@example.com")), notify: notify)
        }
        let record = QuarantineRecord(
            id: TransactionID(milliseconds: 1_795_392_000_000, sequence: 7),
            kind: .held,
            received: 1_795_392_000_000,
            envelope: Envelope(
                client: ClientIdentity(address: .loopback4, helo: "client.example.org"),
                reversePath: try from.map { .mailbox(try #require(MailAddress($0))) } ?? .null,
                parameters: MailParameters(),
                recipients: recipients
            ),
            route: "127.0.0.1:25",
            policy: "default",
            reason: "",
            score: 0,
            contentHash: [],
            octets: Self.content.count,
            subject: "Hello",
            headerFrom: "ann@sender.example",
            has8Bit: false
        )
        return SpooledMessage(record: record, expires: 1_795_400_000_000, isForged: isForged)
    }

    private func spooled(from: String?, notify: [String?], isForged: Bool = false) async throws -> SpooledMessage {
        let message = try self.message(from: from, notify: notify, isForged: isForged)
        try await self.spool.store.store(message, content: .memory(Self.content))
        return message
    }

    private func inQuarantine() async throws -> [QuarantineSummary] {
        try await QuarantineStore(directory: self.directory.path + "/data/quarantine").list()
    }

    private func noticesInSpool() async throws -> [SpooledMessage] {
        try await self.spool.store.list().filter { SpoolNotices.isNotice($0.route) }
    }

    @Test("who asked is told that a message was passed on which never lay in the spool, once")
    func live() async throws {
        let recipients = ["SUCCESS", "SUCCESS,FAILURE", "FAILURE", nil]
        let message = try self.message(from: "ann@sender.example", notify: recipients)
        let results = message.recipients.indices.map { SpoolResult(number: $0, state: .delivered, reply: "250 2.0.0 taken") }
        for _ in 0..<2 { await self.notices.relayed(message, results, content: .memory(Self.content)) }
        let notice = try #require(try await self.noticesInSpool().first)
        #expect(try await self.spool.store.list().count == 1)
        #expect(notice.recipients.map(\.recipient.forwardPath.text) == ["ann@sender.example"])
        let text = String(decoding: try self.spool.store.content(of: notice).bytes(), as: UTF8.self)
        #expect(text.components(separatedBy: "Action: relayed").count == 3)
        #expect(text.contains("r0@example.com") && text.contains("r1@example.com") && !text.contains("rfc822; r2@example.com"))
        // Neither about a bounce nor to somebody whose name is forged.
        for other in [
            try self.message(from: nil, notify: ["SUCCESS"]),
            try self.message(from: "eve@sender.example", notify: ["SUCCESS"], isForged: true),
        ] {
            await self.notices.relayed(other, [results[0]], content: .memory(Self.content))
        }
        #expect(try await self.spool.store.list().count == 1)
    }

    @Test("recipients given up at different times are kept each for itself, and each once")
    func undelivered() async throws {
        var message = try await self.spooled(from: "ann@sender.example", notify: [nil, nil], isForged: true)
        let first = SpoolResult(number: 0, state: .failed, reply: "550 5.1.1 unknown")
        for _ in 0..<2 { #expect(await self.notices.failed(message, [first], reason: "refused")) }
        try await self.spool.store.attempted(message.id, [first], next: 0)
        message = try await self.spool.store.message(message.id)
        let second = SpoolResult(number: 1, state: .failed, reply: "550 5.2.2 full")
        for _ in 0..<2 { #expect(await self.notices.failed(message, [second], reason: "refused")) }
        let kept = try await self.inQuarantine()
        #expect(Set(kept.map(\.id)).count == 2)
        #expect(kept.map(\.recipients).sorted { $0[0] < $1[0] } == [["r0@example.com"], ["r1@example.com"]])
        #expect(try await self.noticesInSpool().isEmpty)
    }

    @Test("a file that a crash left under the id of a notice neither is taken for it nor stands in its way")
    func orphans() async throws {
        let failed = SpoolResult(number: 0, state: .failed, reply: "550 5.1.1 unknown")
        // The same message elsewhere says which id its notice has.
        let other = try SpoolNoticesTests()
        let twin = try await other.spooled(from: "ann@sender.example", notify: [nil])
        #expect(await other.notices.failed(twin, [failed], reason: "refused"))
        let id = try #require(try await other.noticesInSpool().first).id
        let message = try await self.spooled(from: "ann@sender.example", notify: [nil])
        let orphan = "\(self.directory.path)/data/spool/messages/\(id).eml"
        #expect(FileManager.default.createFile(atPath: orphan, contents: Data([1])))
        #expect(await self.notices.failed(message, [failed], reason: "refused"))
        let notice = try #require(try await self.noticesInSpool().first)
        #expect(notice.id == id)
        #expect(try self.spool.store.content(of: notice).bytes().count == notice.record.octets)
    }

    @Test("a notice that has left is not made again as long as its message is here, and forgotten with it")
    func left() async throws {
        let message = try await self.spooled(from: "ann@sender.example", notify: [nil])
        let failed = SpoolResult(number: 0, state: .failed, reply: "550 5.1.1 unknown")
        #expect(await self.notices.failed(message, [failed], reason: "refused"))
        let notice = try #require(try await self.noticesInSpool().first)
        #expect(notice.about == message.id)
        let delivered = SpoolResult(number: 0, state: .delivered, reply: "250 2.0.0 queued")
        #expect(try await self.spool.store.attempted(notice.id, [delivered], next: 0))
        // A crash before the message was noted as refused makes it be tried again.
        #expect(await self.notices.failed(message, [failed], reason: "refused"))
        #expect(try await self.noticesInSpool().isEmpty)
        #expect(try await self.spool.store.hasMade(notice.id, about: message.id))
        #expect(try await self.spool.store.attempted(message.id, [failed], next: 0))
        #expect(try await self.spool.store.hasMade(notice.id, about: message.id) == false)
    }

    @Test(
        "that a message was passed on is told once, to who asked and is who it says",
        arguments: [
            ("ann@sender.example", ["SUCCESS", "SUCCESS,DELAY"], false, [0, 1]),
            ("ann@sender.example", ["SUCCESS", "NEVER"], false, [0]),
            ("ann@sender.example", [nil, "FAILURE"], false, []), (nil, ["SUCCESS", "SUCCESS"], false, []),
            ("ann@sender.example", ["SUCCESS", "SUCCESS"], true, []),
        ] as [(String?, [String?], Bool, [Int])]
    )
    func relayed(from: String?, notify: [String?], isForged: Bool, told: [Int]) async throws {
        let message = try await self.spooled(from: from, notify: notify, isForged: isForged)
        let results = [0, 1].map { SpoolResult(number: $0, state: .delivered, reply: "250 2.0.0 queued") }
        // A crash behind the notice makes it be tried again.
        for _ in 0..<2 { await self.notices.relayed(message, results) }
        let notices = try await self.noticesInSpool()
        #expect(notices.count == (told.isEmpty ? 0 : 1))
        for notice in notices {
            #expect(notice.record.envelope.reversePath == .null)
            let text = String(decoding: try self.spool.store.content(of: notice).bytes(), as: UTF8.self)
            for number in [0, 1] { #expect(text.contains("r\(number)@example.com") == told.contains(number)) }
            #expect(text.contains("Action: relayed"))
        }
        #expect(try await self.inQuarantine().isEmpty)
    }

    @Test("a recipient that still waits, or is refused, was not passed on")
    func notRelayed() async throws {
        let message = try await self.spooled(from: "ann@sender.example", notify: ["SUCCESS", "SUCCESS"])
        let results = [
            SpoolResult(number: 0, state: .waiting, reply: "451 later"), SpoolResult(number: 1, state: .failed, reply: "550 no"),
        ]
        await self.notices.relayed(message, results)
        #expect(try await self.noticesInSpool().isEmpty)
    }
}
