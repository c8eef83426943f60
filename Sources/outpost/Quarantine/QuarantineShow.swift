import ArgumentParser
import ContentStorage
import Foundation
import MailStore
import MailTypes
import QuarantineReview

struct QuarantineShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a message: its facts, why it was held, its history and its text.",
        discussion: "Whatever the message holds, the output is harmless to a terminal; --raw is not."
    )

    @Argument(help: "The message's ID.")
    var id: String
    @OptionGroup var quarantine: QuarantineOptions
    @Flag(help: "Write the stored bytes and nothing else.")
    var raw = false
    @Option(help: "text or json (facts and history, no text).")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            let store = try await self.quarantine.open().store
            let id = try await store.resolve(self.id)
            if self.raw {
                try await Self.writeRaw(id, of: store)
                return
            }
            let entry = try await store.record(id)
            let audit = try await store.audit(id)
            switch self.format {
            case .json: print(try jsonLine(EntryJSON(entry, audit: audit)))
            case .text: try await Self.write(entry, audit, of: store)
            }
        }
    }

    private static func write(_ entry: QuarantineEntry, _ audit: [AuditEntry], of store: QuarantineStore) async throws {
        let empty = ReportLine(.plain, "")
        var lines = MessageReport.facts(entry) + [empty] + MessageReport.reasons(entry.record)
        if !audit.isEmpty { lines += [empty] + MessageReport.trail(audit) }
        if entry.state != .deleted {
            lines += [empty] + MessageReport.text(try await store.content(of: entry.record.id).bytes())
        }
        let width = TerminalScreen.outputWidth ?? SummaryTable.defaultWidth
        for line in lines.flatMap({ $0.wrapped(to: width) }) { print(line.text) }
    }

    private static func writeRaw(_ id: TransactionID, of store: QuarantineStore) async throws {
        try self.writeRaw(try await store.content(of: id))
    }

    /// The message to standard output, octet for octet.
    static func writeRaw(_ content: MessageContent) throws {
        let chunk = 1 << 20
        for offset in stride(from: 0, to: content.octets, by: chunk) {
            try FileHandle.standardOutput.write(contentsOf: Data(try content.read(count: chunk, at: offset)))
        }
    }
}
