import PatternKit

/// The active rules of one priority, by what they look at. The steps are run in the order in which SpamAssassin runs them;
/// evaluation can end behind each.
struct EvaluationStage: Sendable {
    enum Step: Int, CaseIterable {
        case mimeHeaders
        case attachments
        case envelope
        case headers
        case headerFunctions
        case body
        case links
        case bodyFunctions
        case rawBody
        case rawBodyFunctions
        case full
        case fullFunctions
        case metas
    }

    private(set) var mimeHeaders = HeaderGroups()
    private(set) var attachments: [(field: AttachmentField, rule: PatternRule)] = []
    private(set) var envelope: [(field: EnvelopeField, rule: PatternRule)] = []
    private(set) var headers = HeaderGroups()
    private(set) var headerFunctions = FunctionRules()
    private(set) var body = PatternRules()
    private(set) var links = PatternRules()
    private(set) var bodyFunctions = FunctionRules()
    private(set) var rawBody = PatternRules()
    private(set) var rawBodyFunctions = FunctionRules()
    private(set) var full = PatternRules()
    private(set) var fullFunctions = FunctionRules()
    /// Metas of any priority whose rules are all run when this stage ends, each behind those that it asks for.
    var metas = MetaRules()

    /// Those of all steps.
    var functions: [FunctionRule] {
        self.headerFunctions.rules + self.bodyFunctions.rules + self.rawBodyFunctions.rules + self.fullFunctions.rules
    }

    /// For each step, by how much all that comes behind it can lower the score.
    private var lowestScores: [Double] = []

    func lowestScore(behind step: Step) -> Double { self.lowestScores[step.rawValue] }

    /// Works out what is left behind each step.
    /// - Returns: by how much the stage and all behind it can lower the score.
    mutating func countScores(_ rules: [Rule], behind later: Double) -> Double {
        var lowest = later
        var scores: [Double] = []
        for step in Step.allCases.reversed() {
            scores.append(lowest)
            for index in self.rules(of: step) { lowest += rules[index].lowestScore }
        }
        self.lowestScores = scores.reversed()
        return lowest
    }

    private func rules(of step: Step) -> [Int] {
        switch step {
        case .mimeHeaders: self.mimeHeaders.groups.flatMap { $0.patterns.indices }
        case .attachments: self.attachments.map(\.rule.index)
        case .envelope: self.envelope.map(\.rule.index)
        case .headers: self.headers.groups.flatMap { $0.patterns.indices + $0.presence }
        case .headerFunctions: self.headerFunctions.indices
        case .body: self.body.indices
        case .links: self.links.indices
        case .bodyFunctions: self.bodyFunctions.indices
        case .rawBody: self.rawBody.indices
        case .rawBodyFunctions: self.rawBodyFunctions.indices
        case .full: self.full.indices
        case .fullFunctions: self.fullFunctions.indices
        case .metas: self.metas.indices
        }
    }

    /// Takes in a rule that is active; metas are placed elsewhere.
    mutating func add(_ index: Int, _ rule: Rule, _ groups: inout PatternGroups) {
        switch rule.test {
        case .header(let selector, let match):
            self.headers.add(PatternRule(index, rule, match, .header(selector), &groups), selector)
        case .headerExists(let selector):
            self.headers.addPresence(index, selector)
        case .mimeHeader(let selector, let match):
            self.mimeHeaders.add(PatternRule(index, rule, match, .mimeHeader(selector), &groups), selector)
        case .attachment(let field, let match):
            self.attachments.append((field, PatternRule(index, rule, match, nil, &groups)))
        case .envelope(let field, let match):
            self.envelope.append((field, PatternRule(index, rule, match, nil, &groups)))
        case .body(let pattern):
            self.body.append(PatternRule(index, rule, HeaderMatch(pattern: pattern), .body, &groups))
        case .rawBody(let pattern):
            self.rawBody.append(PatternRule(index, rule, HeaderMatch(pattern: pattern), .rawBody, &groups))
        case .full(let pattern):
            self.full.append(PatternRule(index, rule, HeaderMatch(pattern: pattern), .full, &groups))
        case .uri(let pattern):
            self.links.append(PatternRule(index, rule, HeaderMatch(pattern: pattern), .links, &groups))
        case .function(let kind, let call):
            self.add(FunctionRule(index: index, test: call.test, servesOthers: call.servesOthers), kind)
        case .meta, .unavailable:
            break
        }
    }

