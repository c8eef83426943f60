import ArgumentParser
import Foundation
import Gateway
import MailPolicy
import MailRules
import MailStore
import MailTypes
import QuarantineReview

struct ListsTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Tell which entry would decide on a message, and why others would not.",
        discussion: """
            SPF is asked for in the DNS as in a session; without --file nothing is known of DKIM and From. Exit code 1: the \
            message would be refused.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @Option(help: "The client's address.") var clientIp: String
    @Option(help: "Its EHLO argument. Default: its address as a literal.") var helo: String?
    @Option(help: "The reverse path, empty for bounces.") var mailFrom: String
    @Option(help: "A recipient; may be repeated.") var rcptTo: [String]
    @Option(help: "The message, for DKIM, DMARC and From.") var file: String?
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func validate() throws {
        if IPAddress(self.clientIp) == nil { throw ValidationError("--client-ip: \(self.clientIp) is no address") }
        for address in (self.mailFrom.isEmpty ? [] : [self.mailFrom]) + self.rcptTo
        where MailAddress(address, allowUTF8: true) == nil {
            throw ValidationError("\(address) is no mail address")
        }
        if self.rcptTo.isEmpty { throw ValidationError("Give at least one --rcpt-to.") }
    }

    func run() async throws {
        try await CommandFailure.reported {
            var message: [UInt8]?
            if let file = self.file {
                guard let data = FileManager.default.contents(atPath: file) else {
                    throw CommandFailure(.noInput, "\(file): cannot be read")
                }
                message = [UInt8](data)
            }
            let configuration = try self.options.load()
            let snapshot = GatewaySnapshot(
                configuration: configuration,
                rules: nil,
                sender: try SenderResources(configuration)
            )
            let inquiry = SenderInquiry(snapshot: snapshot)
            let gate = inquiry.gate(stored: try await openLists(configuration).entries().entries.map(\.entry))
            guard let address = IPAddress(self.clientIp) else { return }
            let client = ClientIdentity(address: address, helo: self.helo ?? address.addressLiteral)
            let sender = MailAddress(self.mailFrom, allowUTF8: true).map { ReversePath.mailbox($0) } ?? .null
            let recipients = self.rcptTo.compactMap { MailAddress($0, allowUTF8: true) }
            let facts = await inquiry.facts(client: client, reversePath: sender, message: message)
            let now = TimeText.now()
            try self.tell(gate.explain(facts, recipients: recipients, now: now), now)
            guard let match = gate.match(facts, recipients: recipients, now: now) else {
                if self.format == .text { say("No entry decides.") }
                return
            }
            let stage =
                match.entry.action == .allow
                ? "its score is not counted"
                : "refused at \(inquiry.stage(of: match, facts: facts, recipient: recipients.first, gate: gate, now: now))"
            if self.format == .text { say("\(match.entry.action.rawValue): \(HarmlessText.line("\(match)")); \(stage)") }
            if match.entry.action == .deny { throw ExitCode(CommandFailure.Code.answerIsNo.rawValue) }
        }
    }

    private func tell(_ explanations: [ListExplanation], _ now: Int64) throws {
        var table = TextTable([("id", .right), ("action", .left), ("sender", .left), ("for", .left), ("why", .left)])
        for explanation in explanations {
            let entry = explanation.entry
            switch self.format {
            case .json:
                var fields = entry.fields(now: now)
                fields["outcome"] = .text(explanation.outcome.word)
                fields["why"] = .text(explanation.text)
                say(try jsonLine(fields))
            case .text:
                table.add([
                    entry.id, entry.action.rawValue, entry.text + (entry.isSpoofable ? " (spoofable)" : ""), entry.recipientText,
                    HarmlessText.line(explanation.text),
                ])
            }
        }
        if self.format == .text, !explanations.isEmpty { for line in table.lines { say(line) } }
    }
}
