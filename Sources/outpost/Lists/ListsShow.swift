import ArgumentParser
import Foundation
import Gateway
import MailPolicy
import MailRules
import MailStore
import QuarantineReview

struct ListsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "List the entries: those of the configuration, then those that were added.",
        discussion: "Expired entries are shown for 30 days with --expired."
    )

    @OptionGroup var options: ConfigurationOption
    @Flag(help: "Only senders that are let through.") var allow = false
    @Flag(help: "Only senders that are refused.") var deny = false
    @Flag(help: "Also entries that have expired.") var expired = false
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func run() async throws {
        try await CommandFailure.reported {
            let configuration = try self.options.load()
            let now = TimeText.now()
            let stored = try await openLists(configuration).entries()
            if stored.unknown > 0 { complain("\(stored.unknown) entries were written by another version and do not count") }
            let configured = configuration.lists.entries.map { StoredListEntry(entry: $0, created: 0, createdBy: "") }
            let lost = stored.entries.filter { $0.entry.namesSender && !$0.entry.isSpoofable }.count
            if lost > 0, !configuration.authentication.isEnabled {
                complain("\(lost) entries ask for proof and do not count while authentication.enabled is off")
            }
            var table = TextTable([
                ("id", .right), ("action", .left), ("sender", .left), ("for", .left), ("expires", .left), ("by", .left),
                ("comment", .left),
            ])
            for row in configured + stored.entries where self.wants(row.entry, now) {
                let entry = row.entry
                switch self.format {
                case .json:
                    var fields = entry.fields(now: now)
                    fields["created"] = row.created == 0 ? .null : .text(TimeText.utc(row.created))
                    fields["created_by"] = row.createdBy.isEmpty ? .null : .text(row.createdBy)
                    say(try jsonLine(fields))
                case .text:
                    let expiry = entry.expires.map { entry.isExpired(at: now) ? "expired" : TimeText.local($0) } ?? ""
                    table.add([
                        entry.id, entry.action.rawValue, entry.text + (entry.isSpoofable ? " (spoofable)" : ""),
                        entry.recipientText, expiry, row.createdBy, HarmlessText.line(entry.comment),
                    ])
                }
            }
            if self.format == .text { for line in table.lines { say(line) } }
        }
    }

    private func wants(_ entry: ListEntry, _ now: Int64) -> Bool {
        guard self.expired || !entry.isExpired(at: now) else { return false }
        return self.allow == self.deny || entry.action == (self.allow ? .allow : .deny)
    }
}