    private mutating func add(_ function: FunctionRule, _ kind: RuleKind) {
        switch kind {
        case .body, .uri: self.bodyFunctions.append(function)
        case .rawBody: self.rawBodyFunctions.append(function)
        case .full: self.fullFunctions.append(function)
        case .header, .mimeHeader, .meta, .envelope, .attachment: self.headerFunctions.append(function)
        }
    }
}

extension Rule {
    /// By how much its hits can lower the score of a message; a rule that ends evaluation as harmless can do anything.
    fileprivate var lowestScore: Double {
        guard self.stage == .live else { return 0 }
        if self.shortcircuit == .ham { return -.infinity }
        return self.isSubrule ? 0 : min(self.score, 0) * Double(self.maximumHits)
    }
}

/// A pattern that is searched for one rule. A class, so that looking at one copies nothing of it.
final class PatternRule: Sendable {
    /// Of the rule in the rule set.
    let index: Int
    let pattern: Pattern
    let isNegated: Bool
    /// Searched in place of a field that is not there.
    let ifUnset: [UInt8]
    /// What is searched in place of a field that is not there is long enough for a match.
    let mayMatchUnset: Bool
    /// Matches that count.
    let maximumHits: Int
    let skipsSubject: Bool
    /// Where it stands among the patterns that are looked for together; nil if it is always searched by itself.
    let place: PatternPlace?

    init(_ index: Int, _ rule: Rule, _ match: HeaderMatch, _ patternClass: PatternClass?, _ groups: inout PatternGroups) {
        self.index = index
        self.pattern = match.pattern
        self.isNegated = match.isNegated
        self.ifUnset = match.ifUnset
        self.mayMatchUnset = match.ifUnset.count >= match.pattern.minimumLength
        self.maximumHits = rule.maximumHits
        self.skipsSubject = rule.skipsSubject
        self.place = patternClass.map { groups.add(match.pattern, to: $0) }
    }
}

/// Rules whose patterns are looked for together. Which of them a text may match is seen without a look at the rules themselves: they
/// are many, and most match no text.
struct PatternRules: Sendable {
    private(set) var rules: [PatternRule] = []
    /// By rule: its index in the rule set, the number of its pattern among those that are looked for together, and the matches of it
    /// that count.
    private(set) var indices: [Int] = []
    private(set) var numbers: [Int] = []
    private(set) var maximumHits: [Int] = []
    /// Rules that may hit where there is no text at all, in order.
    private(set) var withoutText: [Int] = []
    /// By rule: whether it hits where its pattern does not match.
    private(set) var isNegated: [Bool] = []

    /// The patterns, by their place in the rule set; nil for rules that are searched by themselves.
    var group: Int? { self.rules.first?.place?.group }

    mutating func append(_ rule: PatternRule) {
        if rule.isNegated || rule.mayMatchUnset { self.withoutText.append(self.rules.count) }
        self.rules.append(rule)
        self.indices.append(rule.index)
        self.numbers.append(rule.place?.number ?? 0)
        self.maximumHits.append(rule.maximumHits)
        self.isNegated.append(rule.isNegated)
    }

    init() {}

    init(_ rule: PatternRule) {
        self.append(rule)
    }
}

/// Functions in the order in which they are called. Whether one is, is seen without a look at it.
struct FunctionRules: Sendable {
    private(set) var rules: [FunctionRule] = []
    /// By function: the rule's index in the rule set.
    private(set) var indices: [Int] = []

    mutating func append(_ function: FunctionRule) {
        self.rules.append(function)
        self.indices.append(function.index)
    }
}

/// A function that is called for one rule.
struct FunctionRule: Sendable {
    let index: Int
    let test: EvalTest
    let servesOthers: Bool
}

/// Rules that look at the same header text.
struct HeaderGroup: Sendable {
    let selector: HeaderSelector
    fileprivate(set) var patterns = PatternRules()
    /// Rules that only ask whether there is such a field.
    fileprivate(set) var presence: [Int] = []
}

/// Header rules by what they look at, so that each text is made once.
struct HeaderGroups: Sendable {
    private(set) var groups: [HeaderGroup] = []
    private var indices: [HeaderSelector: Int] = [:]

    mutating func add(_ rule: PatternRule, _ selector: HeaderSelector) {
        self.groups[self.index(of: selector)].patterns.append(rule)
    }

    mutating func addPresence(_ rule: Int, _ selector: HeaderSelector) {
        self.groups[self.index(of: selector)].presence.append(rule)
    }

    private mutating func index(of selector: HeaderSelector) -> Int {
        if let known = self.indices[selector] { return known }
        self.indices[selector] = self.groups.count
        self.groups.append(HeaderGroup(selector: selector))
        return self.groups.count - 1
    }
}
