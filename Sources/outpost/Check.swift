import ArgumentParser
import Foundation
import Gateway
import MailRules
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
        try await self.judgeAll(with: judge) { file, opinion in
            guard let opinion else {
                complain("\(file): cannot be read")
                missing = true
                return
            }
            refused = refused || opinion.decision.disposition == .reject
            let report = CheckReportText(file: file, opinion: opinion)
            say(self.format == .json ? report.json(subrules: self.subrules) : report.text)
        }
        await judge.stop()
        if missing { throw ExitCode(66) }
        if refused { throw ExitCode(1) }
    }

    /// Judges several files at once, as a running gateway does (`limits.inspections`).
    /// - Parameter told: called with each file in the order in which they were named; nil for one that cannot be read.
    private func judgeAll(with judge: OfflineJudge, told: (String, Opinion?) throws -> Void) async throws {
        let client = self.clientIp.flatMap { IPAddress($0) }.map { ClientIdentity(address: $0, helo: self.helo) }
        let (mailFrom, recipients) = (self.mailFrom, self.rcptTo)
        let goal = self.subrules ? EvaluationGoal.complete : .hits
        try await withThrowingTaskGroup(of: (Int, Opinion?).self) { group in
            var begun = 0
            var next = 0
            var early: [Int: Opinion?] = [:]
            while next < self.files.count {
                while begun < self.files.count, begun - next < Self.ahead * judge.width {
                    let (number, file) = (begun, self.files[begun])
                    begun += 1
                    group.addTask {
                        guard let bytes = try Self.contents(of: file) else { return (number, nil) }
                        return (
                            number,
                            await judge.judge(bytes, client: client, mailFrom: mailFrom, recipients: recipients, goal: goal)
                        )
                    }
                }
                guard let (number, opinion) = try await group.next() else { return }
                early[number] = .some(opinion)
                while let opinion = early.removeValue(forKey: next) {
                    try told(self.files[next], opinion)
                    next += 1
                }
            }
        }
    }

    /// Messages begun for each that can be judged at once, counted from the next one that is to be told: while a large one takes long,
    /// those behind it go on.
    private static let ahead = 4

    private static func contents(of file: String) throws -> [UInt8]? {
        if file == "-" { return try FileHandle.standardInput.readToEnd().map { [UInt8]($0) } ?? [] }
        return FileManager.default.contents(atPath: file).map { [UInt8]($0) }
    }
}
