import ArgumentParser
import Foundation
import Gateway
import MailTypes

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judge message files exactly as `serve` would, and explain.",
        discussion: """
            Each FILE is one message; `-` is standard input. Line ends without CR are taken as CRLF, as a mail client would \
            send them. Exit code 1 when any message would be refused.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text
    @Option(help: "The address the message comes from, as the first hop. Default: only the hops of its Received fields.")
    var clientIp: String?
    @Option(help: "The client's EHLO argument, with --client-ip; default: its address as a literal.") var helo: String?
    @Option(help: "The reverse path as a client might send it, empty for bounces. Default: Return-Path, else From.") var mailFrom:
        String?
    @Option(help: "A recipient; may be repeated. Default: somebody in the first domain.") var rcptTo: [String] = []
    @Flag(help: "With json: also names rules that hit and do not score.") var subrules = false
    @Argument(help: "Message files.") var files: [String]

    func validate() throws {
        if let address = self.clientIp, IPAddress(address) == nil {
            throw ValidationError("--client-ip: \(address) is no address")
        }
        if self.helo != nil, self.clientIp == nil { throw ValidationError("--helo is for --client-ip") }
        for recipient in self.rcptTo where MailAddress(recipient, allowUTF8: true) == nil {
            throw ValidationError("--rcpt-to: \(recipient) is no mail address")
        }
    }

    func run() async throws {
        let judge = try OfflineJudge(snapshot: try self.options.snapshot())
        try await judge.start()
        var refused = false
        var missing = false
        for file in self.files {
            guard
                let bytes = file == "-"
                    ? try FileHandle.standardInput.readToEnd() ?? Data() : FileManager.default.contents(atPath: file)
            else {
                complain("\(file): cannot be read")
                missing = true
                continue
            }
            let opinion = await judge.judge(
                [UInt8](bytes),
                client: self.clientIp.flatMap { IPAddress($0) }.map { ClientIdentity(address: $0, helo: self.helo) },
                mailFrom: self.mailFrom,
                recipients: self.rcptTo
            )
            refused = refused || opinion.decision.disposition == .reject
            let report = CheckReportText(file: file, opinion: opinion)
            say(self.format == .json ? try report.json(subrules: self.subrules) : report.text)
        }
        await judge.stop()
        if missing { throw ExitCode(66) }
        if refused { throw ExitCode(1) }
    }
}
