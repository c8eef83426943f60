import ArgumentParser
import MailRules
import MailStore
import MailTypes
import QuarantineReview

struct DMARCShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what was counted for reports: a line for each day and domain.",
        discussion: """
            The column `missing` has messages that are in no row of the report, because there were too many rows; `reports` says \
            what became of it for each destination. Without a date it is the last seven days and today.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var selection: DMARCSelection
    @Option(help: "text or json (one object a line).")
    var format = OutputFormat.text

    private static let shownDays = 7

    func run() async throws {
        try await CommandFailure.reported {
            let configuration = try self.options.load()
            let store = try self.options.dmarcStore(configuration)
            let now = TimeText.now()
            var days = self.selection.days(default: Self.shownDays, now: now)
            if self.selection.date == nil, self.selection.until == nil { days.last = ReportDay(milliseconds: now) }
            let found = try await store.domains(
                from: days.first.text,
                through: days.last.text,
                domain: self.selection.domain?.lowercased()
            )
            var table = TextTable([
                ("day", .left), ("domain", .left), ("policy", .left), ("messages", .right), ("pass", .right), ("fail", .right),
                ("rows", .right), ("missing", .right), ("reports", .left),
            ])
            for day in found {
                let deliveries = try await store.deliveries(day: day.day, domain: day.published.domain)
                let failed = day.messages - day.passed
                let reports = deliveries.map { "\($0.state.rawValue) \($0.destination)" }.joined(separator: ", ")
                switch self.format {
                case .json:
                    say(
                        try jsonLine([
                            "day": JSONValue.text(day.day), "domain": .text(day.published.domain),
                            "policy": .text(day.published.policy), "messages": .number(day.messages), "pass": .number(day.passed),
                            "fail": .number(failed), "rows": .number(day.rows), "missing": .number(day.dropped),
                            "reports": .text(reports),
                        ])
                    )
                case .text:
                    table.add(
                        [
                            day.day, day.published.domain, day.published.policy, "\(day.messages)", "\(day.passed)", "\(failed)",
                            "\(day.rows)", "\(day.dropped)", reports,
                        ].map { HarmlessText.line($0) }
                    )
                }
            }
            if self.format == .text, !found.isEmpty {
                for line in table.lines { say(line) }
            }
        }
    }
}
