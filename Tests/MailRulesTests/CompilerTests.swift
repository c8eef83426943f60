import Foundation
import MailRules
import MailTypes
import OutpostTestKit
import Testing

@Suite("Rule files")
struct CompilerTests {
    @Test("Wrong rule files are refused as expected, problem by problem", arguments: Fixture.files("rules/bad", suffix: ".cf"))
    func golden(file: URL) throws {
        let name = file.lastPathComponent
        let directory = file.deletingLastPathComponent()
        let compilation = RuleCompiler().compile([RuleSource(file: name, bytes: try Fixture.bytes(file))]) { path in
            (try? Fixture.bytes(directory.appending(path: path))).map { RuleSource(file: path, bytes: $0) }
        }
        #expect(compilation.ruleSet == nil)
        let got = compilation.problems.map(\.description).joined(separator: "\n") + "\n"
        let expectation = directory.appending(path: name.replacing(".cf", with: ".expect"))
        let expected = try? String(decoding: Fixture.bytes(expectation), as: UTF8.self)
        if got != expected, ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] == "1" {
            try Data(got.utf8).write(to: expectation.appendingPathExtension("got"))
        }
        #expect(got == expected)
    }

    /// Whether a body rule of these lines hits `a#b`.
    @Test(
        "Comments, escapes, delimiters and flags",
        arguments: [
            ("body R /a\\#b/", true),
            ("body R /a/ # comment", true),
            ("  body\tR   /A/i  ", true),
            ("body R m{a}", true),
            ("body R m,a,", true),
            ("body R m(a)i", true),
            ("body R m!^a!", true),
            ("body R qr/a/", true),
            ("body R /x/", false),
            ("body R /a . b/x", true),
            ("body R /a\\/b/", false),
            ("body R m{a{1,2}}", true),
            ("body R /a/g", true),
            ("BODY R /a/", true),
            ("lang de body R /a/", false),
            ("lang en body R /a/", true),
            ("lang en_US body R /a/", true),
            ("body R /\\x61/", true),
        ]
    )
    func syntax(line: String, hits: Bool) throws {
        #expect(try !findings(line, SampleSubject(paragraphs: ["a#b"])).hits.isEmpty == hits)
    }

    @Test("Lines may end in CRLF, and the last needs no end")
    func lineEnds() throws {
        #expect(try findings("body A /a$/\r\nbody B /a$/", SampleSubject(paragraphs: ["a"])).hits.map(\.rule) == ["A", "B"])
    }

    @Test("Patterns may be of any bytes")
    func bytes() throws {
        let source = RuleSource(file: "a.cf", bytes: Array("body A /".utf8) + [0xe9] + Array("/\n".utf8))
        let ruleSet = try #require(RuleCompiler().compile([source]).ruleSet)
        var subject = SampleSubject()
        subject.uris = []
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        #expect(evaluator.evaluate(SampleSubject(paragraphs: ["é"]), envelope: sampleEnvelope).hits.isEmpty)
        #expect(ruleSet["A"]?.line == 1)
    }

    @Test(
        "Conditions",
        arguments: [
            ("if (version >= 3.004000)", true),
            ("if (version < 4.000000)", false),
            ("if version == 4.000001", true),
            ("ifplugin Mail::SpamAssassin::Plugin::Outpost", true),
            ("ifplugin Mail::SpamAssassin::Plugin::Razor2", false),
            ("if !plugin(Mail::SpamAssassin::Plugin::Razor2)", true),
            ("if plugin (Mail::SpamAssassin::Plugin::DKIM) || (version > 3)", true),
            ("if !(version > 3) && plugin(Mail::SpamAssassin::Plugin::Outpost)", false),
            ("if can(Mail::SpamAssassin::Conf::feature_bug6558_free)", true),
            ("if can(Mail::SpamAssassin::Conf::feature_unheard_of)", false),
            ("if has(Mail::SpamAssassin::Plugin::MIMEHeader::has_all_header)", true),
            ("if (perl_version >= 5.010000)", true),
            ("if local_tests_only", true),
            ("if 0", false),
        ]
    )
    func conditions(condition: String, holds: Bool) throws {
        let rules = """
            \(condition)
              body THEN /a/
              if 0
                body NEVER /a/
              else
                body INNER_THEN /a/
              endif
            else
              body ELSE /a/
              if 1
                body INNER_ELSE /a/
              else
                body NEVER2 /a/
              endif
            endif
            body AFTER /a/
            """
        let hits = try findings(rules, SampleSubject(paragraphs: ["a"])).hits.map(\.rule)
        #expect(hits == (holds ? ["THEN", "INNER_THEN", "AFTER"] : ["ELSE", "INNER_ELSE", "AFTER"]))
    }

    @Test("Files are included relative to the including one, and once more is not a cycle")
    func include() throws {
        var asked: [String] = []
        let files = [
            "rules/sub/b.cf": "body B /a/\ninclude c.cf",
            "rules/sub/c.cf": "body C /a/",
            "/etc/d.cf": "body D /a/",
        ]
        let main = RuleSource(file: "rules/a.cf", text: "include sub/b.cf\ninclude /etc/d.cf\nbody A /a/")
        let compilation = RuleCompiler().compile([main]) { path in
            asked.append(path)
            return files[path].map { RuleSource(file: path, text: $0) }
        }
        #expect(asked == ["rules/sub/b.cf", "rules/sub/c.cf", "/etc/d.cf"])
        #expect(compilation.problems.isEmpty)
        #expect(compilation.ruleSet?.rules.map(\.name) == ["B", "C", "D", "A"])
        #expect(compilation.ruleSet?["C"]?.file == "rules/sub/c.cf")
    }

    @Test("Includes that never end are refused")
    func includeDepth() {
        let compilation = compile("include 1.cf") { path in
            let number = Int(path.split(separator: ".")[0]) ?? 0
            return RuleSource(file: path, text: "include \(number + 1).cf")
        }
        #expect(compilation.problems.map(\.message) == ["more than 16 files include each other"])
    }

    @Test("An action may stand in a file that is included for this gateway, and a condition cannot end in another file")
    func includeConditions() {
        let own = "ifplugin Mail::SpamAssassin::Plugin::Outpost\ninclude own.cf\nendif\nbody A /a/"
        let good = compile(own) { RuleSource(file: $0, text: "action A hold") }
        #expect(good.problems.isEmpty)
        #expect(good.ruleSet?["A"]?.action == .hold)
        let bad = compile(own) { RuleSource(file: $0, text: "endif") }
        #expect(bad.problems.map(\.description) == ["own.cf:1:1: error: 'endif' without 'if'"])
    }

    @Test(
        "Scores",
        arguments: [
            ("", 1.0), ("score R 2.5", 2.5), ("score R -1", -1), ("score R 1.5 2 3 4", 1.5), ("score R 2\nscore R (1.5)", 3.5),
            ("score R 2\nscore R (-3)", -1), ("score R 1\nscore R 4", 4), ("tflags R nice", -1),
            ("tflags R nice\nscore R -2", -2),
        ]
    )
    func scores(lines: String, score: Double) throws {
        #expect(compile("body R /a/\n" + lines).ruleSet?["R"]?.score == score)
        #expect(compile(lines + "\nbody R /a/").ruleSet?["R"]?.score == score)
    }

    @Test("A rule knows what the files say about it")
    func facts() throws {
        let text = """
            header T_R Subject =~ /a/i [if-unset: x]  # why
            describe T_R A subject: with words
            tflags T_R multiple maxhits=3 net
            priority T_R -100
            """
        let rule = try #require(compile(text).ruleSet?["T_R"])
        #expect(rule.definition == "Subject =~ /a/i [if-unset: x]")
        #expect(rule.description == "A subject: with words")
        #expect(rule.score == 0.01)
        #expect(rule.flags == ["multiple", "maxhits=3", "net"])
        #expect(rule.maximumHits == 3)
        #expect(rule.priority == -100)
        #expect(rule.kind == .header)
    }

    @Test("Warnings let a set through, and say what helps")
    func warnings() {
        let compilation = compile(
            "body __PAYMENT /a/\nbody A /a/\nscore A 0\nmeta M __PAYMNT && A\nscore __PAYMET 1\nbody A /b/\nbayes_path /x"
        )
        #expect(compilation.ruleSet != nil)
        #expect(
            compilation.problems.map(\.description) == [
                "test.cf:4:8: warning: M asks for __PAYMNT, and there is no such rule; it counts as 0 (did you mean __PAYMENT?)",
                "test.cf:4:20: warning: M asks for A, which scores 0 and so is switched off; it counts as 0 "
                    + "(name it __A to have it run without a score)",
                "test.cf:5:7: warning: a score for __PAYMET, and there is no such rule (did you mean __PAYMENT?)",
                "test.cf:6:6: warning: rule A is defined again (this replaces the definition at test.cf:2)",
                "test.cf:7:1: note: 'bayes_path' is a setting of SpamAssassin that has no meaning here",
            ]
        )
    }

    @Test("Lint also says what an author wants to know")
    func lint() {
        let problems = RuleCompiler().lint([RuleSource(file: "a.cf", text: "body A /a*/\nbody __B /b/")])
        #expect(
            problems.map(\.description) == [
                "a.cf:1:6: note: rule A has no description (add 'describe A …')",
                "a.cf:1:9: warning: the pattern of A matches an empty text, so it matches everything",
                "a.cf:2:6: note: __B is never asked for: no rule that counts depends on it (take it out, or use it in a meta)",
            ]
        )
    }

    @Test("Test files say by their names what they test")
    func testFiles() {
        let cases = RuleTestCase.cases(among: [
            "B.miss.eml", "A.hit.eml", "README.md", "A.hit.2.eml", "A.other.eml", "x/B.hit.eml",
        ])
        #expect(
            cases == [
                RuleTestCase(rule: "A", mustHit: true, file: "A.hit.2.eml"),
                RuleTestCase(rule: "A", mustHit: true, file: "A.hit.eml"),
                RuleTestCase(rule: "B", mustHit: false, file: "B.miss.eml"),
                RuleTestCase(rule: "B", mustHit: true, file: "x/B.hit.eml"),
            ]
        )
    }
}
