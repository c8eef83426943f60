import MailTypes
import Testing

@testable import MailRules

/// Subrules that wait until a meta asks: what hits, and why, is the same as if all had run.
@Suite("Lazy subrules")
struct LazyRuleTests {
    private static func evaluate(_ rules: String, _ subject: SampleSubject, _ goal: EvaluationGoal) throws -> RuleFindings {
        let compilation = compile("ifplugin Mail::SpamAssassin::Plugin::Outpost\n" + rules + "\nendif\n")
        guard let ruleSet = compilation.ruleSet else { throw RulesAreWrong(problems: compilation.problems) }
        return RuleEvaluator(ruleSet: ruleSet).evaluate(subject, envelope: sampleEnvelope, goal: goal)
    }

    @Test(
        "Only what can still change something is run",
        arguments: [
            // The header says no, and costs less than the body.
            ("meta M __B1 && __H0", [], []),
            ("meta M !__H1 && __B1", [], ["__H1"]),
            // Nothing cheaper decides.
            ("meta M __B1 && __B2", ["M"], ["__B1", "__B2"]),
            // A hit is told with all its reasons.
            ("meta M __H1 || __B1", ["M"], ["__H1", "__B1"]),
            // So is one that lies a meta further.
            ("meta __X __H1 || __B1\nmeta M __X", ["M"], ["__H1", "__B1", "__X"]),
            // What nobody asks for does not run, and neither does what is only asked for in vain.
            ("meta __X __B1 && __B2", [], []),
            ("meta __X __B1 && __B2\nmeta M __X && __H0", [], []),
            // One and one are enough to know; the third is a reason all the same.
            ("meta M (__B1 + __B2 + __H1) > 1", ["M"], ["__H1", "__B1", "__B2"]),
            ("meta M (__B1 + __H0) > 1", [], []),
            ("meta M (__N - __N) > 0", [], ["__N"]),
            // A rule that acts is no mere subrule.
            ("action __B1 tag", ["__B1"], ["__B1"]),
        ] as [(String, [String], Set<String>)]
    )
    func run(metas: String, hits: [String], run: Set<String>) throws {
        let rules = """
            header __H1 Subject =~ /alpha/
            header __H0 Subject =~ /omega/
            body __B1 /beta/
            body __B2 /gamma/
            body __N /a/
            tflags __N multiple
            \(metas)
            """
        let subject = SampleSubject(header: "Subject: alpha", paragraphs: ["beta gamma"])
        let found = try Self.evaluate(rules, subject, .hits)
        #expect(found.hits.map(\.rule) == hits)
        #expect(Set(found.subhits) == run)
        #expect(try Self.evaluate(rules, subject, .complete).hits == found.hits)
    }

    @Test("Whether all subrules are told or not, the hits are the same", arguments: 0..<120 as Range<UInt64>)
    func sameHits(seed: UInt64) throws {
        var made = RandomRules(seed: seed)
        let rules = made.rules()
        for _ in 0..<8 {
            let subject = made.subject()
            let whole = try Self.evaluate(rules, subject, .complete)
            let hits = try Self.evaluate(rules, subject, .hits)
            #expect(hits.hits == whole.hits, "\(rules)\n\(subject)")
            #expect(hits.shadowHits == whole.shadowHits, "\(rules)\n\(subject)")
            #expect(hits.earlyEnd == whole.earlyEnd, "\(rules)\n\(subject)")
            #expect(Set(hits.subhits).isSubset(of: whole.subhits), "\(rules)\n\(subject)")
        }
    }

    @Test("A meta's value lies between its bounds, and its conditions are conditions", arguments: 0..<300 as Range<UInt64>)
    func bounds(seed: UInt64) throws {
        var made = RandomRules(seed: seed)
        var (values, bounds): ([Double], [ValueBounds]) = ([], [])
        let expression = try MetaExpression(made.expression(of: (0..<6).map { "R\($0)" }, depth: 3).utf8)
        for _ in 0..<20 {
            let ranges = expression.names.map { _ in
                let lower = Double(Int.random(in: -1...2, using: &made.generator))
                let isOpen = made.generator.oneIn(4)
                return ValueBounds(lower, isOpen ? .infinity : lower + Double(Int.random(in: 0...2, using: &made.generator)))
            }
            let between = expression.bounds(stack: &bounds) { ranges[$0] }
            for _ in 0..<10 {
                let sample = ranges.map {
                    $0.lower + Double(Int.random(in: 0...Int(min($0.upper - $0.lower, 5)), using: &made.generator))
                }
                let value = expression.evaluate(stack: &values) { sample[$0] }
                #expect(value >= between.lower && value <= between.upper, "\(expression.steps) of \(sample)")
                for condition in expression.conditions where (sample[condition.rule] != 0) != condition.mustHit {
                    #expect(value == 0, "\(expression.steps) of \(sample)")
                }
            }
        }
    }
}

