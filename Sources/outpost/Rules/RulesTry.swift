import ArgumentParser
import Foundation
import Gateway
import MailMessage
import MailRules
import MailStore
import MailTypes

struct RulesTry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "try",
        abstract: "Try rules on mail that is known to be wanted (ham) or not (spam).",
        discussion: """
            Each RULE is the name of a rule, a rule file, or the text of a rule in quotes: 'body MINE /free pills/i'. New rules \
            are tried together with those of --rules.

            Directories may be maildirs, or hold one message a file or mbox files; an mbox file can be named itself. The ranges \
            are 95% confidence intervals. "At most" is what the rate of wanted mail that the rule hits stays below with 95% \
            confidence: with few messages even no hit at all proves little.
            """
    )

    @OptionGroup var rules: RuleFilesOption
    @Option(help: "Mail that is wanted; may be repeated.") var ham: [String] = []
    @Option(help: "Mail that is not; may be repeated.") var spam: [String] = []
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text
    @Argument(help: "Names of rules, rule files, or the text of a rule.") var rule: [String]

    func validate() throws {
        if self.ham.isEmpty, self.spam.isEmpty { throw ValidationError("Give --ham DIR, --spam DIR, or both.") }
    }

    func run() async throws {
        let (ruleSet, names) = try self.tried()
        var corpus = MailCorpus()
        for path in self.ham { try corpus.add(path, .ham) }
        for path in self.spam { try corpus.add(path, .spam) }
        let parts = await corpus.run("trying", progress: ProgressReporter(format: self.format)) {
            TrialWorker(ruleSet: ruleSet, names: names)
        } work: { worker, entry, message in
            worker.add(message, entry.kind ?? .ham)
        } finish: { worker in
            worker.sums
        }
        let whole = parts.dropFirst().reduce(into: parts[0]) { $0.merge($1) }
        let dependencies = RuleDependencies(ruleSet)
        let results = names.map { name in
            let own = ruleSet.indices[name].map { dependencies.needs(of: $0).map(\.name) } ?? []
            return whole.trial.result(of: name, without: Set(own))
        }
        switch self.format {
        case .json:
            for result in results { say(try jsonLine(TrialJSON(result, microseconds: whole.microseconds(of: result.rule)))) }
        case .text: self.tell(results, whole)
        }
    }

    /// The rules with the new ones, and the names of those on trial.
    private func tried() throws -> (RuleSet, [String]) {
        var sources = try self.baseSources()
        var names: [String] = []
        for argument in self.rule {
            if argument.contains(where: \.isWhitespace) {
                names += try self.names(RuleSource(file: "(given)", text: argument))
                sources.append(RuleSource(file: "(given)", text: argument))
            } else if FileManager.default.fileExists(atPath: argument) {
                for source in try RuleFiles([argument], options: self.rules.options).sources {
                    names += try self.names(source)
                    if !sources.contains(where: { $0.file == source.file }) { sources.append(source) }
                }
            } else {
                names.append(argument)
            }
        }
        let ruleSet = try RuleFiles.compiled(sources)
        for name in names where ruleSet[name] == nil {
            complain("there is no rule \(name)" + (ruleSet.suggestion(for: name).map { "; did you mean \($0)?" } ?? ""))
            throw ExitCode(66)
        }
        return (ruleSet, names)
    }

    /// Without --rules a new rule can be tried where there is no configuration, too.
    private func baseSources() throws -> [RuleSource] {
        let hasFiles = !self.rules.rules.isEmpty || FileManager.default.fileExists(atPath: self.rules.options.config)
        return hasFiles ? try self.rules.files().sources : []
    }

    /// The rules that a source defines; names for metas only when there are no others.
    private func names(_ source: RuleSource) throws -> [String] {
        let defined = try RuleFiles.compiled([source]).rules
        let counting = defined.filter { !$0.isSubrule }
        return (counting.isEmpty ? defined : counting).map(\.name)
    }

    private func tell(_ results: [RuleTrial.Result], _ whole: TrialSums) {
        var table = TextTable([
            ("rule", .left), ("ham", .right), ("rate", .right), ("at most", .right), ("spam", .right), ("rate", .right),
            ("range", .left), ("spam share", .right), ("µs/message", .right),
        ])
        for result in results {
            table.add([
                result.rule,
                "\(result.ham.count)/\(result.ham.total)", Self.rate(result.ham), Self.rate(result.ham, \.upperBound),
                "\(result.spam.count)/\(result.spam.total)", Self.rate(result.spam),
                "\(Self.rate(result.spam, \.interval.lowerBound))–\(Self.rate(result.spam, \.interval.upperBound))",
                result.spamShare.map { decimal($0, 3) } ?? "–", decimal(whole.microseconds(of: result.rule), 1),
            ])
        }
        for line in table.lines { say(line) }
        for result in results where !result.overlaps.isEmpty {
            say("\(result.rule) hits together with:")
            for overlap in result.overlaps {
                say("  \(decimal(overlap.similarity, 3))  \(overlap.rule), \(overlap.both) messages")
            }
        }
        if whole.failures > 0 { say("\(whole.failures) messages ran over a limit of a rule") }
    }
}

