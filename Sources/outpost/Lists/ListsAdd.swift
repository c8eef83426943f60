import ArgumentParser
import Foundation
import Gateway
import MailPolicy
import MailStore
import MailTypes

struct ListsAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add an entry.",
        discussion: """
            An allowed sender's score is not counted; viruses are refused all the same. A denied one gets 550 5.7.1, as early as \
            it is known to be the one. Exit code 1: there is such an entry already.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @Flag(help: "Let the sender through whatever the content's score.") var allow = false
    @Flag(help: "Refuse the sender.") var deny = false
    @Flag(help: "What the sender says of itself is enough: anybody may say it.") var spoofable = false
    @Option(help: "For so long: 12h, 30d, 4w. Default: until it is removed.") var expires: Age?
    @Option(help: "Why, for those who come after you; the log shows it.") var comment = ""
    @Option(help: "Only for recipients in this domain: example.com or *.example.com.") var domain: String?
    @Option(help: "Only for this recipient.") var recipient: String?
    @Option(help: "Output as text or json.") var format: OutputFormat = .text
    @Argument(help: "The sender: network, domain or address; with --spoofable also helo:PATTERN or from:PATTERN.")
    var sender: String

    func validate() throws {
        if self.allow == self.deny { throw ValidationError("Give --allow or --deny.") }
        if self.domain != nil, self.recipient != nil { throw ValidationError("Give --domain or --recipient, not both.") }
    }

    func run() async throws {
        try await CommandFailure.reported {
            let configuration = try self.options.load()
            let now = TimeText.now()
            let entry = try self.entry(now: now)
            if entry.namesSender, !entry.isSpoofable, !configuration.authentication.isEnabled {
                throw CommandFailure(
                    .wrongUse,
                    "`\(self.sender)` cannot be told from a forgery while authentication.enabled is off "
                        + "(switch it on, or add --spoofable if what senders say is enough)"
                )
            }
            do {
                let added = try await openLists(configuration).add(entry, by: QuarantineOptions.caller, now: now)
                switch self.format {
                case .json: say(try jsonLine(added.fields(now: now)))
                case .text: say("\(added.id): \(added.action.rawValue) \(added.text)")
                }
            } catch let error as ListStoreError {
                throw CommandFailure(.answerIsNo, error.description)
            }
        }
    }

    private func entry(now: Int64) throws -> ListEntry {
        let action: ListEntry.Action = self.allow ? .allow : .deny
        let comment = String(String.UnicodeScalarView(self.comment.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
        do throws(ListEntryProblem) {
            return ListEntry(
                id: "",
                action: action,
                text: self.sender,
                subject: try ListEntry.subject(self.sender, action: action, isSpoofable: self.spoofable),
                isSpoofable: self.spoofable,
                scope: try ListEntry.scope(domain: self.domain, recipient: self.recipient),
                comment: comment,
                expires: self.expires.map { now + Int64($0.seconds) * 1_000 }
            )
        } catch {
            throw CommandFailure(.wrongUse, error.description)
        }
    }
}

struct ListsRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove entries.",
        discussion: "Entries of the configuration (lists.allow[0]) are removed there. Exit code 1: there was no such entry."
    )

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "Numbers of entries, as `outpost lists show` has them.") var ids: [String]

    func run() async throws {
        try await CommandFailure.reported {
            let store = try openLists(try self.options.load())
            try await each(self.ids, missing: "there is no entry") { try await store.remove($0) ? "removed" : nil }
        }
    }
}
