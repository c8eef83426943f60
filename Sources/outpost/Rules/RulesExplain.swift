import ArgumentParser
import Foundation
import Gateway
import MailMessage
import MailRules
import MailStore
import MailTypes

struct RulesExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a rule means, where it is defined, what it depends on, and what it hits.",
        discussion: """
            The pattern is explained piece by piece. What the gateway has counted is told where it has run; --corpus counts in \
            messages of your own, and --message says why a rule did or did not hit one.
            """
    )

    @OptionGroup var rules: RuleFilesOption
    @Option(help: "Messages to count hits in; may be repeated.") var corpus: [String] = []
    @Option(help: "A message file to explain the rule on.") var message: String?
    @Option(help: "Output as text or json.") var format: OutputFormat = .text
    @Argument(help: "The rule's name.") var name: String

    func run() async throws {
        let files = try self.rules.files()
        let (ruleSet, sources) = try files.compiledWithIncludes()
        guard let index = ruleSet.indices[self.name] else {
            complain("there is no rule \(self.name)" + (ruleSet.suggestion(for: self.name).map { "; did you mean \($0)?" } ?? ""))
            throw ExitCode(66)
        }
        let explanation = RuleExplanation(ruleSet.rules[index], sources: sources)
        let dependencies = RuleDependencies(ruleSet)
        var report = ExplanationReport(
            explanation: explanation,
            needs: dependencies.needs(of: index),
            users: dependencies.users(of: index),
            ruleSet: ruleSet
        )
        report.counted = await RuleCounts.load(self.rules.options)?.filter { $0.rule == self.name } ?? []
        if !self.corpus.isEmpty { report.sample = try await self.sample() }
        if let message = self.message { report.onMessage = try self.explain(index, ruleSet, message) }
        say(self.format == .json ? try jsonLine(report.json) : report.text)
    }

    /// How often the rule hits in messages given, and some that it hits.
    private func sample() async throws -> ExplanationReport.Sample {
        let ruleSet = try self.rules.files().compiled()
        var corpus = MailCorpus()
        for path in self.corpus { try corpus.add(path, nil) }
        let name = self.name
        let parts = await corpus.run("counting", progress: ProgressReporter(format: self.format)) {
            SampleWorker(evaluator: RuleEvaluator(ruleSet: ruleSet))
        } work: { worker, entry, message in
            let findings = worker.evaluator.evaluate(MessageText(ParsedMessage(message)), envelope: sampleEnvelope)
            guard findings.allHits.contains(name) else { return }
            let hit = (findings.hits + findings.shadowHits).first { $0.rule == name }
            worker.hits.append(.init(message: entry.name, text: hit?.locations.first?.text))
        } finish: { worker in
            worker.hits
        }
        let hits = parts.joined().sorted { $0.message < $1.message }
        return .init(proportion: Proportion(hits.count, of: corpus.entries.count), hits: hits)
    }

    private struct SampleWorker {
        var evaluator: RuleEvaluator
        var hits: [ExplanationReport.Sample.Hit] = []
    }

    private func explain(_ index: Int, _ ruleSet: RuleSet, _ path: String) throws -> RuleOutcomeOnMessage {
        guard let data = FileManager.default.contents(atPath: path) else {
            complain("\(path): cannot be read")
            throw ExitCode(66)
        }
        let text = MessageText(ParsedMessage(withNetworkLineEnds([UInt8](data))))
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        return evaluator.explain(index, on: text, envelope: sampleEnvelope)
    }
}

extension RuleFiles {
    /// The compiled rules and all files that were read for them, included ones behind those that were named.
    func compiledWithIncludes() throws -> (RuleSet, [RuleSource]) {
        var sources = self.sources
        let compilation = RuleCompiler().compile(self.sources) { path in
            let source = RuleDirectories.source(path)
            if let source, !sources.contains(where: { $0.file == path }) { sources.append(source) }
            return source
        }
        for problem in compilation.problems where problem.severity == .error { complain("\(problem)") }
        guard let rules = compilation.ruleSet else { throw ExitCode(1) }
        return (rules, sources)
    }
}

/// What `rules explain` tells, for people and for programs.
struct ExplanationReport {
    /// What messages given show.
    struct Sample {
        struct Hit: Sendable {
            var message: String
            var text: String?
        }

        var proportion: Proportion
        var hits: [Hit]
    }

    var explanation: RuleExplanation
    var needs: [RuleDependencies.Line]
    var users: [RuleDependencies.Line]
    var ruleSet: RuleSet
    var counted: [RuleHitCount] = []
    var sample: Sample?
    var onMessage: RuleOutcomeOnMessage?

    /// Messages of a sample that are named.
    private static let maximumNamed = 10

    // MARK: - Text

