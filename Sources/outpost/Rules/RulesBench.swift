import ArgumentParser
import Foundation
import MailMessage
import MailRules
import MailStore
import MailTypes

struct RulesBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what each rule costs, the dearest first.",
        discussion: """
            Each rule is measured by itself on every message of the corpus, searched for with PCRE2 alone; making the text that \
            rules look at belongs to no rule. Without --corpus the rules' own sample messages are used.
            """
    )

    @OptionGroup var rules: RuleFilesOption
    @Option(help: "Messages to measure with; may be repeated.") var corpus: [String] = []
    @Option(help: "At most so many rules.") var limit = 30
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func validate() throws {
        if self.limit < 1 { throw ValidationError("--limit is 1 or more.") }
    }

    func run() async throws {
        let files = try self.rules.files()
        let ruleSet = try files.compiled()
        var corpus = MailCorpus()
        let paths = self.corpus.isEmpty ? files.directories.map { $0 + "/tests" }.filter(RuleFiles.isDirectory) : self.corpus
        guard !paths.isEmpty else {
            complain("there are no sample messages beside the rules; name some with --corpus")
            throw ExitCode(66)
        }
        for path in paths { try corpus.add(path, nil) }
        let parts = await corpus.run("measuring", progress: ProgressReporter(format: self.format)) {
            BenchWorker(ruleSet: ruleSet)
        } work: { worker, _, message in
            worker.add(message)
        } finish: { worker in
            worker.nanoseconds
        }
        let times = parts.reduce(into: [Int: Int64]()) { $0.merge($1, uniquingKeysWith: +) }
        let total = max(1, times.values.reduce(0, +))
        let slowest = times.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(self.limit)
        var table = TextTable([("µs/message", .right), ("share", .right), ("kind", .left), ("rule", .left), ("place", .left)])
        for (index, time) in slowest {
            let rule = ruleSet.rules[index]
            let microseconds = Double(time) / 1_000 / Double(corpus.entries.count)
            let share = Double(time) / Double(total)
            if self.format == .json {
                let fields: [String: JSONValue] = [
                    "rule": .text(rule.name), "kind": .text(rule.kind.rawValue), "microseconds": .decimal(microseconds),
                    "share": .decimal(share), "file": .text(rule.file), "line": .number(rule.line),
                ]
                say(try jsonLine(fields))
            } else {
                table.add([decimal(microseconds, 2), percent(share), rule.kind.rawValue, rule.name, "\(rule.file):\(rule.line)"])
            }
        }
        guard self.format == .text else { return }
        for line in table.lines { say(line) }
        let all = decimal(Double(total) / 1_000 / Double(corpus.entries.count), 0)
        let rules = "\(times.count) \(times.count == 1 ? "rule" : "rules")"
        say("\(rules), \(corpus.entries.count) messages, \(all) µs a message one rule after the other")
    }
}

/// What one thread works with.
private struct BenchWorker {
    private let evaluator: RuleEvaluator
    private(set) var nanoseconds: [Int: Int64] = [:]

    init(ruleSet: RuleSet) {
        self.evaluator = RuleEvaluator(ruleSet: ruleSet)
    }

    mutating func add(_ bytes: [UInt8]) {
        let times = self.evaluator.times(MessageText(ParsedMessage(bytes)))
        self.nanoseconds.merge(times, uniquingKeysWith: +)
    }
}

/// Message files have no envelope of their own; this one is of a documentation address (RFC 5737).
let sampleEnvelope = Envelope(client: ClientIdentity(address: IPAddress(v4: 0xc000_0201)), reversePath: .null)

extension RuleEvaluator {
    /// Nanoseconds of each rule on a message: the better of two runs, for the first one meets cold memory, and either may be
    /// held up by another program.
    func times(_ text: MessageText) -> [Int: Int64] {
        var best: [Int: Int64] = [:]
        for _ in 0..<2 {
            var run: [Int: Int64] = [:]
            self.measure(text, envelope: sampleEnvelope, clock: monotonicNanoseconds) { run[$0, default: 0] += $1 }
            best.merge(run, uniquingKeysWith: min)
        }
        return best
    }
}

private let clockStart = ContinuousClock.now

/// Of a clock that only goes forward.
private func monotonicNanoseconds() -> Int64 {
    let (seconds, attoseconds) = (ContinuousClock.now - clockStart).components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
}
