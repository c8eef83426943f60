/// A rule that must hit, or must not, for a meta to hit.
struct MetaCondition: Hashable, Sendable {
    /// In an expression an index in `names`, elsewhere that of the rule.
    var rule: Int
    var mustHit: Bool
}

extension MetaExpression {
    /// What of a piece of an expression is known to decide alone.
    private struct Piece {
        /// Each must be so, or the piece is 0.
        var all: [MetaCondition] = []
        /// The piece is `a || b || …`, of plain rules; a plain rule is one of one.
        var any: [Int]?
    }

    /// Conditions without which the value is 0, whatever else is so: `a` and `!b` in `a && !b && (c + d > 1)`.
    var conditions: [MetaCondition] {
        var stack: [Piece] = []
        for step in self.steps {
            switch step {
            case .number, .rulesMatching: stack.append(Piece())
            case .rule(let index): stack.append(Piece(all: [MetaCondition(rule: index, mustHit: true)], any: [index]))
            case .apply(.not):
                let rules = stack.removeLast().any ?? []
                stack.append(Piece(all: rules.map { MetaCondition(rule: $0, mustHit: false) }))
            case .apply(.and):
                let right = stack.removeLast()
                stack.append(Piece(all: stack.removeLast().all + right.all))
            case .apply(.or):
                let right = stack.removeLast()
                let left = stack.removeLast()
                stack.append(Piece(any: left.any.flatMap { left in right.any.map { left + $0 } }))
            case .apply(.choose):
                stack.removeLast(3)
                stack.append(Piece())
            case .apply(.negate): stack[stack.count - 1] = Piece()
            case .apply:
                stack.removeLast(2)
                stack.append(Piece())
            }
        }
        return stack.last?.all ?? []
    }
}
