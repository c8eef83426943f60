/// Between which numbers a value lies that is not known yet: the hits of a rule that has not run, or what a meta makes of them.
struct ValueBounds: Hashable, Sendable {
    private(set) var lower: Double
    private(set) var upper: Double

    static let unbounded = ValueBounds(-.infinity, .infinity)
    private static let truth = ValueBounds(0, 1)

    init(_ lower: Double, _ upper: Double) {
        self.lower = lower
        self.upper = upper
    }

    init(exactly value: Double) {
        self.init(value, value)
    }

    /// The only value that it can be; nil for one that is open, or no number.
    var exactValue: Double? { self.lower == self.upper ? self.lower : nil }

    private var isZero: Bool { self.lower == 0 && self.upper == 0 }
    private var mayBeZero: Bool { !(self.lower > 0) && !(self.upper < 0) }

    private func hull(_ other: ValueBounds) -> ValueBounds {
        ValueBounds(min(self.lower, other.lower), max(self.upper, other.upper))
    }

    /// What is no number says nothing.
    private var orUnbounded: ValueBounds { self.lower.isNaN || self.upper.isNaN ? .unbounded : self }

    /// - Parameters:
    ///   - isSure: holds whatever the values are.
    ///   - isPossible: holds for some of them.
    private static func truth(_ isSure: Bool, _ isPossible: Bool) -> ValueBounds {
        isSure == isPossible ? ValueBounds(exactly: isSure ? 1 : 0) : .truth
    }

    // MARK: - Operators

    static func not(_ value: ValueBounds) -> ValueBounds { .truth(value.isZero, value.mayBeZero) }

    static func negate(_ value: ValueBounds) -> ValueBounds { ValueBounds(-value.upper, -value.lower) }

    static func choose(_ condition: ValueBounds, _ yes: ValueBounds, _ no: ValueBounds) -> ValueBounds {
        if condition.isZero { return no }
        return condition.mayBeZero ? yes.hull(no) : yes
    }

    static func binary(_ operation: MetaExpression.Operator, _ left: ValueBounds, _ right: ValueBounds) -> ValueBounds {
        if let left = left.exactValue, let right = right.exactValue {
            let value = MetaExpression.binary(operation, left, right)
            return value.isNaN ? .unbounded : ValueBounds(exactly: value)
        }
        return switch operation {
        case .add: ValueBounds(left.lower + right.lower, left.upper + right.upper).orUnbounded
        case .subtract: ValueBounds(left.lower - right.upper, left.upper - right.lower).orUnbounded
        case .multiply where left.lower >= 0 && right.lower >= 0:
            ValueBounds(left.lower * right.lower, left.upper * right.upper).orUnbounded
        case .less: .truth(left.upper < right.lower, left.lower < right.upper)
        case .lessOrEqual: .truth(left.upper <= right.lower, left.lower <= right.upper)
        case .greater: .truth(left.lower > right.upper, left.upper > right.lower)
        case .greaterOrEqual: .truth(left.lower >= right.upper, left.upper >= right.lower)
        case .equal: .truth(false, left.upper >= right.lower && right.upper >= left.lower)
        case .notEqual: .truth(left.upper < right.lower || right.upper < left.lower, true)
        case .and:
            left.isZero ? left : left.mayBeZero ? ValueBounds(exactly: 0).hull(right) : right
        case .or:
            left.isZero ? right : left.mayBeZero ? left.hull(right) : left
        // Too rare to think about.
        case .multiply, .divide, .exclusiveOr, .not, .negate, .choose: .unbounded
        }
    }
}

extension MetaExpression {
    /// Between which numbers the value lies, given the same of the rules.
    /// - Parameters:
    ///   - stack: working memory, emptied first.
    ///   - bounds: of the rule with that index in `names`.
    func bounds(stack: inout [ValueBounds], of bounds: (Int) -> ValueBounds) -> ValueBounds {
        stack.removeAll(keepingCapacity: true)
        for step in self.steps {
            switch step {
            case .number(let number): stack.append(ValueBounds(exactly: number))
            case .rulesMatching: stack.append(ValueBounds(exactly: 0))
            case .rule(let index): stack.append(bounds(index))
            case .apply(.not): stack.append(.not(stack.removeLast()))
            case .apply(.negate): stack.append(.negate(stack.removeLast()))
            case .apply(.choose):
                let no = stack.removeLast()
                let yes = stack.removeLast()
                stack.append(.choose(stack.removeLast(), yes, no))
            case .apply(let operation):
                let right = stack.removeLast()
                stack.append(.binary(operation, stack.removeLast(), right))
            }
        }
        return stack.last ?? ValueBounds(exactly: 0)
    }
}
