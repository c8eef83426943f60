import ArgumentParser
import Foundation
import Gateway
import MailStore

struct DMARCCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dmarc",
        abstract: "Reports for the owners of domains about mail in their name.",
        discussion: """
            The gateway counts, where dmarc_reports.enabled is set; these commands look at what it has counted, make reports and \
            send them. A timer calls `outpost dmarc report --send` once a day.
            """,
        subcommands: [DMARCReportCommand.self, DMARCShow.self]
    )
}

/// A day of UTC: `2026-11-23`.
struct ReportDay: ExpressibleByArgument {
    /// As the store names it.
    let text: String
    /// Seconds since 1970.
    let begin: Int

    init?(argument: String) {
        guard let date = try? Date("\(argument)T00:00:00Z", strategy: .iso8601) else { return nil }
        self.init(milliseconds: Int64(date.timeIntervalSince1970) * 1_000)
        // 2026-02-30 would become a day of March.
        guard self.text == argument else { return nil }
    }

    /// The day of a time.
    init(milliseconds: Int64) {
        self.text = RuleHitCount.day(milliseconds)
        self.begin = Int(milliseconds / 86_400_000) * 86_400
    }
}

/// Which days and domains.
struct DMARCSelection: ParsableArguments {
    @Option(help: "This day (2026-11-23), in UTC.")
    var date: ReportDay?

    @Option(help: "From this day on.")
    var since: ReportDay?

    @Option(help: "Up to this day, it included.")
    var until: ReportDay?

    @Option(help: "This domain alone: the one that has the DMARC record.")
    var domain: String?

    func validate() throws {
        if self.date != nil, self.since != nil || self.until != nil {
            throw ValidationError("Give --date, or --since and --until.")
        }
        if let since, let until, since.begin > until.begin { throw ValidationError("--since is behind --until.") }
    }

    /// - Parameter days: that count when the caller names none, up to yesterday.
    func days(default days: Int, now: Int64) -> (first: ReportDay, last: ReportDay) {
        if let date { return (date, date) }
        let last = self.until ?? ReportDay(milliseconds: now - 86_400_000)
        let first = self.since ?? ReportDay(milliseconds: (Int64(last.begin) - Int64(days - 1) * 86_400) * 1_000)
        return (first, last)
    }
}

extension ConfigurationOption {
    /// What the gateway of this configuration has counted.
    func dmarcStore(_ configuration: GatewayConfiguration) throws -> DMARCStore {
        let file = DMARCStore.file(in: configuration.dataDirectory)
        guard FileManager.default.fileExists(atPath: file) else {
            let why = configuration.dmarcReports.isEnabled ? "" : "; dmarc_reports.enabled is not set"
            throw CommandFailure(.noInput, "\(file): nothing has been counted yet\(why)")
        }
        return try DMARCStore(directory: configuration.dataDirectory)
    }
}
