/// Reads and decides the condition of an `if`: `version >= 3.004 && !plugin(Mail::SpamAssassin::Plugin::DKIM)`.
struct RuleCondition {
    /// What is wrong, and where.
    struct Failure: Error {
        var offset: Int
        var message: String
        var hint: String?
    }

    private let text: [UInt8]
    private let environment: RuleEnvironment
    private var index = 0
    private var nesting = 0

    /// Parentheses and negations inside each other.
    private static let maximumNesting = 100

    private init(_ text: [UInt8], environment: RuleEnvironment) {
        self.text = text
        self.environment = environment
    }

    static func holds(_ text: some Collection<UInt8>, in environment: RuleEnvironment) throws(Failure) -> Bool {
        var condition = RuleCondition(Array(text), environment: environment)
        let value = try condition.or()
        condition.skipBlanks()
        guard condition.index == condition.text.count else { throw condition.unexpected("an operator is expected") }
        return value != 0
    }

    private mutating func or() throws(Failure) -> Double {
        var value = try self.and()
        while self.take("||") {
            let right = try self.and()
            value = value != 0 ? value : right
        }
        return value
    }

    private mutating func and() throws(Failure) -> Double {
        var value = try self.comparison()
        while self.take("&&") {
            let right = try self.comparison()
            value = value != 0 ? right : value
        }
        return value
    }

    private mutating func comparison() throws(Failure) -> Double {
        let left = try self.unary()
        // Perl knows versions as decimal fractions; a little more than rounding is let pass.
        let tolerance = 0.000_000_1
        if self.take("==") { return abs(left - (try self.unary())) < tolerance ? 1 : 0 }
        if self.take("!=") { return abs(left - (try self.unary())) < tolerance ? 0 : 1 }
        if self.take(">=") { return left > (try self.unary()) - tolerance ? 1 : 0 }
        if self.take("<=") { return left < (try self.unary()) + tolerance ? 1 : 0 }
        if self.take(">") { return left > (try self.unary()) + tolerance ? 1 : 0 }
        if self.take("<") { return left < (try self.unary()) - tolerance ? 1 : 0 }
        return left
    }

    private mutating func unary() throws(Failure) -> Double {
        self.nesting += 1
        defer { self.nesting -= 1 }
        guard self.nesting <= RuleCondition.maximumNesting else {
            throw Failure(offset: self.index, message: "the condition is nested too deeply")
        }
        if self.take("!") { return try self.unary() == 0 ? 1 : 0 }
        if self.take("(") {
            let value = try self.or()
            guard self.take(")") else { throw self.unexpected("')' is expected") }
            return value
        }
        return try self.term()
    }

    private mutating func term() throws(Failure) -> Double {
        let (word, start) = self.word()
        switch word {
        case "": throw self.unexpected("a condition is expected")
        case "version": return self.environment.version
        case "perl_version": return self.environment.perlVersion
        case "local_tests_only": return self.environment.isLocalOnly ? 1 : 0
        case "plugin": return self.environment.isLoaded(plugin: try self.argument(of: word)) ? 1 : 0
        case "can", "has": return self.environment.has(try self.argument(of: word)) ? 1 : 0
        default:
            if let number = Double(word), number.isFinite { return number }
            throw Failure(
                offset: start,
                message: "unknown condition '\(word)'",
                hint: "known are version, plugin(…), can(…), has(…), perl_version and local_tests_only"
            )
        }
    }

    private mutating func argument(of function: String) throws(Failure) -> String {
        guard self.take("(") else { throw self.unexpected("'(' is expected behind \(function)") }
        let (name, _) = self.word()
        guard !name.isEmpty else { throw self.unexpected("a name is expected in \(function)(…)") }
        guard self.take(")") else { throw self.unexpected("')' is expected") }
        return name
    }

    private mutating func word() -> (String, Int) {
        self.skipBlanks()
        let start = self.index
        while self.index < self.text.count {
            let byte = self.text[self.index]
            guard byte.isWord || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") else { break }
            self.index += 1
        }
        return (String(decoding: self.text[start..<self.index], as: UTF8.self), start)
    }

    private mutating func take(_ token: String) -> Bool {
        self.skipBlanks()
        guard self.text[self.index...].starts(with: token.utf8) else { return false }
        self.index += token.utf8.count
        return true
    }

    private mutating func skipBlanks() {
        while self.index < self.text.count, self.text[self.index].isBlank { self.index += 1 }
    }

    private func unexpected(_ expectation: String) -> Failure {
        guard self.index < self.text.count else {
            return Failure(offset: self.index, message: "the condition ends too early: \(expectation)")
        }
        return Failure(offset: self.index, message: "\(expectation) instead of '\(Character(self.text[self.index]))'")
    }
}
