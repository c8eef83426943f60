/// What values a rule can have, whatever the message: what it can be told to be without one.
///
/// An interval; the true values are among it, but perhaps not all of it.
struct RuleOutcome: Hashable, Sendable {
    var low: Double
    var high: Double

    static let never = RuleOutcome(low: 0, high: 0)
    static let hit = RuleOutcome(low: 1, high: 1)
    static let maybe = RuleOutcome(low: 0, high: 1)
    static let anything = RuleOutcome(low: -.infinity, high: .infinity)

    var isNever: Bool { self == .never }
    /// 0 is not among the values.
    var isAlways: Bool { self.low > 0 || self.high < 0 }

    fileprivate func hull(_ other: RuleOutcome) -> RuleOutcome {
        RuleOutcome(low: min(self.low, other.low), high: max(self.high, other.high))
    }

    fileprivate static func truth(_ isTrue: Bool?) -> RuleOutcome {
        isTrue.map { $0 ? .hit : .never } ?? .maybe
    }
}

/// Works out, for a whole set, which rules can never hit and which always do.
struct RuleOutcomes {
    /// By index in the set.
    private(set) var values: [RuleOutcome]

    /// - Parameter impossible: rules whose pattern can never match.
    init(_ ruleSet: RuleSet, impossible: Set<Int>) {
        self.values = ruleSet.rules.enumerated().map { index, rule in
            rule.isActive && rule.stage != .draft
                ? RuleOutcomes.outcome(of: rule, isImpossible: impossible.contains(index)) : .never
        }
        for index in ruleSet.metaOrder where ruleSet.rules[index].stage != .draft {
            guard case .meta(let expression) = ruleSet.rules[index].test else { continue }
            let references = ruleSet.metaReferences[index] ?? []
            let operands = references.map { reference in reference.map { self.values[$0] } ?? .never }
            let value = expression.outcome(operands)
            // A hit is at least one hit, also for an expression below zero.
            self.values[index] = value.low < 0 ? RuleOutcome(low: value.high < 0 ? 1 : 0, high: max(value.high, 1)) : value
        }
    }

    private static func outcome(of rule: Rule, isImpossible: Bool) -> RuleOutcome {
        switch rule.test {
        case .unavailable: .never
        case .header(_, let match), .mimeHeader(_, let match), .envelope(_, let match), .attachment(_, let match):
            isImpossible && !match.isNegated ? .never : RuleOutcome(low: 0, high: Double(rule.maximumHits))
        case .body, .rawBody, .full, .uri: isImpossible ? .never : RuleOutcome(low: 0, high: Double(rule.maximumHits))
        case .headerExists: .maybe
        case .function: RuleOutcome(low: 0, high: .infinity)
        case .meta: .anything
        }
    }
}

extension MetaExpression {
    /// Names up to which all combinations of hits are tried.
    private static let maximumTried = 10

    /// What the expression can come to.
    /// - Parameter operands: for each of `names`.
    func outcome(_ operands: [RuleOutcome]) -> RuleOutcome {
        let interval = self.interval(operands)
        guard !interval.isNever, !interval.isAlways, let truths = self.truths(operands) else { return interval }
        return truths == [false] ? .never : truths == [true] ? RuleOutcome(low: 1, high: max(1, interval.high)) : interval
    }

    /// The expression has only `&&`, `||`, `!` and the like: whether it comes to true and to false, over all combinations.
    private func truths(_ operands: [RuleOutcome]) -> Set<Bool>? {
        guard operands.count <= MetaExpression.maximumTried else { return nil }
        for case .apply(let operation) in self.steps {
            switch operation {
            case .not, .and, .or, .choose: continue
            default: return nil
            }
        }
        var found: Set<Bool> = []
        var stack: [Double] = []
        for combination in 0..<(1 << operands.count) where found.count < 2 {
            let isPossible = operands.indices.allSatisfy { index in
                combination >> index & 1 == 1 ? !operands[index].isNever : !operands[index].isAlways
            }
            guard isPossible else { continue }
            found.insert(self.evaluate(stack: &stack) { Double(combination >> $0 & 1) } != 0)
        }
        return found
    }

    private func interval(_ operands: [RuleOutcome]) -> RuleOutcome {
        var stack: [RuleOutcome] = []
        for step in self.steps {
            switch step {
            case .number(let number): stack.append(RuleOutcome(low: number, high: number))
            // It was replaced by the rules that match when the set was linked; what is left matches none.
            case .rulesMatching: stack.append(.never)
            case .rule(let index): stack.append(operands[index])
            case .apply(let operation): MetaExpression.apply(operation, to: &stack)
            }
        }
        return stack.last ?? .never
    }

    private static func apply(_ operation: Operator, to stack: inout [RuleOutcome]) {
        let right = stack.removeLast()
        switch operation {
        case .not: stack.append(.truth(right.isNever ? true : right.isAlways ? false : nil))
        case .negate: stack.append(RuleOutcome(low: -right.high, high: -right.low))
        case .choose:
            let middle = stack.removeLast()
            let condition = stack.removeLast()
            stack.append(condition.isNever ? right : condition.isAlways ? middle : middle.hull(right))
        case .multiply, .divide, .add, .subtract, .less, .lessOrEqual, .greater, .greaterOrEqual, .equal, .notEqual,
            .exclusiveOr, .and, .or:
            let left = stack.removeLast()
            stack.append(self.binary(operation, left, right))
        }
    }

    private static func binary(_ operation: Operator, _ left: RuleOutcome, _ right: RuleOutcome) -> RuleOutcome {
        switch operation {
        case .and: return left.isNever ? .never : left.isAlways ? right : right.hull(.never)
        case .or: return left.isAlways ? left : left.isNever ? right : left.hull(right)
        case .add: return RuleOutcome(low: left.low + right.low, high: left.high + right.high)
        case .subtract: return RuleOutcome(low: left.low - right.high, high: left.high - right.low)
        case .multiply:
            // An infinite number of hits times none is none.
            let products = [(left.low, right.low), (left.low, right.high), (left.high, right.low), (left.high, right.high)].map {
                $0 == 0 || $1 == 0 ? 0 : $0 * $1
            }
            return RuleOutcome(low: products.min() ?? 0, high: products.max() ?? 0)
        case .divide, .exclusiveOr: return left.isNever && operation == .divide ? .never : .anything
        case .less: return .truth(left.high < right.low ? true : left.low >= right.high ? false : nil)
        case .lessOrEqual: return .truth(left.high <= right.low ? true : left.low > right.high ? false : nil)
        case .greater: return .truth(left.low > right.high ? true : left.high <= right.low ? false : nil)
        case .greaterOrEqual: return .truth(left.low >= right.high ? true : left.high < right.low ? false : nil)
        case .equal, .notEqual:
            let isSame = left == right && left.low == left.high
            let isApart = left.high < right.low || right.high < left.low
            let isEqual: Bool? = isSame ? true : isApart ? false : nil
            return .truth(operation == .equal ? isEqual : isEqual.map { !$0 })
        case .not, .negate, .choose: return .anything
        }
    }
}
