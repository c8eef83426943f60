import ArgumentParser
import Foundation
import Gateway
import Logging
import MailTypes

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the gateway at work on this machine, with a mail server of its own and sample messages.",
        discussion: """
            Starts a small mail server that keeps what it accepts in a Maildir, and the gateway in front of it; sends the samples \
            through real SMTP and prints what became of each. Then it keeps running until Ctrl-C. Nothing leaves this machine.
            """
    )

    @Option(help: "The port of the gateway on 127.0.0.1.") var port: UInt16 = 2525
    @Option(help: "Where mail, quarantine and configuration are kept.") var directory: String?
    @Option(help: "A directory of rules.") var rules = "Rules"
    @Option(help: "A directory of virus signatures.") var signatures = "Fixtures/signatures"
    @Option(help: "The directory of sample messages with its index.tsv.") var samples = "Fixtures/samples"
    @Flag(help: "Stop after the table.") var once = false

    func run() async throws {
        let place = self.directory ?? NSTemporaryDirectory() + "outpost-demo-\(getpid())"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        let logFile = place + "/log"
        guard FileManager.default.createFile(atPath: logFile, contents: nil), let log = FileHandle(forWritingAtPath: logFile)
        else {
            complain("\(logFile): cannot be written")
            throw ExitCode(70)
        }
        let logger = Logger(label: "outpost") { _ in
            LineLogHandler(format: .text, level: .info, output: LogOutput(descriptor: log.fileDescriptor))
        }
        signal(SIGPIPE, SIG_IGN)
        let signals = SignalStream([SIGTERM, SIGINT])
        let downstream = try await MaildirDownstream.start(maildir: place + "/Maildir", port: 0, logger: logger)
        let configuration = try self.writeConfiguration(place, downstreamPort: downstream.port ?? 0)
        let options = try ConfigurationOption.parse(["--config", configuration])
        let latest = LatestTransaction()
        let gateway: Gateway
        do {
            gateway = try Gateway(snapshot: try options.snapshot(), logger: logger) { latest.store($0) }
            try await gateway.start()
        } catch let error as Gateway.StartError {
            complain("outpost: \(error)")
            throw ExitCode(70)
        }
        let table = DemoTable(port: self.port, samples: self.samples, latest: latest)
        say(try await table.run())
        if !self.once {
            say(self.whatNext(place, configuration: configuration))
            for await _ in signals.values { break }
        }
        await gateway.stop()
        await downstream.stop()
    }

    private func writeConfiguration(_ place: String, downstreamPort: Int) throws -> String {
        func absolute(_ path: String) -> String { URL(filePath: path).standardizedFileURL.path }
        let text = """
            hostname: outpost.localhost
            data_directory: \(place)/data
            listeners:
              - address: "127.0.0.1:\(self.port)"
            domains:
              - names: [example.com]
                downstream: ["127.0.0.1:\(downstreamPort)"]
                downstream_tls: none
            policies:
              default: {tag_score: 5, hold_score: 8, reject_score: 15, virus: reject, keep_rejected: true}
            rules: ["\(absolute(self.rules))"]
            antivirus: {engine: builtin, database: "\(absolute(self.signatures))", on_failure: defer}
            authentication: {enabled: false}

            """
        let path = place + "/outpost.yaml"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    private func whatNext(_ place: String, configuration: String) -> String {
        let program = CommandLine.arguments[0]
        return """

            The gateway runs on 127.0.0.1 port \(self.port). Try in another terminal:

              swaks --server 127.0.0.1:\(self.port) --to bob@example.com --from you@example.org
              swaks --server 127.0.0.1:\(self.port) --to bob@example.com --from you@example.org --attach-type message/rfc822 --attach @FILE
              \(program) quarantine review --config \(configuration)
              \(program) quarantine list --config \(configuration)
              \(program) check --config \(configuration) FILE.eml

            Accepted mail is in \(place)/Maildir/new, the log in \(place)/log. Ctrl-C stops.
            """
    }
}
