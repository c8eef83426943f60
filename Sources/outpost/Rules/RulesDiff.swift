import ArgumentParser
import ContentStorage
import Foundation
import Gateway
import MailRules
import MailStore
import MailTypes

struct RulesDiff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show every message that two rule sets treat differently, the worst first.",
        discussion: """
            OLD and NEW are rule files or directories. Messages are judged by the rules, the message checks, the lists and the \
            policy of the configuration, without a virus scan. Without a configuration the default policy is used.

            Worst is what gets worse: wanted mail (--ham) before mail that nobody has judged (--quarantine, --mail) before spam \
            that gets through, and of these the greatest step: deliver, tag, hold, defer, reject, discard. Then comes what gets \
            better. Exit code 1 when a message of --ham gets worse.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @Option(help: "Mail that is wanted; may be repeated.") var ham: [String] = []
    @Option(help: "Mail that is not; may be repeated.") var spam: [String] = []
    @Option(help: "Mail of either kind; may be repeated.") var mail: [String] = []
    @Flag(help: "The messages that wait in the quarantine, and copies of refused mail.") var quarantine = false
    @Option(help: "The policy that judges. Default: that of the first domain.") var policy: String?
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text
    @Argument(help: "The rules as they are.") var old: String
    @Argument(help: "The rules as they shall be.") var new: String

    func validate() throws {
        if self.ham.isEmpty, self.spam.isEmpty, self.mail.isEmpty, !self.quarantine {
            throw ValidationError("Give --ham DIR, --spam DIR, --mail DIR or --quarantine.")
        }
    }

    func run() async throws {
        try await CommandFailure.reported { try await self.compare() }
    }

    private func compare() async throws {
        let configuration = try self.configurationOrDefault()
        let policy = self.policy ?? configuration.domains.first?.policy ?? "default"
        guard self.policy == nil || configuration.policies[policy] != nil else {
            throw CommandFailure(.wrongUse, "the configuration has no policy '\(policy)'")
        }
        let judges = try [self.old, self.new].map { path in
            let rules = try RuleFiles([path], options: self.options).compiled()
            return RuleJudge(snapshot: GatewaySnapshot(configuration: configuration, rules: rules), policy: policy)
        }
        var changes: [DispositionChange] = []
        var count = 0
        var corpus = MailCorpus()
        for path in self.ham { try corpus.add(path, .ham) }
        for path in self.spam { try corpus.add(path, .spam) }
        for path in self.mail { try corpus.add(path, nil) }
        if !corpus.entries.isEmpty {
            let parts = await corpus.run("judging", progress: ProgressReporter(format: self.format)) {
                [DispositionChange]()
            } work: { found, entry, message in
                let verdicts = judges.map { $0.judge(message) }
                let change = DispositionChange(message: entry.name, kind: entry.kind, old: verdicts[0], new: verdicts[1])
                if change.isChange { found.append(change) }
            } finish: { found in
                found
            }
            changes += parts.joined()
            count += corpus.entries.count
        }
        if self.quarantine {
            let (found, total) = try await self.stored(configuration, judges)
            changes += found
            count += total
        }
        changes.sort(by: DispositionChange.isWorse)
        for change in changes {
            if self.format == .json { say(try jsonLine(ChangeJSON(change))) } else { Self.tell(change) }
        }
        let worseHam = changes.count { $0.kind == .ham && $0.harm > 0 }
        if self.format == .text {
            let worse = changes.count { $0.harm > 0 }
            say(
                "\(count) messages, \(changes.count) change: \(worse) for the worse (\(worseHam) of ham), \(changes.count - worse) for the better"
            )
        }
        if worseHam > 0 { throw ExitCode(1) }
    }

    private func configurationOrDefault() throws -> GatewayConfiguration {
        if !self.quarantine, !FileManager.default.fileExists(atPath: self.options.config) {
            return GatewayConfiguration(hostname: "localhost", dataDirectory: NSTemporaryDirectory())
        }
        return try self.options.load()
    }

    /// The stored messages, judged with the envelopes they came with.
    private func stored(_ configuration: GatewayConfiguration, _ judges: [RuleJudge]) async throws -> ([DispositionChange], Int) {
        let store = try await QuarantineEnvironment.load(configuration: self.options.config).store
        let filter = QuarantineFilter(states: [.waiting, .releasing])
        let page = 200
        var changes: [DispositionChange] = []
        var offset = 0
        let progress = ProgressReporter(format: self.format)
        let total = try await store.count(filter)
        while true {
            let found = try await store.list(filter, limit: page, offset: offset)
            for summary in found {
                progress.advance("judging the quarantine", of: total)
                // A message that is released or removed at this moment is none of ours any more.
                guard let record = try? await store.record(summary.id).record,
                    let content = try? await store.content(of: summary.id),
                    let bytes = try? content.bytes()
                else { continue }
                let verdicts = judges.map { $0.judge(bytes, envelope: record.envelope) }
                let change = DispositionChange(message: summary.id.text, kind: nil, old: verdicts[0], new: verdicts[1])
                if change.isChange { changes.append(change) }
            }
            offset += found.count
            if found.count < page { break }
        }
        progress.end()
        return (changes, offset)
    }

    private static func tell(_ change: DispositionChange) {
        let kind = change.kind.map { "\($0.rawValue) " } ?? ""
        let scores = "\(decimal(change.old.score, 2)) → \(decimal(change.new.score, 2))"
        say("\(kind)\(change.old.disposition.rawValue) → \(change.new.disposition.rawValue)  \(scores)  \(change.message)")
        for difference in change.differences.prefix(8) {
            let scores = [difference.old, difference.new].map { $0.map { decimal($0, 2) } ?? "–" }.joined(separator: " → ")
            say("    \(difference.rule)  \(scores)")
        }
    }
}

private struct ChangeJSON: Encodable {
    struct Verdict: Encodable {
        var disposition: String
        var score: Double
    }

    struct Rule: Encodable {
        var rule: String
        var old: Double?
        var new: Double?
    }

    var message: String
    var `class`: String?
    var old: Verdict
    var new: Verdict
    var harm: Int
    var rules: [Rule]

    init(_ change: DispositionChange) {
        self.message = change.message
        self.class = change.kind?.rawValue
        self.old = Verdict(disposition: change.old.disposition.rawValue, score: change.old.score)
        self.new = Verdict(disposition: change.new.disposition.rawValue, score: change.new.score)
        self.harm = change.harm
        self.rules = change.differences.map { Rule(rule: $0.rule, old: $0.old, new: $0.new) }
    }
}