extension RulesTry {
    /// Of no messages there is no rate.
    fileprivate static func rate(_ proportion: Proportion, _ value: KeyPath<Proportion, Double> = \.rate) -> String {
        proportion.total == 0 ? "–" : percent(proportion[keyPath: value])
    }
}

/// What one thread works with.
private struct TrialWorker {
    private let evaluator: RuleEvaluator
    private let tried: [Int: String]
    private(set) var sums: TrialSums

    init(ruleSet: RuleSet, names: [String]) {
        self.evaluator = RuleEvaluator(ruleSet: ruleSet)
        self.tried = Dictionary(names.compactMap { name in ruleSet.indices[name].map { ($0, name) } }, uniquingKeysWith: { $1 })
        self.sums = TrialSums(trial: RuleTrial(rules: names))
    }

    mutating func add(_ bytes: [UInt8], _ kind: RuleTrial.Class) {
        let text = MessageText(ParsedMessage(bytes))
        let findings = self.evaluator.evaluate(text, envelope: sampleEnvelope)
        self.sums.trial.add(findings, kind)
        if !findings.suspended.isEmpty { self.sums.failures += 1 }
        self.sums.messages += 1
        for (index, time) in self.evaluator.times(text) {
            if let name = self.tried[index] { self.sums.nanoseconds[name, default: 0] += time }
        }
    }
}

/// What was found, of one thread or of all.
private struct TrialSums: Sendable {
    var trial: RuleTrial
    var messages = 0
    /// Messages with a rule that ran over its limits.
    var failures = 0
    var nanoseconds: [String: Int64] = [:]

    mutating func merge(_ other: TrialSums) {
        self.trial.merge(other.trial)
        self.messages += other.messages
        self.failures += other.failures
        self.nanoseconds.merge(other.nanoseconds, uniquingKeysWith: +)
    }

    /// Per message.
    func microseconds(of rule: String) -> Double {
        Double(self.nanoseconds[rule] ?? 0) / 1_000 / Double(max(1, self.messages))
    }
}

private struct TrialJSON: Encodable {
    struct Rate: Encodable {
        var hits: Int
        var messages: Int
        var rate: Double
        var low: Double
        var high: Double
        var upper_bound: Double

        init(_ proportion: Proportion) {
            self.hits = proportion.count
            self.messages = proportion.total
            self.rate = proportion.rate
            self.low = proportion.interval.lowerBound
            self.high = proportion.interval.upperBound
            self.upper_bound = proportion.upperBound
        }
    }

    struct Overlap: Encodable {
        var rule: String
        var both: Int
        var jaccard: Double
    }

    var rule: String
    var ham: Rate
    var spam: Rate
    var spam_share: Double?
    var overlap: [Overlap]
    var microseconds: Double

    init(_ result: RuleTrial.Result, microseconds: Double) {
        self.rule = result.rule
        self.ham = Rate(result.ham)
        self.spam = Rate(result.spam)
        self.spam_share = result.spamShare
        self.overlap = result.overlaps.map { Overlap(rule: $0.rule, both: $0.both, jaccard: $0.similarity) }
        self.microseconds = microseconds
    }
}