/// Makes rule sets that are mostly metas, and messages that some of their patterns match.
private struct RandomRules {
    var generator: FixedGenerator
    private static let words = ["alpha", "beta", "gamma", "delta", "omega", "kappa"]

    init(seed: UInt64) {
        self.generator = FixedGenerator(seed: seed)
        // Seeds that lie side by side begin alike.
        for _ in 0..<8 { _ = self.generator.next() }
    }

    mutating func rules() -> String {
        var lines: [String] = []
        var names: [String] = []
        for number in 0..<14 {
            let name = (self.generator.oneIn(4) ? "P" : "__P") + "\(number)"
            let word = self.generator.one(of: Self.words)
            let kinds = [
                "header \(name) Subject =~ /\(word)/", "header \(name) Subject !~ /\(word)/", "body \(name) /\(word)/",
                "rawbody \(name) /\(word)/", "uri \(name) /\(word)/", "full \(name) /\(word)/", "header \(name) exists:X-\(word)",
            ]
            lines.append(self.generator.one(of: kinds))
            if self.generator.oneIn(4) { lines.append("tflags \(name) multiple\(self.generator.oneIn(2) ? " maxhits=2" : "")") }
            self.settings(of: name, &lines)
            names.append(name)
        }
        for number in 0..<14 {
            let name = (self.generator.oneIn(3) ? "M" : "__M") + "\(number)"
            lines.append("meta \(name) \(self.expression(of: names, depth: 3))")
            self.settings(of: name, &lines)
            names.append(name)
        }
        return lines.joined(separator: "\n")
    }

    private mutating func settings(of name: String, _ lines: inout [String]) {
        if self.generator.oneIn(8) { lines.append("score \(name) \(self.generator.one(of: ["0", "-1", "2.5"]))") }
        if self.generator.oneIn(10) { lines.append("priority \(name) \(self.generator.one(of: ["-10", "20"]))") }
        if self.generator.oneIn(15) { lines.append("stage \(name) \(self.generator.one(of: ["draft", "shadow"]))") }
        if self.generator.oneIn(40) { lines.append("shortcircuit \(name) \(self.generator.one(of: ["spam", "ham", "on"]))") }
        if self.generator.oneIn(20) { lines.append("action \(name) tag") }
    }

    mutating func expression(of names: [String], depth: Int) -> String {
        if depth == 0 || self.generator.oneIn(5) {
            return self.generator.oneIn(12) ? "\(Int.random(in: 0...2, using: &self.generator))" : self.generator.one(of: names)
        }
        func inner(_ maker: inout RandomRules) -> String { maker.expression(of: names, depth: depth - 1) }
        if self.generator.oneIn(4) { return "!(\(inner(&self)))" }
        if self.generator.oneIn(12) { return "(\(inner(&self)) ? \(inner(&self)) : \(inner(&self)))" }
        // Those that rules are made of more often than the others.
        let operators = ["&&", "&&", "&&", "||", "||", "+", "+", "-", "*", "/", ">", ">=", "<", "<=", "==", "!=", "^"]
        return "(\(inner(&self)) \(self.generator.one(of: operators)) \(inner(&self)))"
    }

    mutating func subject() -> SampleSubject {
        func text(_ maker: inout RandomRules) -> String {
            Self.words.filter { _ in maker.generator.oneIn(3) }.map { maker.generator.oneIn(4) ? "\($0) \($0)" : $0 }
                .joined(separator: " ")
        }
        return SampleSubject(
            header: "Subject: \(text(&self))\nX-\(self.generator.one(of: Self.words)): yes",
            paragraphs: [text(&self), text(&self)],
            raw: [text(&self)],
            uris: ["http://\(self.generator.one(of: Self.words)).example/"],
            full: text(&self)
        )
    }
}
