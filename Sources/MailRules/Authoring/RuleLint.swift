import PatternKit

extension RuleCompiler {
    /// All that is to be said about rule files: what compiling reports, and what only an author wants to hear.
    package func lint(_ sources: [RuleSource], load: (String) -> RuleSource? = { _ in nil }) -> [RuleProblem] {
        var lines = RuleLines()
        for source in sources { lines.add(source) }
        let compilation = self.compile(sources) { path in
            let source = load(path)
            if let source, !LanguageModels.isFile(path) { lines.add(source) }
            return source
        }
        guard let ruleSet = compilation.ruleSet else { return compilation.problems }
        var lint = RuleLint(ruleSet: ruleSet, lines: lines)
        lint.look()
        return RuleCompiler.sorted(compilation.problems + lint.problems)
    }
}

/// What is to be said about rules that compile.
struct RuleLint {
    let ruleSet: RuleSet
    let lines: RuleLines
    private(set) var problems: [RuleProblem] = []
    /// Rules whose pattern can never match.
    private var impossible: Set<Int> = []

    init(ruleSet: RuleSet, lines: RuleLines) {
        self.ruleSet = ruleSet
        self.lines = lines
    }

    mutating func look() {
        let matcher = PatternMatcher()
        for (index, rule) in self.ruleSet.rules.enumerated() {
            if !rule.isSubrule, rule.isActive, rule.description.isEmpty {
                self.say(.note, rule, "rule \(rule.name) has no description", hint: "add 'describe \(rule.name) …'")
            }
            for pattern in rule.test.patterns { self.look(at: pattern, of: rule, index, matcher) }
        }
        self.findMissingRules()
        self.findDeadRules()
        self.findDoubles()
    }

    private mutating func say(
        _ severity: RuleProblem.Severity,
        _ rule: Rule,
        column: Int? = nil,
        _ message: String,
        hint: String? = nil
    ) {
        self.problems.append(
            RuleProblem(
                severity,
                file: rule.file,
                line: rule.line,
                column: column ?? self.lines.column(in: rule),
                message: message,
                hint: hint
            )
        )
    }

    // MARK: - Patterns

    private mutating func look(at pattern: Pattern, of rule: Rule, _ index: Int, _ matcher: PatternMatcher) {
        if rule.test.isAffirmed, rule.test.isOnText, case .match = matcher.search(pattern, in: []) {
            let column = self.lines.column(of: pattern.source, in: rule)
            self.say(
                .warning,
                rule,
                column: column,
                "the pattern of \(rule.name) matches an empty text, so it matches everything"
            )
        }
        guard let analysis = try? PatternAnalysis(pattern) else { return }
        if let impossibility = analysis.impossibility(in: rule.kind) {
            self.impossible.insert(index)
            let column = self.lines.column(of: pattern.source, plus: impossibility.offset ?? 0, in: rule)
            let message = "the pattern of \(rule.name) can never match: \(impossibility.reason)"
            self.say(.warning, rule, column: column, message, hint: impossibility.hint)
        } else if let cost = analysis.cost(in: rule.kind) {
            let column = self.lines.column(of: pattern.source, in: rule)
            self.say(cost.severity, rule, column: column, "the pattern of \(rule.name) \(cost.words)", hint: cost.hint)
        }
    }

    // MARK: - The set

    /// Settings that define rules which ask the network, and lines that stand for a definition.
    private static let networkDefinitions: Set<String> = [
        "askdns", "reuse", "uridnsbl", "uridnssub", "urifullnsrhsbl", "urifullnsrhssub", "urinsrhsbl", "urinsrhssub", "urirhsbl",
        "urirhssub",
    ]

    /// Lines about rules that are nowhere defined, not even in a branch that is not read. The linker tells of scores, actions
    /// and stages.
    private mutating func findMissingRules() {
        let mentions = self.lines.mentions
        let definitions = RuleKeywords.definitions.union(RuleLint.networkDefinitions)
        let defined = Set(mentions.filter { definitions.contains($0.keyword) }.map(\.name))
        let spelling = Spelling(self.ruleSet.rules.map(\.name))
        let keywords: Set<String> = ["describe", "priority", "shortcircuit", "test", "tflags"]
        for (keyword, name, place) in mentions where keywords.contains(keyword) && !defined.contains(name) {
            self.problems.append(
                RuleProblem(
                    .warning,
                    file: place.file,
                    line: place.line,
                    column: place.column,
                    message: "'\(keyword)' for \(name), and there is no such rule",
                    hint: spelling.nearest(to: name).map { "did you mean \($0)?" }
                )
            )
        }
    }

    /// Rules that can never hit, always hit, or that nothing asks for.
    private mutating func findDeadRules() {
        let outcomes = RuleOutcomes(self.ruleSet, impossible: self.impossible).values
        let used = self.ruleSet.usedRules
        for (index, rule) in self.ruleSet.rules.enumerated() where rule.stage != .draft {
            if rule.isSubrule, rule.action == nil, !used.contains(index) {
                let hint = "take it out, or use it in a meta"
                self.say(.note, rule, "\(rule.name) is never asked for: no rule that counts depends on it", hint: hint)
                continue
            }
            if !rule.isActive {
                self.say(.note, rule, "rule \(rule.name) scores 0 and so is switched off")
                continue
            }
            guard case .meta(let expression) = rule.test else { continue }
            if outcomes[index].isAlways {
                self.say(.warning, rule, "rule \(rule.name) hits every message: its expression is never 0")
            } else if outcomes[index].isNever {
                self.sayDead(rule, expression, index, outcomes)
            }
        }
    }

