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
    private(set) var doubtful = Rows<Int>([])
    /// By meta: what must be so for it to hit, that which costs least first.
    private(set) var conditions = Rows<MetaCondition>([])
    /// By meta: the rules that it asks for, that which costs least first.
    private(set) var targets = Rows<Int>([])

    init(_ stages: [EvaluationStage], rules: [Rule], shortcircuit: ShortcircuitScores) {
        self.tests = Array(repeating: nil, count: rules.count)
        self.isLazy = Array(repeating: false, count: rules.count)
        self.costs = Array(repeating: 0, count: rules.count)
        var doubtful = Array(repeating: [Int](), count: rules.count)
        var conditions = Array(repeating: [MetaCondition](), count: rules.count)
        var targets = Array(repeating: [Int](), count: rules.count)
        defer {
            self.doubtful = Rows(doubtful)
            self.conditions = Rows(conditions)
            self.targets = Rows(targets)
        }
        // Where the next hit may end evaluation by the score, each must come in its turn.
        if shortcircuit.mayEnd { return }
        for stage in stages {
            for group in stage.headers.groups {
                for rule in group.patterns.rules { self.add(rule.index, .header(group.selector, rule), rules) }
            }
            for rule in stage.body.rules { self.add(rule.index, .body(rule), rules) }
            for rule in stage.links.rules { self.add(rule.index, .links(rule), rules) }
            for rule in stage.rawBody.rules { self.add(rule.index, .rawBody(rule), rules) }
            for rule in stage.full.rules { self.add(rule.index, .full(rule), rules) }
            for function in stage.functions where !function.servesOthers {
                self.add(function.index, .function(function), rules)
            }
        }
        var isDoubtful = Array(repeating: false, count: rules.count)
        for meta in stages.flatMap(\.metas.rules) {
            self.add(meta.index, .meta(meta), rules)
            doubtful[meta.index] = meta.targets.filter { isDoubtful[$0] }
            isDoubtful[meta.index] = !meta.isActive || !doubtful[meta.index].isEmpty
            conditions[meta.index] = meta.expression.conditions.sorted { self.costs[$0.rule] < self.costs[$1.rule] }
            targets[meta.index] = meta.targets.sorted { self.costs[$0] < self.costs[$1] }
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
