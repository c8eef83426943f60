import PatternKit

/// A test that need not run before a meta asks for its rule.
enum LazyTest: Sendable {
    case header(HeaderSelector, PatternRule)
    case body(PatternRule)
    case links(PatternRule)
    case rawBody(PatternRule)
    case full(PatternRule)
    case function(FunctionRule)
    case meta(MetaRule)

    /// In which order to try: where one answer is enough, that which costs least comes first.
    var cost: Int {
        switch self {
        case .header: 1
        case .links: 2
        case .function: 3
        case .body(let rule), .rawBody(let rule): rule.pattern.compiledSize < Self.largePattern ? 4 : 6
        case .meta: 5
        case .full: 7
        }
    }

    /// Octets of a compiled pattern that takes longer than most metas.
    private static let largePattern = 4_000
}

/// Which rules serve nothing but metas, and so can wait until one asks: most subrules of most messages are never asked for,
/// because something else that the meta asks for has decided.
struct LazyPlan: Sendable {
    /// By the rule's index in the rule set; nil for a rule that runs in its turn.
    private(set) var tests: [LazyTest?]
    /// By the rule's index in the rule set, the same as truth.
    private(set) var isLazy: [Bool]
    private(set) var costs: [Int]
    /// By meta: rules that it asks for whose value may turn out to be unknown (see `MetaOrder`). They are worked out first, since the
    /// meta is unknown with them whatever the others say.
    private(set) var doubtful: [[Int]]
    /// By meta: what must be so for it to hit, that which costs least first.
    private(set) var conditions: [[MetaCondition]]

    init(_ stages: [EvaluationStage], rules: [Rule], shortcircuit: ShortcircuitScores) {
        self.tests = Array(repeating: nil, count: rules.count)
        self.isLazy = Array(repeating: false, count: rules.count)
        self.costs = Array(repeating: 0, count: rules.count)
        self.doubtful = Array(repeating: [], count: rules.count)
        self.conditions = Array(repeating: [], count: rules.count)
        // Where the next hit may end evaluation by the score, each must come in its turn.
        if shortcircuit.mayEnd { return }
        for stage in stages {
            for group in stage.headers.groups {
                for rule in group.patterns { self.add(rule.index, .header(group.selector, rule), rules) }
            }
            for rule in stage.body { self.add(rule.index, .body(rule), rules) }
            for rule in stage.links { self.add(rule.index, .links(rule), rules) }
            for rule in stage.rawBody { self.add(rule.index, .rawBody(rule), rules) }
            for rule in stage.full { self.add(rule.index, .full(rule), rules) }
            for function in stage.headerFunctions + stage.bodyFunctions + stage.rawBodyFunctions + stage.fullFunctions
            where !function.servesOthers {
                self.add(function.index, .function(function), rules)
            }
        }
        var isDoubtful = Array(repeating: false, count: rules.count)
        for meta in stages.flatMap(\.metas) {
            self.add(meta.index, .meta(meta), rules)
            let doubtful = meta.targets.filter { isDoubtful[$0] }
            self.doubtful[meta.index] = doubtful
            isDoubtful[meta.index] = !meta.isActive || !doubtful.isEmpty
            let conditions = meta.expression.conditions.compactMap { condition in
                meta.references[condition.rule].map { MetaCondition(rule: $0, mustHit: condition.mustHit) }
            }
            self.conditions[meta.index] = conditions.sorted { self.costs[$0.rule] < self.costs[$1.rule] }
        }
    }

    private mutating func add(_ index: Int, _ test: LazyTest, _ rules: [Rule]) {
        let rule = rules[index]
        guard rule.isSubrule, rule.action == nil, rule.shortcircuit == nil else { return }
        self.tests[index] = test
        self.isLazy[index] = true
        self.costs[index] = test.cost
    }
}
