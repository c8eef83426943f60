import ArgumentParser
import Foundation
import Gateway
import MailStore
import MailTypes
import QuarantineReview
import SenderAuth

struct DMARCReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Make the reports of a day or of several, one for each domain, and send them or write them to files.",
        discussion: """
            Without --send and --output it lists what there is to report. Days are those of UTC; without a date, --send takes all \
            of the last seven that are over, else it is yesterday. A report is sent once to each of its destinations; what fails \
            is tried again by the next run. Exit code 75: some reports could not be sent.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var selection: DMARCSelection
    @Option(help: "Write the reports to this directory, as RECEIVER!DOMAIN!BEGIN!END.xml.gz.")
    var output: String?
    @Flag(help: "Send the reports to those whom the domains' records name.")
    var send = false
    @Option(help: "text or json (one object a line).")
    var format = OutputFormat.text

    /// Days that are sent without being asked for: after a week nobody waits for a report.
    private static let sentDays = 7

    func validate() throws {
        if self.send, self.output != nil { throw ValidationError("Give --send or --output, not both.") }
    }

    func run() async throws {
        try await CommandFailure.reported {
            let configuration = try self.options.load()
            let store = try self.options.dmarcStore(configuration)
            let now = TimeText.now()
            let days = self.selection.days(default: self.send ? Self.sentDays : 1, now: now)
            let found = try await store.domains(
                from: days.first.text,
                through: days.last.text,
                domain: self.selection.domain?.lowercased()
            )
            guard self.send || self.output != nil else {
                for day in found { try self.tell(day) }
                return
            }
            let reporting: DMARCReporting
            do {
                reporting = try DMARCReporting(
                    configuration: configuration,
                    store: store,
                    sender: try SenderResources(configuration)
                )
            } catch let problem as DMARCReporting.Problem {
                throw CommandFailure(.answerIsNo, problem.description)
            }
            var hasFailed = false
            for day in found {
                guard let start = ReportDay(argument: day.day)?.begin else { continue }
                if self.send, !DMARCReporting.isComplete(day: day.day, now: now) {
                    StandardError.write("outpost: \(day.day) is not over; its reports are sent when it is\n")
                    continue
                }
                let report = try await reporting.report(of: day, begin: start)
                if let output = self.output {
                    try self.write(report, day, to: output)
                    continue
                }
                let result = try await reporting.send(report, day: day.day)
                for delivery in result.deliveries { try self.tell(day, delivery: delivery) }
                hasFailed = hasFailed || result.deliveries.contains { $0.state == .failed }
                if result.relayIsAway {
                    StandardError.write("outpost: the relay is away; the other reports wait for the next run\n")
                    break
                }
            }
            if hasFailed { throw ExitCode(CommandFailure.Code.tryAgain.rawValue) }
        }
    }

    private func write(_ report: DMARCReport, _ day: DMARCDomainDay, to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let path = "\(directory)/\(report.fileName)"
        try Data(DMARCReporting.file(report)).write(to: URL(filePath: path), options: .atomic)
        try self.tell(day, file: path)
    }

    private func tell(_ day: DMARCDomainDay, delivery: DMARCReporting.Delivery? = nil, file: String? = nil) throws {
        switch self.format {
        case .json:
            var fields: [String: JSONValue] = [
                "day": .text(day.day), "domain": .text(day.published.domain), "messages": .number(day.messages),
                "rows": .number(day.rows),
            ]
            if let file { fields["file"] = .text(file) }
            if let delivery {
                fields["destination"] = .text(delivery.destination)
                fields["state"] = .text(delivery.state.rawValue)
                fields["detail"] = .text(delivery.detail)
            }
            say(try jsonLine(fields))
        case .text:
            var line = "\(day.day) \(day.published.domain) \(day.messages) messages"
            if let delivery { line += " \(delivery.destination) \(delivery.state.rawValue): \(delivery.detail)" }
            if let file { line += " \(file)" }
            say(HarmlessText.line(line))
        }
    }
}
