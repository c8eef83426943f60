/// The expression of a meta rule, compiled to steps for a stack.
///
/// A rule's value is the number of its hits, 0 if it did not hit. The operators are Perl's: `&&` and `||` give one of their
/// operands, comparisons and `!` give 1 or 0.
package struct MetaExpression: Sendable {
    enum Operator: String, Hashable, Sendable {
        case not = "!"
        case negate = "-"
        case multiply = "*"
        case divide = "/"
        case add = "+"
        case subtract = "−"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case equal = "=="
        case notEqual = "!="
        case exclusiveOr = "^"
        case and = "&&"
        case or = "||"
        case choose = "?"
    }

    enum Step: Hashable, Sendable {
        case number(Double)
        /// Index in `names`.
        case rule(Int)
        /// The sum of all rules whose name matches the pattern with that index in `globs`; gone once those are known.
        case rulesMatching(Int)
        case apply(Operator)
    }

    private(set) var steps: [Step] = []
    /// The rules that are asked for, each once, in order.
    package private(set) var names: [String] = []
    /// For each name, where it first stands in the expression.
    private(set) var nameOffsets: [Int] = []
    /// The patterns of `rules_matching(…)`, with `*` and `?`.
    private(set) var globs: [String] = []

    /// What is wrong with an expression, and where.
    struct Failure: Error {
        var offset: Int
        var message: String
        var hint: String?
    }

    /// - Parameters:
    ///   - text: what stands behind the rule's name.
    ///   - isLocalOnly: what `local_tests_only` says.
    init(_ text: some Collection<UInt8>, isLocalOnly: Bool = true) throws(Failure) {
        var parser = MetaParser(Array(text), isLocalOnly: isLocalOnly)
        try parser.parse()
        self.steps = parser.steps
        self.names = parser.names
        self.nameOffsets = parser.nameOffsets
        self.globs = parser.globs
    }

    /// Puts rules in the place of `rules_matching(…)`.
    mutating func expandGlobs(_ matching: (String) -> [String]) {
        guard !self.globs.isEmpty else { return }
        var steps: [Step] = []
        for step in self.steps {
            guard case .rulesMatching(let glob) = step else {
                steps.append(step)
                continue
            }
            steps.append(.number(0))
            for name in matching(self.globs[glob]) {
                if !self.names.contains(name) { self.names.append(name) }
                steps += [.rule(self.names.firstIndex(of: name) ?? 0), .apply(.add)]
            }
        }
        self.steps = steps
        self.globs = []
    }

    /// The same with indices of rules in place of those in `names`.
    /// - Parameter references: for each name the rule, or nil for one that counts as 0.
    func resolved(_ references: [Int?]) -> MetaExpression {
        var result = self
        result.steps = self.steps.map { step in
            guard case .rule(let name) = step else { return step }
            return references[name].map { .rule($0) } ?? .number(0)
        }
        return result
    }

    /// The value, given those of the rules.
    /// - Parameters:
    ///   - stack: working memory, emptied first; kept by the caller to spare an allocation.
    ///   - value: the value of the rule with that index in `names`.
    func evaluate(stack: inout [Double], value: (Int) -> Double) -> Double {
        stack.removeAll(keepingCapacity: true)
        for step in self.steps {
            switch step {
            case .number(let number): stack.append(number)
            case .rulesMatching: stack.append(0)
            case .rule(let index): stack.append(value(index))
            case .apply(let operation): MetaExpression.apply(operation, to: &stack)
            }
        }
        return stack.last ?? 0
    }

    private static func apply(_ operation: Operator, to stack: inout [Double]) {
        let right = stack.removeLast()
        switch operation {
        case .not:
            stack.append(right == 0 ? 1 : 0)
            return
        case .negate:
            stack.append(-right)
            return
        case .choose:
            let middle = stack.removeLast()
            let condition = stack.removeLast()
            stack.append(condition != 0 ? middle : right)
            return
        case .multiply, .divide, .add, .subtract, .less, .lessOrEqual, .greater, .greaterOrEqual, .equal, .notEqual,
            .exclusiveOr, .and, .or:
            let left = stack.removeLast()
            stack.append(MetaExpression.binary(operation, left, right))
        }
    }

    static func binary(_ operation: Operator, _ left: Double, _ right: Double) -> Double {
        switch operation {
        case .multiply: left * right
        // A division by zero ends SpamAssassin's evaluation of the rule: it does not hit.
        case .divide: right == 0 ? 0 : left / right
        case .add: left + right
        case .subtract: left - right
        case .less: left < right ? 1 : 0
        case .lessOrEqual: left <= right ? 1 : 0
        case .greater: left > right ? 1 : 0
        case .greaterOrEqual: left >= right ? 1 : 0
        case .equal: left == right ? 1 : 0
        case .notEqual: left != right ? 1 : 0
        case .exclusiveOr: Double(self.integer(left) ^ self.integer(right))
        case .and: left != 0 ? right : left
        case .or: left != 0 ? left : right
        case .not, .negate, .choose: 0
        }
    }

    /// Perl's `^` works on whole numbers.
    private static func integer(_ number: Double) -> Int64 {
        Int64(exactly: number.rounded(.towardZero)) ?? 0
    }
}

