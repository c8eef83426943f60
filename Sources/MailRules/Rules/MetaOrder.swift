/// A meta with the rules behind its names. A class, so that looking at one copies nothing of it.
final class MetaRule: Sendable {
    /// Of the rule in the rule set.
    let index: Int
    /// Of rules by their indices in the rule set.
    let expression: MetaExpression
    /// The rules that it asks for.
    let targets: [Int]
    /// Has a score or an action; another one only serves those that ask for it.
    let isActive: Bool
    /// Has no hit when none of the rules has one, which is so for most metas and most messages.
    let needsHit: Bool

    /// - Parameter references: for each name of the expression the rule, or nil for one that counts as 0.
    init(index: Int, expression: MetaExpression, references: [Int?], isActive: Bool) {
        self.index = index
        self.expression = expression.resolved(references)
        self.targets = references.compactMap { $0 }
        self.isActive = isActive
        var stack: [Double] = []
        self.needsHit = expression.evaluate(stack: &stack) { _ in 0 } == 0
    }
}

/// Metas in the order in which they are worked out. What passes most of them over lies side by side.
struct MetaRules: Sendable {
    let rules: [MetaRule]
    /// By meta.
    let indices: [Int]
    let needsHit: [Bool]

    init(_ rules: [MetaRule] = []) {
        self.rules = rules
        self.indices = rules.map(\.index)
        self.needsHit = rules.map(\.needsHit)
    }
}

/// Finds for each meta the stage behind which its value is known, as SpamAssassin 4.0.1 does it.
///
/// A meta's value is worked out when all rules that it asks for have run. Rules that do not run at all (they score 0, or there is
/// no such rule) count as 0 from the end of all stages on. A meta that scores 0 is worked out, too, if its rules have all run
/// before that; when it would hit it stays unknown, and when its rules come too late it stays unknown in any case: what asks for
/// an unknown meta never hits. That is an accident of SpamAssassin's, and rule sets are tuned with it.
///
/// Of a rule on trial (`stage shadow`) only rules on trial know; for all others, and for a draft, there is no such rule.
struct MetaOrder {
    /// By the priority of the stage they are run behind.
    private(set) var metas: [Int: [MetaRule]] = [:]

    private let rules: [Rule]
    private let priorities: [Int]
    private let references: [Int: [Int?]]
    private let firstPriority: Int
    private let lastPriority: Int
    /// When the value of a meta is known; nil for one that never is.
    private var known: [Int: Moment?] = [:]

    private enum Moment: Comparable {
        case behind(priority: Int)
        case atEnd
    }

    init(rules: [Rule], priorities: [Int], references: [Int: [Int?]]) {
        self.rules = rules
        self.priorities = priorities
        self.references = references
        let used = rules.indices.filter { rules[$0].isActive }.map { priorities[$0] }
        self.firstPriority = used.min() ?? 0
        self.lastPriority = used.max() ?? 0
    }

    /// Takes the next meta; those that it asks for must have come before.
    mutating func place(_ index: Int) {
        guard case .meta(let expression) = self.rules[index].test, self.rules[index].stage != .draft else { return }
        let visible = (self.references[index] ?? []).map { $0.flatMap { self.isVisible($0, to: index) ? $0 : nil } }
        // A meta without rules is known behind the first stage.
        var moment = Moment.behind(priority: self.firstPriority)
        for target in visible {
            guard let known = self.moment(of: target) else {
                self.known[index] = .some(nil)
                return
            }
            moment = max(moment, known)
        }
        let isActive = self.rules[index].isActive
        self.known[index] = isActive || moment != .atEnd ? .some(moment) : .some(nil)
        guard isActive || moment != .atEnd else { return }
        let meta = MetaRule(index: index, expression: expression, references: visible, isActive: isActive)
        self.metas[self.stage(at: moment), default: []].append(meta)
    }

    private func isVisible(_ target: Int, to index: Int) -> Bool {
        switch self.rules[target].stage {
        case .draft: false
        case .shadow: self.rules[index].stage == .shadow
        case .live: true
        }
    }

    private func moment(of target: Int?) -> Moment? {
        guard let target else { return .atEnd }
        if case .meta = self.rules[target].test { return self.known[target] ?? nil }
        guard self.rules[target].isActive, self.isRun(target) else { return .atEnd }
        return .behind(priority: self.priorities[target])
    }

    private func isRun(_ target: Int) -> Bool {
        if case .unavailable = self.rules[target].test { return false }
        return true
    }

    private func stage(at moment: Moment) -> Int {
        switch moment {
        case .behind(let priority): priority
        case .atEnd: self.lastPriority
        }
    }
}
