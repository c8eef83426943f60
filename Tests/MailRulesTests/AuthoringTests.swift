import MailMessage
import MailRules
import MailTypes
import Testing

@Suite("Tools for authors")
struct AuthoringTests {
    // MARK: - Lint

    private func lint(_ text: String) -> [String] {
        RuleCompiler().lint([RuleSource(file: "a.cf", text: text)]).map(\.description)
    }

    @Test(
        "Lint finds rules that can never hit, always hit, or that nobody asks for",
        arguments: [
            (
                "body __A /a/",
                "a.cf:1:6: note: __A is never asked for: no rule that counts depends on it (take it out, or use it in a meta)"
            ),
            ("body A /a/\ndescribe A x\nscore A 0", "a.cf:1:6: note: rule A scores 0 and so is switched off"),
            (
                "body __A /a/\nmeta M __A && !__A\ndescribe M x",
                "a.cf:2:6: warning: rule M can never hit: its expression is always 0"
            ),
            ("body __A /a/\nmeta M __A > 1\ndescribe M x", "a.cf:2:6: warning: rule M can never hit: its expression is always 0"),
            (
                "body __A /a/\nmeta M __A || !__A\ndescribe M x",
                "a.cf:2:6: warning: rule M hits every message: its expression is never 0"
            ),
            (
                "body __A /a/\nmeta M __A + 1\ndescribe M x",
                "a.cf:2:6: warning: rule M hits every message: its expression is never 0"
            ),
            ("meta M 0\ndescribe M x", "a.cf:1:6: note: rule M is switched off: its expression is always 0"),
            (
                "body LOCAL_A /a/\ndescribe LOCAL_B x",
                "a.cf:2:10: warning: 'describe' for LOCAL_B, and there is no such rule (did you mean LOCAL_A?)"
            ),
            (
                "body __A /$a/\nmeta M __A\ndescribe M x",
                "a.cf:2:6: warning: rule M can never hit, because these never do: __A"
            ),
            (
                "body A /a/\ndescribe A x\nbody B /a/\ndescribe B x",
                "a.cf:3:6: warning: B looks for the same as A (a.cf:1) (both count for the same text)"
            ),
        ]
    )
    func dead(text: String, problem: String) {
        #expect(self.lint(text).contains(problem), "\(self.lint(text))")
    }

    @Test("What may hit is left alone")
    func alive() {
        let text = """
            body __A /a/
            tflags __A multiple
            body __B /b/
            meta M __A > 3 && !__B
            describe M x
            meta N (__A + __B) * 2 - 1 > 0 || M
            describe N x
            """
        #expect(self.lint(text) == [])
    }

    @Test("A costly pattern is shown with its place and a text that proves it")
    func cost() {
        let problems = self.lint("body A /x(a+)+b/\ndescribe A x")
        #expect(problems.count == 1)
        #expect(problems[0].hasPrefix("a.cf:1:9: warning: the pattern of A takes more than 100000 steps on a text of "))
        #expect(problems[0].contains("grows exponentially (tried with \"x"))
    }