/// Reads an expression by precedence, lowest first: `?:`, `||`, `&&`, `^`, `== !=`, `< > <= >=`, `+ -`, `* /`, `!` and sign.
private struct MetaParser {
    /// Parentheses, signs and choices inside each other; more is nobody's rule.
    static let maximumNesting = 200

    let text: [UInt8]
    var index = 0
    var nesting = 0
    var steps: [MetaExpression.Step] = []
    var names: [String] = []
    var nameOffsets: [Int] = []
    var globs: [String] = []
    let isLocalOnly: Bool

    init(_ text: [UInt8], isLocalOnly: Bool) {
        self.text = text
        self.isLocalOnly = isLocalOnly
    }

    mutating func parse() throws(MetaExpression.Failure) {
        // `meta NAME ()` declares a rule that never hits by itself.
        if self.text.filter({ !$0.isBlank }).elementsEqual("()".utf8) {
            self.steps = [.number(0)]
            return
        }
        try self.choice()
        self.skipBlanks()
        guard self.index == self.text.count else {
            throw self.unexpected("an operator is expected")
        }
    }

    private static let levels: [[(String, MetaExpression.Operator)]] = [
        [("||", .or), ("or", .or)],
        [("&&", .and), ("and", .and)],
        [("^", .exclusiveOr)],
        [("==", .equal), ("!=", .notEqual)],
        [("<=", .lessOrEqual), (">=", .greaterOrEqual), ("<", .less), (">", .greater)],
        [("+", .add), ("-", .subtract)],
        [("*", .multiply), ("/", .divide)],
    ]

    private mutating func choice() throws(MetaExpression.Failure) {
        try self.enter()
        defer { self.nesting -= 1 }
        try self.binary(0)
        guard self.take("?") else { return }
        try self.choice()
        guard self.take(":") else { throw self.unexpected("':' is expected") }
        try self.choice()
        self.steps.append(.apply(.choose))
    }

    private mutating func binary(_ level: Int) throws(MetaExpression.Failure) {
        guard level < MetaParser.levels.count else { return try self.unary() }
        try self.binary(level + 1)
        while let found = MetaParser.levels[level].first(where: { self.peek($0.0) }) {
            self.index += found.0.utf8.count
            try self.binary(level + 1)
            self.steps.append(.apply(found.1))
        }
    }

