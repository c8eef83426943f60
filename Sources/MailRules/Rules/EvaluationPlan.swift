import MailTypes
import PatternKit

/// A rule set arranged for evaluation: what is run, in which order, with all that needs no message worked out.
struct EvaluationPlan: Sendable {
    /// In ascending order of priority, as they are run.
    let stages: [EvaluationStage]
    /// All patterns that can be looked for together.
    let patternGroups: [PatternGroup]
    /// By the rule's index in the rule set.
    let traits: [RuleTraits]
    /// By the rule's index in the rule set: the metas that ask for it.
    let askers: Rows<Int>
    /// By the rule's index in the rule set; nil for what is no meta, or one that is never worked out.
    let metas: [MetaRule?]
    let lazy: LazyPlan
    let shortcircuit: ShortcircuitScores

    /// - Parameters:
    ///   - metaOrder: metas, each behind those that it asks for.
    ///   - references: for each meta, the rules behind its names; nil for a name without a rule.
    init(rules: [Rule], metaOrder: [Int], references: [Int: [Int?]], shortcircuit: ShortcircuitScores) {
        let priorities = EvaluationPlan.priorities(rules, references)
        var builders: [Int: EvaluationStage] = [:]
        var groups = PatternGroups()
        for (index, rule) in rules.enumerated() where rule.isActive {
            builders[priorities[index], default: EvaluationStage()].add(index, rule, &groups)
        }
        var order = MetaOrder(rules: rules, priorities: priorities, references: references)
        for index in metaOrder { order.place(index) }
        for (priority, metas) in order.metas { builders[priority, default: EvaluationStage()].metas = MetaRules(metas) }
        var stages = builders.sorted { $0.key < $1.key }.map(\.value)
        var lowest = 0.0
        for index in stages.indices.reversed() { lowest = stages[index].countScores(rules, behind: lowest) }
        self.stages = stages
        self.patternGroups = groups.groups
        self.traits = rules.map(RuleTraits.init)
        self.askers = EvaluationPlan.askers(stages, ruleCount: rules.count)
        var metas = [MetaRule?](repeating: nil, count: rules.count)
        for meta in stages.flatMap(\.metas.rules) { metas[meta.index] = meta }
        self.metas = metas
        self.lazy = LazyPlan(stages, rules: rules, shortcircuit: shortcircuit)
        self.shortcircuit = shortcircuit
    }

    private static func askers(_ stages: [EvaluationStage], ruleCount: Int) -> Rows<Int> {
        var askers = Array(repeating: [Int](), count: ruleCount)
        for meta in stages.flatMap(\.metas.rules) { for target in Set(meta.targets) { askers[target].append(meta.index) } }
        return Rows(askers)
    }

    /// A rule that a meta of lower priority asks for runs with that meta. SpamAssassin's defaults: 0, and -100 for rules that
    /// ask the network.
    private static func priorities(_ rules: [Rule], _ references: [Int: [Int?]]) -> [Int] {
        var priorities = rules.map(\.priority)
        let byPriority = references.keys.sorted { (priorities[$0], $0) < (priorities[$1], $1) }
        for index in byPriority {
            for case let target? in references[index] ?? [] where priorities[target] > priorities[index] {
                priorities[target] = priorities[index]
            }
        }
        for (index, rule) in rules.enumerated() where priorities[index] == 0 && rule.flags.contains("net") {
            priorities[index] = EvaluationPlan.networkPriority
        }
        return priorities
    }

    private static let networkPriority = -100
}

/// What of a rule is needed when it hits.
struct RuleTraits: Sendable {
    let score: Double
    /// Each match adds the score; else the score is added once.
    let scoresEachMatch: Bool
    /// A hit counts; those of rules on trial change nothing.
    let isLive: Bool
    let isSubrule: Bool
    let hasAction: Bool
    let asksForRefusal: Bool
    let shortcircuit: Shortcircuit?

    init(_ rule: Rule) {
        self.score = rule.score
        self.isLive = rule.stage == .live
        self.isSubrule = rule.isSubrule
        self.hasAction = rule.action != nil
        self.shortcircuit = rule.stage == .live ? rule.shortcircuit : nil
        self.asksForRefusal = rule.stage == .live && rule.action.map { if case .reject = $0 { true } else { false } } ?? false
        switch rule.test {
        case .meta: self.scoresEachMatch = false
        case .function(_, let call): self.scoresEachMatch = call.countsMatches && rule.isMultiple
        default: self.scoresEachMatch = rule.isMultiple
        }
    }
}