    @Test("A pattern that can never match is shown with the piece that stands in its way")
    func impossible() {
        let problems = self.lint("header A Subject =~ /foo$bar/\ndescribe A x")
        #expect(
            problems == [
                "a.cf:1:25: warning: the pattern of A can never match: ‘$’ cannot hold where it stands ($ is the end of the whole "
                    + "text; a dollar sign is written \\$, and with the flag m it is the end of every line)"
            ]
        )
    }

    // MARK: - Numbers

    @Test(
        "Confidence intervals",
        arguments: [(0, 10, 0, 0.278), (10, 10, 0.722, 1), (5, 10, 0.237, 0.763), (1, 1_000, 0.0002, 0.0056)]
    )
    func interval(count: Int, total: Int, low: Double, high: Double) {
        let interval = Proportion(count, of: total).interval
        #expect(abs(interval.lowerBound - low) < 0.001)
        #expect(abs(interval.upperBound - high) < 0.001)
    }

    @Test("No hit in few messages proves little, in many much")
    func upperBound() {
        #expect(Proportion(0, of: 0).upperBound == 1)
        #expect(abs(Proportion(0, of: 10).upperBound - 0.213) < 0.001)
        #expect(abs(Proportion(0, of: 10_000).upperBound - 0.00027) < 0.00001)
    }

    @Test(
        "Numbers as text",
        arguments: [(0.0, 2, "0.00"), (-0.004, 2, "0.00"), (1.005, 1, "1.0"), (-12.5, 0, "-13"), (0.05, 1, "0.1")]
    )
    func decimals(value: Double, places: Int, text: String) {
        #expect(decimal(value, places) == text)
    }

    @Test("A table lines up its columns, a progress line tells what is left")
    func text() {
        var table = TextTable([("n", .right), ("name", .left), ("x", .left)])
        table.add(["1", "a", ""])
        table.add(["12", "long name", "y"])
        #expect(table.lines == [" n  name       x", " 1  a", "12  long name  y"])
        let half = ProgressLine.text("trying", done: 50, of: 100, seconds: 10)
        #expect(half == "trying [###############---------------] 50% 50/100, 10 s left")
        #expect(ProgressLine.text("trying", done: 0, of: 0, seconds: 0).contains("100%"))
    }

    // MARK: - Trials

    private func found(_ names: String...) -> RuleFindings { RuleFindings(hits: names.map { Hit(rule: $0, score: 1) }) }

    @Test("A trial counts by class, and merges what threads counted")
    func trial() {
        var first = RuleTrial(rules: ["A"])
        first.add(self.found("A", "B"), .spam)
        first.add(self.found("B"), .ham)
        var second = RuleTrial(rules: ["A"])
        second.add(self.found("A"), .spam)
        second.add(RuleFindings(shadowHits: [Hit(rule: "A", score: 1)]), .ham)
        first.merge(second)
        let result = first.result(of: "A")
        #expect(result.ham == Proportion(1, of: 2))
        #expect(result.spam == Proportion(2, of: 2))
        #expect(result.overlaps == [.init(rule: "B", both: 1, similarity: 1.0 / 4)])
        #expect(result.spamShare == 2.0 / 3)
        #expect(first.result(of: "C").spamShare == nil)
    }

    @Test("Changes are told worst first")
    func changes() {
        func change(_ name: String, _ kind: RuleTrial.Class?, _ old: Disposition, _ new: Disposition, _ score: Double = 1)
            -> DispositionChange
        {
            DispositionChange(
                message: name,
                kind: kind,
                old: .init(disposition: old, score: 0, hits: []),
                new: .init(disposition: new, score: score, hits: [])
            )
        }
        let changes = [
            change("spam caught", .spam, .deliver, .reject), change("spam through", .spam, .reject, .deliver),
            change("ham freed", .ham, .hold, .deliver), change("ham tagged", .ham, .deliver, .tag),
            change("ham refused", .ham, .deliver, .reject), change("unknown held", nil, .deliver, .hold),
            change("ham refused, more", .ham, .deliver, .reject, 9),
        ]
        let names = changes.sorted(by: DispositionChange.isWorse).map(\.message)
        #expect(
            names == [
                "ham refused, more", "ham refused", "ham tagged", "unknown held", "spam through", "ham freed", "spam caught",
            ]
        )
    }

    @Test("The rules that made the difference")
    func differences() {
        let old = DispositionChange.Verdict(
            disposition: .deliver,
            score: 2,
            hits: [Hit(rule: "A", score: 1), Hit(rule: "B", score: 1)]
        )
        let new = DispositionChange.Verdict(
            disposition: .tag,
            score: 6,
            hits: [Hit(rule: "A", score: 1), Hit(rule: "C", score: 5)]
        )
        let change = DispositionChange(message: "m", kind: nil, old: old, new: new)
        #expect(change.isChange)
        #expect(change.differences == [.init(rule: "C", old: nil, new: 5), .init(rule: "B", old: 1, new: nil)])
    }

    // MARK: - Explanations

    private let rules = """
        header MINE Subject:raw =~ /\\bfree pills\\b/i
        describe MINE Free pills
        score MINE 2.5
        tflags MINE multiple maxhits=3
        body __A /a/
        meta __B __A && MISSING
        meta C __B || MINE
        """

    @Test("A rule in words, with every line about it")
    func explanation() throws {
        let source = RuleSource(file: "a.cf", text: self.rules)
        let rule = try #require(RuleCompiler().compile([source]).ruleSet?["MINE"])
        let explanation = RuleExplanation(rule, sources: [source])
        #expect(explanation.subject == "searches the field Subject, as it stands in the message")
        #expect(explanation.pattern == "\\bfree pills\\b")
        #expect(
            explanation.phrases.map(\.meaning) == [
                "the edge of a word", "“free pills”, in capitals or not", "the edge of a word",
            ]
        )
        #expect(explanation.facts == ["scores 2.500", "each match counts, up to 3"])
        #expect(explanation.mentions.map(\.line) == [1, 2, 3, 4])
    }

    @Test(
        "A test line's text is a field for a header rule, and a line of text for others",
        arguments: [
            ("header A Subject =~ /pills/", "free pills", true), ("header A X-Any:raw =~ /^ one/", "one", true),
            ("header A ToCc =~ /anna/", "anna@example.org", true), ("body A /pills/", "free pills", true),
            ("body A /pills/", "none", false), ("uri A /example/", "see http://example.org/", true),
            ("meta A __B\nbody __B /b/", "b", true), ("body A /a/\nscore A 0", "a", nil), ("body B /a/", "a", nil),
        ] as [(String, String, Bool?)]
    )
    func textCases(rules: String, text: String, hits: Bool?) throws {
        let ruleSet = try #require(RuleCompiler().compile([RuleSource(file: "a.cf", text: rules)]).ruleSet)
        let testCase = RuleTextCase(rule: "A", mustHit: true, text: Array(text.utf8))
        #expect(testCase.didHit(with: RuleEvaluator(ruleSet: ruleSet)) == hits)
    }

    @Test("What a rule asks for, and who asks for it")
    func dependencies() throws {
        let ruleSet = try #require(RuleCompiler().compile([RuleSource(file: "a.cf", text: self.rules)]).ruleSet)
        let dependencies = RuleDependencies(ruleSet)
        let needs = dependencies.needs(of: try #require(ruleSet.indices["C"]))
        #expect(needs.map(\.name) == ["__B", "__A", "MISSING", "MINE"])
        #expect(needs.map(\.depth) == [0, 1, 1, 0])
        #expect(needs[2].rule == nil)
        #expect(dependencies.users(of: try #require(ruleSet.indices["__A"])).map(\.name) == ["__B", "C"])
    }

    @Test("Why a rule hit a message, or did not")
    func onMessage() throws {
        let ruleSet = try #require(RuleCompiler().compile([RuleSource(file: "a.cf", text: self.rules)]).ruleSet)
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        let message = ParsedMessage(Array("Subject: get free pills\r\n\r\nnothing\r\n".utf8))
        let index = try #require(ruleSet.indices["MINE"])
        let hit = evaluator.explain(index, on: MessageText(message), envelope: sampleEnvelope)
        #expect(hit.value == 1)
        #expect(hit.locations.map(\.text) == ["free pills"])
        let other = ParsedMessage(Array("Subject: get pills\r\n\r\nnothing\r\n".utf8))
        let miss = evaluator.explain(index, on: MessageText(other), envelope: sampleEnvelope)
        #expect(miss.value == 0)
        #expect(miss.reason == "nothing matches")
        #expect(miss.texts.first?.contains("get pills") == true)
    }

    @Test("Each rule is timed by itself, and what is found stays the same")
    func costs() throws {
        let ruleSet = try #require(RuleCompiler().compile([RuleSource(file: "a.cf", text: self.rules)]).ruleSet)
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        let text = MessageText(ParsedMessage(Array("Subject: free pills\r\n\r\na\r\n".utf8)))
        let before = evaluator.evaluate(text, envelope: sampleEnvelope)
        var now: Int64 = 0
        var times: [String: Int64] = [:]
        evaluator.measure(text, envelope: sampleEnvelope) {
            now += 1
            return now
        } add: {
            times[ruleSet.rules[$0].name, default: 0] += $1
        }
        #expect(times == ["MINE": 1, "__A": 1, "__B": 1, "C": 1])
        #expect(evaluator.evaluate(text, envelope: sampleEnvelope) == before)
    }
}