    private mutating func unary() throws(MetaExpression.Failure) {
        try self.enter()
        defer { self.nesting -= 1 }
        if self.take("!") || self.take("not") {
            try self.unary()
            self.steps.append(.apply(.not))
        } else if self.take("-") {
            try self.unary()
            self.steps.append(.apply(.negate))
        } else if self.take("+") {
            try self.unary()
        } else if self.take("(") {
            try self.choice()
            guard self.take(")") else { throw self.unexpected("')' is expected") }
        } else {
            try self.operand()
        }
    }

    private mutating func operand() throws(MetaExpression.Failure) {
        self.skipBlanks()
        let start = self.index
        while self.index < self.text.count, self.text[self.index].isWord || self.text[self.index] == UInt8(ascii: ".") {
            self.index += 1
        }
        let word = String(decoding: self.text[start..<self.index], as: UTF8.self)
        guard let first = word.utf8.first else { throw self.unexpected("a rule's name or a number is expected") }
        if first.isDigit || first == UInt8(ascii: ".") {
            guard let number = Double(word), number.isFinite else {
                throw MetaExpression.Failure(offset: start, message: "'\(word)' is no number")
            }
            self.steps.append(.number(number))
            return
        }
        guard word.utf8.allSatisfy({ $0.isWord }) else {
            throw MetaExpression.Failure(offset: start, message: "'\(word)' is no rule's name")
        }
        switch word {
        case "local_tests_only": self.steps.append(.number(self.isLocalOnly ? 1 : 0))
        case "rules_matching": try self.rulesMatching()
        default: self.steps.append(.rule(self.indexOfName(word, at: start)))
        }
    }

    /// `(GLOB)`
    private mutating func rulesMatching() throws(MetaExpression.Failure) {
        guard self.take("(") else { throw self.unexpected("'(' is expected behind rules_matching") }
        self.skipBlanks()
        let start = self.index
        while self.index < self.text.count, self.text[self.index].isWord || "*?".utf8.contains(self.text[self.index]) {
            self.index += 1
        }
        guard self.index > start else { throw self.unexpected("a name with * or ? is expected") }
        let glob = String(decoding: self.text[start..<self.index], as: UTF8.self)
        guard self.take(")") else { throw self.unexpected("')' is expected") }
        self.steps.append(.rulesMatching(self.globs.count))
        self.globs.append(glob)
    }

    private mutating func indexOfName(_ name: String, at offset: Int) -> Int {
        if let index = self.names.firstIndex(of: name) { return index }
        self.names.append(name)
        self.nameOffsets.append(offset)
        return self.names.count - 1
    }

    private mutating func enter() throws(MetaExpression.Failure) {
        self.nesting += 1
        guard self.nesting <= MetaParser.maximumNesting else {
            throw MetaExpression.Failure(offset: self.index, message: "the expression is nested too deeply")
        }
    }

    private mutating func skipBlanks() {
        while self.index < self.text.count, self.text[self.index].isBlank { self.index += 1 }
    }

    private mutating func peek(_ token: String) -> Bool {
        self.skipBlanks()
        guard self.text[self.index...].starts(with: token.utf8) else { return false }
        let next = self.index + token.utf8.count < self.text.count ? self.text[self.index + token.utf8.count] : 0x20
        switch token {
        case "or", "and", "not": return !next.isWord
        case "!": return next != UInt8(ascii: "=")
        default: return true
        }
    }

    private mutating func take(_ token: String) -> Bool {
        guard self.peek(token) else { return false }
        self.index += token.utf8.count
        return true
    }

    private func unexpected(_ expectation: String) -> MetaExpression.Failure {
        guard self.index < self.text.count else {
            return MetaExpression.Failure(offset: self.index, message: "the expression ends too early: \(expectation)")
        }
        let found = Character(self.text[self.index])
        let single = (found == "&" || found == "|") ? "write \(found)\(found)" : found == "=" ? "write ==" : nil
        return MetaExpression.Failure(
            offset: self.index,
            message: "\(expectation) instead of '\(found)'",
            hint: single
        )
    }
}
