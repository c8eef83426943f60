import MailRules
import MailTypes
import Testing

@Suite("Meta rules")
struct MetaTests {
    /// A hits once, B three times, C not at all.
    private static let ground = """
        body __A /alpha/
        body __B /beta/
        tflags __B multiple
        body __C /gamma/

        """

    @Test(
        "The value of an expression is Perl's",
        arguments: [
            ("__A", 1.0), ("__B", 3), ("__C", nil), ("!__C", 1), ("!__A", nil), ("not __C", 1),
            ("__A && __B", 3), ("__B && __A", 1), ("__C || __B", 3), ("__B || __A", 3), ("__A and __C", nil), ("__C or __A", 1),
            ("__A + __B", 4), ("__B - __A", 2), ("__B * 2", 6), ("__B / 2", 1.5), ("__B / __C", nil), ("__A - __B", 1),
            ("__B >= 3", 1), ("__B > 3", nil), ("__B < 4", 1), ("__B <= 2", nil), ("__B == 3", 1), ("__B != 3", nil),
            ("(__A + __B + __C) > 2", 1), ("__A + __B * 2", 7), ("(__A + __B) * 2", 8), ("2 - 1 - 1", nil), ("8 / 2 / 2", 2),
            ("!__A || __A && !__C", 1), ("!(__A && __B)", nil), ("__A ? 5 : 7", 5), ("__C ? 5 : 7", 7), ("__A ^ __C", 1),
            ("__A ^ __A", nil), ("-__A + 3", 2), ("0.5 + .5", 1), ("__NOT_THERE", nil), ("__A && !__NOT_THERE", 1),
            ("!__C + 1", 2), ("__A<2&&__B>2", 1),
        ] as [(String, Double?)]
    )
    func value(expression: String, value: Double?) throws {
        // The value comes back as that of a rule which multiplies it.
        let rules = MetaTests.ground + "meta M \(expression)\nmeta N (M) == \(value ?? 0)\n"
        let subject = SampleSubject(paragraphs: ["alpha", "beta beta", "beta"])
        let hits = try findings(rules, subject).hits.map(\.rule)
        #expect(hits == (value == nil ? ["N"] : ["M", "N"]))
    }

    @Test(
        "An expression that is wrong is refused where it is wrong",
        arguments: [
            ("__A &&", 7 + 6, "the expression ends too early: a rule's name or a number is expected"),
            ("(__A", 7 + 4, "the expression ends too early: ')' is expected"),
            ("__A & __B", 7 + 4, "an operator is expected instead of '&'"),
            ("__A __B", 7 + 4, "an operator is expected instead of '_'"),
            ("__A = 1", 7 + 4, "an operator is expected instead of '='"),
            ("1.2.3", 7, "'1.2.3' is no number"),
            ("__A ? 1", 7 + 7, "the expression ends too early: ':' is expected"),
            (")", 7, "a rule's name or a number is expected instead of ')'"),
        ]
    )
    func wrong(expression: String, column: Int, message: String) {
        let problems = compile("meta M  \(expression)").problems.filter { $0.severity == .error }
        #expect(problems.map(\.message) == [message])
        #expect(problems.map(\.column) == [column + 2])
    }

    @Test("An expression nested without end is refused and does not end the program")
    func nesting() {
        let expression = String(repeating: "(", count: 100_000)
        #expect(compile("meta M \(expression)").problems.map(\.message) == ["the expression is nested too deeply"])
    }

    @Test("Metas are evaluated behind what they ask for, however they stand in the file")
    func order() throws {
        let rules = """
            meta LAST __MIDDLE && FIRST
            meta __MIDDLE FIRST + 1 == 2
            body FIRST /alpha/
            """
        let result = try findings(rules, SampleSubject(paragraphs: ["alpha"]))
        #expect(result.hits.map(\.rule) == ["LAST", "FIRST"])
        #expect(result.subhits == ["__MIDDLE"])
        #expect(result.hits[0].locations.map(\.text) == ["alpha"])
    }

    @Test("Metas that ask for themselves are an error")
    func cycle() {
        let compilation = compile("meta A B && 1\nmeta B C || 0\nmeta C A\nmeta D D")
        #expect(compilation.ruleSet == nil)
        let messages = compilation.problems.map(\.message)
        #expect(messages == ["a meta asks for itself: A → B → C → A", "a meta asks for itself: D → D"])
    }

    @Test("A chain of two thousand metas is put in order")
    func chain() throws {
        let rules = (0..<2_000).map { "meta M\($0) M\($0 + 1)\n" }.joined() + "body M2000 /alpha/\n"
        #expect(try findings(rules, SampleSubject(paragraphs: ["alpha"])).hits.count == 2_001)
    }
}
