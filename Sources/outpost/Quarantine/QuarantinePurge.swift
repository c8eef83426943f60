import ArgumentParser
import MailStore

struct QuarantinePurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Remove old messages; without options, what the configured retention says.",
        discussion: "The gateway does the latter by itself. A message that is being released is left alone."
    )

    @OptionGroup var quarantine: QuarantineOptions
    @Option(help: "Remove messages older than this: 90m, 12h, 30d, 4w.")
    var olderThan: Age?
    @Flag(help: "Remove copies of refused mail; with --older-than only the old ones.")
    var allRejected = false
    @Flag(help: "Only say how many would go.")
    var dryRun = false
    @Option(help: "The reason, for the history.")
    var why = ""
    @Option(help: "text or json.")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            if self.quarantine.directory != nil, self.scope == .retention {
                throw CommandFailure(.wrongUse, "the retention stands in the configuration: use --config, or say what to remove")
            }
            let store = try await self.quarantine.open().store
            let count = try await store.purge(self.scope, by: QuarantineOptions.caller, why: self.why, dryRun: self.dryRun)
            switch self.format {
            case .json: print(try jsonLine(PurgeJSON(removed: count, dryRun: self.dryRun)))
            case .text: print("\(count) \(count == 1 ? "message" : "messages") \(self.dryRun ? "would be removed" : "removed")")
            }
        }
    }

    private var scope: PurgeScope {
        if let age = self.olderThan { return .olderThan(age.seconds, self.allRejected ? .rejectedCopy : nil) }
        return self.allRejected ? .all(.rejectedCopy) : .retention
    }
}

private struct PurgeJSON: Encodable {
    let removed: Int
    let dryRun: Bool
}
