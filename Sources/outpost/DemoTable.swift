import ContentStorage
import Foundation
import Gateway
import Logging
import MailTypes
import NIOCore
import NIOPosix
import SMTPClient
import SMTPCore
import Synchronization

/// The transaction that the gateway finished last.
final class LatestTransaction: Sendable {
    private let summary = Mutex<TransactionSummary?>(nil)

    func store(_ summary: TransactionSummary) { self.summary.withLock { $0 = summary } }

    func take() -> TransactionSummary? {
        self.summary.withLock { summary in
            defer { summary = nil }
            return summary
        }
    }
}

/// Sends the samples and tabulates what became of them.
struct DemoTable {
    var port: UInt16
    var samples: String
    var latest: LatestTransaction

    private struct Row {
        var sample: String
        var fate: String
        var why: String
        var reply: String
    }

    func run() async throws -> String {
        let index = try String(contentsOfFile: self.samples + "/index.tsv", encoding: .utf8)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var rows: [Row] = []
        for line in index.split(separator: "\n") {
            let fields = line.split(separator: "\t").map(String.init)
            guard fields.count == 3, let sender = MailAddress(fields[1]), let recipient = MailAddress(fields[2]) else { continue }
            rows.append(try await self.send(fields[0], from: sender, to: recipient, on: group))
        }
        try await group.shutdownGracefully()
        return self.table(rows)
    }

    private func send(_ file: String, from sender: MailAddress, to recipient: MailAddress, on group: any EventLoopGroup)
        async throws -> Row
    {
        guard let data = FileManager.default.contents(atPath: self.samples + "/" + file) else {
            return Row(sample: file, fate: "cannot be read", why: "", reply: "")
        }
        let bytes = Self.withTestVirus([UInt8](data))
        let result = await SMTPDelivery.send(
            envelope: Envelope(
                client: ClientIdentity(address: .loopback4),
                reversePath: .mailbox(sender),
                parameters: MailParameters(body: .eightBitMIME),
                recipients: [Recipient(recipient)]
            ),
            content: .memory(bytes),
            facts: ContentFacts(octets: bytes.count, has8Bit: bytes.contains { $0 >= 0x80 }),
            route: DownstreamRoute(
                hosts: [DownstreamHost(name: "127.0.0.1", port: self.port)],
                tls: .none,
                heloName: "client.sender.example"
            ),
            on: group,
            logger: Logger(label: "demo") { _ in SwiftLogNoOpLogHandler() }
        )
        let summary = self.latest.take()
        let reply: String
        switch result.outcome {
        case .accepted(let answer), .refused(let answer): reply = "\(answer)"
        case .away(let reason), .unknown(let reason), .internalError(let reason): reply = reason
        case nil: reply = result.recipients.first.map { "\($0)" } ?? ""
        }
        guard let decision = summary?.judgement.decision else {
            return Row(sample: file, fate: "refused at RCPT", why: "before the message was sent", reply: reply)
        }
        return Row(sample: file, fate: Self.words[decision.disposition] ?? "", why: decision.reason, reply: reply)
    }

    private static let words: [Disposition: String] = [
        .deliver: "delivered", .tag: "delivered, tagged", .hold: "held", .reject: "refused", .defer: "deferred",
        .discard: "discarded",
    ]

    /// The harmless test virus stands in no file of the project, or virus scanners would take the checkout apart.
    private static func withTestVirus(_ bytes: [UInt8]) -> [UInt8] {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.contains("@EICAR-BASE64@") else { return bytes }
        let virus = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*"
        return [UInt8](text.replacingOccurrences(of: "@EICAR-BASE64@", with: Data(virus.utf8).base64EncodedString()).utf8)
    }

    private func table(_ rows: [Row]) -> String {
        let columns: [(String, (Row) -> String)] = [
            ("sample", \.sample), ("became", \.fate), ("why", \.why), ("what the sender was told", \.reply),
        ]
        let widths = columns.map { title, value in rows.map { value($0).count }.reduce(title.count, max) }
        func line(_ cells: [String]) -> String {
            zip(cells, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  ")
        }
        let rule = line(widths.map { String(repeating: "-", count: $0) })
        return ([line(columns.map(\.0)), rule] + rows.map { row in line(columns.map { $0.1(row) }) }).joined(separator: "\n")
    }
}
