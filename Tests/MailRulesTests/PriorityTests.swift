import MailRules
import MailTypes
import Testing

/// The compiler's files have no `stage` and `shortcircuit` of their own in these tests: what they mean is tested here.
@Suite("Order, stages and early ends")
struct PriorityTests {
    private static func evaluate(
        _ rules: String,
        _ paragraphs: [String],
        goal: EvaluationGoal = .complete
    ) throws -> RuleFindings {
        let compilation = compile("ifplugin Mail::SpamAssassin::Plugin::Outpost\n" + rules + "\nendif\n")
        guard let ruleSet = compilation.ruleSet else { throw RulesAreWrong(problems: compilation.problems) }
        let subject = SampleSubject(header: "Subject: alpha", paragraphs: paragraphs)
        return RuleEvaluator(ruleSet: ruleSet).evaluate(subject, envelope: sampleEnvelope, goal: goal)
    }

    // MARK: - Metas that ask for rules that score 0, as SpamAssassin 4.0.1 takes them

    @Test(
        "A meta that scores 0 serves others only while it does not hit",
        arguments: [
            // OFF is 0: it does not hit, and that is known.
            ("meta OFF __C", "meta M !OFF", ["M"]),
            ("meta OFF __C", "meta M OFF || __A", ["M"]),
            // OFF would hit, and stays unknown: what asks for it never hits.
            ("meta OFF __A", "meta M OFF", []),
            ("meta OFF __A", "meta M OFF || __A", []),
            ("meta OFF __A", "meta __X OFF\nmeta M !__X", []),
            // OFF asks for a rule that never runs and so comes too late.
            ("meta OFF __NOWHERE", "meta M !OFF", []),
            ("body B /alpha/\nscore B 0\nmeta OFF B", "meta M !OFF", []),
            // A rule without its own hits counts as 0.
            ("body OFF /alpha/", "meta M !OFF", ["M"]),
        ] as [(String, String, [String])]
    )
    func zeroScores(off: String, meta: String, hits: [String]) throws {
        let rules = "body __A /alpha/\nbody __C /gamma/\n\(off)\nscore OFF 0\n\(meta)"
        for goal in [EvaluationGoal.complete, .hits] {
            #expect(try PriorityTests.evaluate(rules, ["alpha"], goal: goal).hits.map(\.rule) == hits)
        }
    }

    // MARK: - What a caller wants to know

    @Test("A caller that only wants to know whether a score is reached does not wait for the rest")
    func decisiveScore() throws {
        let rules = """
            body EARLY /alpha/
            score EARLY 10
            priority EARLY -10
            body LATE /alpha/
            body NICE /beta/
            score NICE -3
            """
        #expect(try PriorityTests.evaluate(rules, ["alpha"]).hits.map(\.rule) == ["EARLY", "LATE"])
        let decided = try PriorityTests.evaluate(rules, ["alpha"], goal: EvaluationGoal(decisiveScore: 7))
        #expect(decided.hits.map(\.rule) == ["EARLY"])
        #expect(decided.earlyEnd == .decided)
        // NICE could still bring it down to 7.
        let open = try PriorityTests.evaluate(rules, ["alpha"], goal: EvaluationGoal(decisiveScore: 8))
        #expect(open.hits.map(\.rule) == ["EARLY", "LATE"])
    }

    @Test("A refusal is enough for a caller that says so")
    func refusal() throws {
        let rules = "header FIRST Subject =~ /alpha/\naction FIRST reject\nbody SECOND /alpha/"
        let ends = try PriorityTests.evaluate(rules, ["alpha"], goal: EvaluationGoal(endsAtRefusal: true))
        #expect(ends.hits.map(\.rule) == ["FIRST"])
        #expect(try PriorityTests.evaluate(rules, ["alpha"]).hits.map(\.rule) == ["FIRST", "SECOND"])
    }
}
