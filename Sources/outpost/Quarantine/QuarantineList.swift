import ArgumentParser
import MailStore
import QuarantineReview

struct QuarantineList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List messages that wait for a decision, the newest first.",
        discussion: """
            The column S: w waiting, > being released, r released, d deleted, c copy of refused mail, ? may have been delivered \
            by a release that was cut off.
            """
    )

    @OptionGroup var quarantine: QuarantineOptions
    @OptionGroup var filter: FilterOptions
    @Option(help: "text or json (one object a line).")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            let store = try await self.quarantine.open().store
            let filter = self.filter.filter(kind: .held, state: .waiting)
            let found = try await store.list(filter, limit: self.filter.limit, offset: self.filter.offset)
            try Listing.write(found, as: self.format)
            try await Listing.tellRest(shown: found.count, filter, self.filter, in: store)
        }
    }
}

/// Writes listings.
enum Listing {
    static func write(_ found: [QuarantineSummary], as format: OutputFormat) throws {
        switch format {
        case .json:
            for summary in found { print(try jsonLine(SummaryJSON(summary))) }
        case .text:
            if found.isEmpty { return }
            let table = SummaryTable(width: TerminalScreen.outputWidth ?? SummaryTable.defaultWidth)
            print(table.heading.trimmed)
            for summary in found { print(table.line(summary).trimmed) }
        }
    }

    /// Says on standard error that there are more.
    static func tellRest(shown: Int, _ filter: QuarantineFilter, _ options: FilterOptions, in store: QuarantineStore) async throws
    {
        guard shown == options.limit else { return }
        let all = try await store.count(filter)
        if all > options.offset + shown {
            StandardError.write("\(shown) of \(all) messages shown; --limit and --offset show others\n")
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }
}