    private mutating func sayDead(_ rule: Rule, _ expression: MetaExpression, _ index: Int, _ outcomes: [RuleOutcome]) {
        let references = self.ruleSet.metaReferences[index] ?? []
        let dead = zip(expression.names, references).filter { $1.map { outcomes[$0].isNever } ?? true }.map(\.0)
        if expression.names.isEmpty {
            self.say(.note, rule, "rule \(rule.name) is switched off: its expression is always 0")
        } else if dead.isEmpty {
            self.say(.warning, rule, "rule \(rule.name) can never hit: its expression is always 0")
        } else {
            let names = dead.prefix(3).joined(separator: ", ") + (dead.count > 3 ? " and \(dead.count - 3) more" : "")
            let message = "rule \(rule.name) can never hit, because these never do: \(names)"
            // What is not available here is not the author's fault.
            let isOurs = references.contains { $0.map { self.isUnavailable($0, outcomes) } ?? false }
            self.say(isOurs ? .note : .warning, rule, message)
        }
    }

    /// The rule never hits because something is not available here, directly or by what it asks for.
    private func isUnavailable(_ index: Int, _ outcomes: [RuleOutcome]) -> Bool {
        guard outcomes[index].isNever else { return false }
        var open = [index]
        var seen: Set<Int> = [index]
        while let next = open.popLast() {
            if case .unavailable = self.ruleSet.rules[next].test { return true }
            for case let reference? in self.ruleSet.metaReferences[next] ?? [] where seen.insert(reference).inserted {
                open.append(reference)
            }
        }
        return false
    }

    /// Rules that ask for the same thing.
    private mutating func findDoubles() {
        var first: [String: Rule] = [:]
        for rule in self.ruleSet.rules where rule.isActive && rule.kind != .meta {
            let flags = rule.flags.filter { $0 == "multiple" || $0 == "nosubject" || $0.hasPrefix("maxhits=") }.sorted()
            let key = ([rule.kind.rawValue, rule.definition] + flags).joined(separator: "\n")
            guard let earlier = first[key] else {
                first[key] = rule
                continue
            }
            let message = "\(rule.name) looks for the same as \(earlier.name) (\(earlier.file):\(earlier.line))"
            let isCountedTwice = !rule.isSubrule && !earlier.isSubrule
            self.say(
                isCountedTwice ? .warning : .note,
                rule,
                message,
                hint: isCountedTwice ? "both count for the same text" : "one of them is enough"
            )
        }
    }
}

extension RuleSet {
    /// Rules that count, and those that they depend on.
    var usedRules: Set<Int> {
        var open = self.rules.indices.filter { index in
            let rule = self.rules[index]
            return rule.isActive && rule.stage != .draft && (!rule.isSubrule || rule.action != nil)
        }
        var used = Set(open)
        while let index = open.popLast() {
            for case let reference? in self.metaReferences[index] ?? [] where used.insert(reference).inserted {
                open.append(reference)
            }
        }
        return used
    }
}

extension RuleTest {
    /// The patterns of the rule itself.
    package var patterns: [Pattern] {
        switch self {
        case .body(let pattern), .rawBody(let pattern), .full(let pattern), .uri(let pattern): [pattern]
        case .header(_, let match), .mimeHeader(_, let match), .envelope(_, let match), .attachment(_, let match): [match.pattern]
        case .headerExists, .meta, .function, .unavailable: []
        }
    }

    /// `=~`, not `!~`.
    var isAffirmed: Bool {
        switch self {
        case .header(_, let match), .mimeHeader(_, let match), .envelope(_, let match), .attachment(_, let match):
            !match.isNegated
        case .body, .rawBody, .full, .uri, .headerExists, .meta, .function, .unavailable: true
        }
    }

    /// The rule looks at text that is never asked to be empty; a header may well be.
    var isOnText: Bool {
        switch self {
        case .body, .rawBody, .full, .uri: true
        case .header, .headerExists, .mimeHeader, .envelope, .attachment, .meta, .function, .unavailable: false
        }
    }
}

extension PatternCost {
    fileprivate var severity: RuleProblem.Severity { self.growth == .exponential ? .warning : .note }

    /// `takes more than 100000 steps on a text of 31 octets…`
    package var words: String {
        let grows: String
        switch self.growth {
        case .exponential: grows = "exponentially"
        case .polynomial(let degree): grows = "with the power \(Int(degree.rounded())) of the length"
        }
        return "takes more than \(self.limit) steps on a text of \(self.text.count) octets, and grows \(grows)"
    }

    package var hint: String { "tried with \(self.example); the rule is left out for such a message" }

    /// The text, written as its pieces: `"a" × 31, "!"`.
    package var example: String {
        var pieces: [String] = []
        if !self.prefix.isEmpty { pieces.append("\"\(readable(self.prefix[...]))\"") }
        pieces.append("\"\(readable(self.pump[...]))\" × \(self.repetitions)")
        if !self.suffix.isEmpty { pieces.append("\"\(readable(self.suffix[...]))\"") }
        return pieces.joined(separator: ", ")
    }
}
