import ArgumentParser
import MailStore

struct QuarantineSearch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Find messages by words in subject, sender and recipients; all kinds and states unless narrowed.",
        discussion: "Exit code 1: nothing was found."
    )

    @Argument(help: "Words that all stand in subject, sender or recipients, in any case of letters.")
    var words: [String]
    @OptionGroup var quarantine: QuarantineOptions
    @OptionGroup var filter: FilterOptions
    @Option(help: "text or json (one object a line).")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            let store = try await self.quarantine.open().store
            let filter = self.filter.filter(kind: .all, state: .all, text: self.words.joined(separator: " "))
            let found = try await store.list(filter, limit: self.filter.limit, offset: self.filter.offset)
            try Listing.write(found, as: self.format)
            try await Listing.tellRest(shown: found.count, filter, self.filter, in: store)
            if found.isEmpty { throw ExitCode(CommandFailure.Code.answerIsNo.rawValue) }
        }
    }
}