    var text: String {
        let rule = self.explanation.rule
        var lines = [rule.description.isEmpty ? rule.name : "\(rule.name): \(rule.description)"]
        lines.append("  \(rule.kind.rawValue): \(self.explanation.subject)")
        if let pattern = self.explanation.pattern { lines.append("  for  \(pattern)") }
        let width = min(28, self.explanation.phrases.map { $0.source.count + 2 * $0.depth }.max() ?? 0)
        for phrase in self.explanation.phrases {
            let source = String(repeating: "  ", count: phrase.depth) + phrase.source
            lines.append("    \(source)\(String(repeating: " ", count: max(0, width - source.count)))  \(phrase.meaning)")
        }
        if let unexplained = self.explanation.unexplained { lines.append("    \(unexplained)") }
        lines += self.explanation.facts.map { "  \($0)" }
        lines.append("  defined at \(rule.file):\(rule.line)")
        lines += self.explanation.mentions.map { "    \($0.file):\($0.line): \($0.text)" }
        if !self.needs.isEmpty { lines += ["  depends on"] + self.needs.map(self.line) }
        if !self.users.isEmpty { lines += ["  asked for by"] + self.users.map(self.line) }
        lines += self.countedLines
        if let sample = self.sample {
            let rate = "\(sample.proportion.count) of \(sample.proportion.total) messages (\(percent(sample.proportion.rate)))"
            lines.append("  hits \(rate)")
            for hit in sample.hits.prefix(Self.maximumNamed) {
                lines.append("    \(hit.message)" + (hit.text.map { ": \"\($0)\"" } ?? ""))
            }
            if sample.hits.count > Self.maximumNamed { lines.append("    and \(sample.hits.count - Self.maximumNamed) more") }
        }
        if let outcome = self.onMessage { lines += self.lines(outcome) }
        return lines.joined(separator: "\n")
    }

    private func line(_ line: RuleDependencies.Line) -> String {
        let value = self.onMessage.flatMap { outcome in line.rule.map { " = \(decimal(outcome.values[$0], 0))" } } ?? ""
        let what = line.rule.map { self.ruleSet.rules[$0].description } ?? "no such rule; it counts as 0"
        let repeated = line.isRepeated ? " (see above)" : ""
        let indent = String(repeating: "  ", count: line.depth + 2)
        return indent + line.name + value + (what.isEmpty ? "" : "  \(what)") + repeated
    }

    private var countedLines: [String] {
        guard let last = self.counted.map(\.day).max() else { return [] }
        let live = self.counted.reduce(0) { $0 + $1.live }
        let shadow = self.counted.reduce(0) { $0 + $1.shadow }
        return ["  the gateway counted \(live) hits" + (shadow > 0 ? ", and \(shadow) on trial" : "") + ", the last on \(last)"]
    }

    private func lines(_ outcome: RuleOutcomeOnMessage) -> [String] {
        var lines: [String] = []
        if outcome.isSuspended {
            lines.append("  on this message it ran over its limits and was left out")
        } else if outcome.value != 0 {
            let times = outcome.value == 1 ? "" : ", value \(decimal(outcome.value, 0))"
            lines.append("  hits this message\(times)")
        } else {
            lines.append("  does not hit this message\(outcome.reason.map { ": \($0)" } ?? "")")
        }
        for location in outcome.locations {
            let part = location.part.isEmpty ? "" : " part \(location.part)"
            lines.append("    \(location.view)\(part) at \(location.offset): \"\(location.text)\"")
        }
        if !outcome.texts.isEmpty {
            lines.append("  it looked at")
            lines += outcome.texts.map { "    \"\($0)\"" }
        }
        return lines
    }

    // MARK: - JSON

    struct JSON: Encodable {
        struct Phrase: Encodable {
            var depth: Int
            var source: String
            var meaning: String
        }

        struct Place: Encodable {
            var file: String
            var line: Int
            var text: String
        }

        struct Dependency: Encodable {
            var rule: String
            var depth: Int
            var exists: Bool
            var value: Double?
        }

        struct Day: Encodable {
            var day: String
            var live: Int
            var shadow: Int
        }

        struct Sample: Encodable {
            var messages: Int
            var hits: Int
            var files: [String]
        }

        struct Match: Encodable {
            var view: String
            var part: String
            var offset: Int
            var text: String
        }

        struct Message: Encodable {
            var hit: Bool
            var value: Double
            var suspended: Bool
            var reason: String?
            var matches: [Match]
            var looked_at: [String]
        }

        var rule: String
        var kind: String
        var description: String
        var subject: String
        var pattern: String?
        var pieces: [Phrase]
        var score: Double
        var stage: String
        var facts: [String]
        var file: String
        var line: Int
        var mentions: [Place]
        var depends_on: [Dependency]
        var asked_for_by: [Dependency]
        var counted: [Day]
        var sample: Sample?
        var message: Message?
    }

    var json: JSON {
        let rule = self.explanation.rule
        func dependency(_ line: RuleDependencies.Line) -> JSON.Dependency {
            let value = self.onMessage.flatMap { outcome in line.rule.map { outcome.values[$0] } }
            return .init(rule: line.name, depth: line.depth, exists: line.rule != nil, value: value)
        }
        return JSON(
            rule: rule.name,
            kind: rule.kind.rawValue,
            description: rule.description,
            subject: self.explanation.subject,
            pattern: self.explanation.pattern,
            pieces: self.explanation.phrases.map { .init(depth: $0.depth, source: $0.source, meaning: $0.meaning) },
            score: rule.score,
            stage: rule.stage.rawValue,
            facts: self.explanation.facts,
            file: rule.file,
            line: rule.line,
            mentions: self.explanation.mentions.map { .init(file: $0.file, line: $0.line, text: $0.text) },
            depends_on: self.needs.map(dependency),
            asked_for_by: self.users.map(dependency),
            counted: self.counted.map { .init(day: $0.day, live: $0.live, shadow: $0.shadow) },
            sample: self.sample.map {
                .init(messages: $0.proportion.total, hits: $0.proportion.count, files: $0.hits.map(\.message))
            },
            message: self.onMessage.map { outcome in
                .init(
                    hit: outcome.value != 0,
                    value: outcome.value,
                    suspended: outcome.isSuspended,
                    reason: outcome.reason,
                    matches: outcome.locations.map { .init(view: $0.view, part: $0.part, offset: $0.offset, text: $0.text) },
                    looked_at: outcome.texts
                )
            }
        )
    }
}
