import MailMessage
import MailTypes
import Testing

@testable import MailRules

/// What rule files can say beyond patterns and scores.
@Suite("The rule language")
struct RuleLanguageTests {
    private static let sample = """
        Received: from a.example.org by b.example.org
        From: Anna <anna@example.org>
        Subject: Your order 4711
        Message-ID: <4711@shop.example.org>
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: text/plain

        Dear customer of shop.example.org, order 4711 and order 4712 are here: http://shop.example.org/4711
        --b
        Content-Type: application/pdf; name=invoice.pdf

        %PDF
        --b--
        """

    private func hits(_ rules: String) throws -> Set<String> {
        let compilation = compile(rules)
        let ruleSet = try #require(compilation.ruleSet, "\(compilation.problems)")
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        let findings = RuleTestCase(rule: "", mustHit: true, file: "").run(Array(RuleLanguageTests.sample.utf8), with: evaluator)
            .findings
        return Set(findings.hits.map(\.rule) + findings.subhits)
    }

    @Test(
        "Rules ask for what others have captured",
        arguments: [
            ("header __A Subject =~ /order (?<NUMBER>\\d+)/\nbody R /order %{NUMBER}\\b/", true),
            ("header __A Subject =~ /order (?<NUMBER>\\d+)/\nbody R /order (?!%{NUMBER})/", true),
            ("header __A Subject =~ /order (?<NUMBER>\\d+)/\nuri R m{/%{NUMBER}$}", true),
            ("header __A Subject =~ /order (?<NUMBER>x)/\nbody R /%{NUMBER}/", false),
            ("body R /%{NUMBER}/", false),
            ("body __A /order (?<NUMBER>\\d+)/\ntflags __A multiple nosubject\nbody R /^Dear.*%{NUMBER} are/", true),
            ("body __A /order (?<NUMBER>\\d+)/\ntflags __A nosubject\nbody R /^Dear.*%{NUMBER} are/", false),
            ("full __A /11@(?<HOST_1>[\\w.]+)>/\nbody R /of %{HOST_1},/", true),
            ("full __A /11@(?<HOST_1>[\\w.]+)>/\nbody R /of \\%{HOST_1},/", false),
            ("body R /customer of shop\\.%{HEADER(From:addr)}/", false),
            ("full R /^Subject: %{HEADER(Subject)}$/m", true),
            ("header __A From =~ /(?<DOT>.)example/\nheader R Message-ID =~ /shop%{DOT}example/", false),
            ("mimeheader __A Content-Type =~ /name=(?<FILE>\\w+)/\nfull R /%{FILE}.pdf/", true),
            ("meta R __A\nbody __A /(?<lower>order)/", true),
            // The text has no such name, and these match all the same but the last.
            ("mimeheader __A Content-Type =~ /name=(?<FILE>\\w+)/\nbody R /%{FILE}|customer/", true),
            ("mimeheader __A Content-Type =~ /name=(?<FILE>\\w+)/\nbody R /customer(?: of| %{FILE})/", true),
            ("mimeheader __A Content-Type =~ /name=(?<FILE>\\w+)/\nbody R /customer%{FILE}? of/", true),
            ("mimeheader __A Content-Type =~ /name=(?<FILE>\\w+)/\nbody R /(?x) customer %{FILE} ? \\s of/", true),
            ("mimeheader __A Content-Type =~ /name=(?<FILE>\\w+)/\nbody R /customer %{FILE}/", false),
        ]
    )
    func captures(rules: String, hits: Bool) throws {
        #expect(try self.hits(rules).contains("R") == hits)
    }

    @Test("A tag that no rule captures is told")
    func unknownTag() {
        let rules = "header A Subject =~ /(?<ORDER>\\d+)/\nbody B /%{ODER}/\ndescribe A -\ndescribe B -"
        let problems = compile(rules).problems.map(\.description)
        #expect(
            problems == [
                "test.cf:2:6: warning: B asks for %{ODER}, which no rule captures; it never hits (did you mean %{ORDER}?)"
            ]
        )
    }

    @Test(
        "MIME parts are taken by number, or together",
        arguments: [
            ("mimeheader R Content-Type =~ /pdf/", true),
            ("mimeheader R Content-Type =~ /pdf/\ntflags R range=1", false),
            ("mimeheader R Content-Type =~ /pdf/\ntflags R range=3", true),
            ("mimeheader R Content-Type =~ /pdf/\ntflags R range=2-", true),
            ("mimeheader R Content-Type =~ /pdf/\ntflags R range=-2", false),
            ("mimeheader R Content-Type =~ /plain\\napplication/", false),
            ("mimeheader R Content-Type =~ /plain\\napplication/\ntflags R concat", true),
        ]
    )
    func parts(rules: String, hits: Bool) throws {
        #expect(try self.hits(rules).contains("R") == hits)
    }

    @Test(
        "Tags of patterns are replaced as SpamAssassin replaces them",
        arguments: [
            ("<A>", "[a@]"), ("x<A><B>y", "x[a@][b8]y"), ("<C>", "c[a@]"), ("<NONE><A>", "<NONE>[a@]"),
            ("(?<!x)<A>", "(?<!x)[a@]"),
            ("<post P>x<A><B>", "x[a@]+[b8]+"), ("<pre Q>x<A><B>", "x\\s[a@]\\s[b8]"),
            ("<inter W>x<A><B><A>-<B>", "x[a@]\\W[b8]\\W[a@]-[b8]"),
            ("<inter W><post P><A><B>", "[a@]+\\W[b8]+"), ("<inter NONE><A>", "[a@]"), ("<LOOP>", "<LOOP>xxxxxx"),
            ("<a href>", "<a href>"),
        ]
    )
    func tags(pattern: String, expected: String) {
        var tags = ReplacementTags()
        func set(_ kind: ReplacementTags.Kind, _ name: String, _ expression: String) {
            tags.set(kind, Array(name.utf8)[...], Array(expression.utf8)[...])
        }
        set(.tag, "A", "[a@]")
        set(.tag, "B", "[b8]")
        set(.tag, "C", "c<A>")
        set(.tag, "LOOP", "<LOOP>x")
        set(.behind, "P", "+")
        set(.before, "Q", "\\s")
        set(.between, "W", "\\W")
        #expect(tags.expanding(Array(pattern.utf8)).map { String(decoding: $0, as: UTF8.self) } == expected)
    }

    @Test("Only rules that ask for it have their tags replaced, wherever the tags are defined")
    func replacedRules() throws {
        let rules = "body R /c<U>st/\nbody S /c<U>st/\nreplace_rules R\nreplace_tag U [uv]"
        #expect(try self.hits(rules) == ["R"])
    }

    @Test("Names are taken by pattern")
    func matching() throws {
        let rules = """
            body __ORDER_1 /order/
            body __ORDER_2 /customer/
            body __ORDER_3 /nothing of the kind/
            meta TWO rules_matching(__ORDER_*) == 2
            meta ALL rules_matching(__ORDER_?) > 2
            meta NONE rules_matching(__NOT_*) == 0
            meta DECLARED ()
            meta LOCAL local_tests_only
            """
        #expect(try self.hits(rules).subtracting(["__ORDER_1", "__ORDER_2"]) == ["TWO", "NONE", "LOCAL"])
    }

    @Test("Of four scores the set says which one counts")
    func scoreSets() {
        let sources = [
            RuleSource(
                file: "a.cf",
                text: "body A /a/\nscore A 1 2 3 4\nbody B /b/\nscore B 5\nscore B (0.5)\nbody T_C /c/\nbody D /d/\ntflags D nice"
            )
        ]
        let scores = ScoreSet.allCases.map { set in
            var compiler = RuleCompiler()
            compiler.scoreSet = set
            return compiler.compile(sources).ruleSet?.rules.map(\.score)
        }
        #expect(scores == [[1, 5.5, 0.01, -1], [2, 5.5, 0.01, -1], [3, 5.5, 0.01, -1], [4, 5.5, 0.01, -1]])
    }

    @Test("shortcircuit and stage say how a rule counts")
    func modes() throws {
        let rules = """
            body A /a/
            shortcircuit A spam
            body B /b/
            priority B -300
            shortcircuit B ham
            body C /c/
            shortcircuit C on
            shortcircuit C off
            ifplugin Mail::SpamAssassin::Plugin::Outpost
              stage A shadow
              stage B draft
            endif
            """
        let set = try #require(compile(rules).ruleSet)
        #expect(set.rules.map(\.shortcircuit) == [.spam, .ham, nil])
        #expect(set.rules.map(\.priority) == [-200, -300, 0])
        #expect(set.rules.map(\.flags) == [["noautolearn"], ["nice", "noautolearn"], []])
        #expect(set.rules.map(\.stage) == [.shadow, .draft, .live])
    }

    @Test("What files load is what they can ask for; without that, what is built in")
    func plugins() throws {
        let rules =
            "ifplugin Mail::SpamAssassin::Plugin::MIMEEval\nbody IN /order/\nendif\nifplugin Mail::SpamAssassin::Plugin::DCC\nbody DCC /order/\nendif"
        #expect(try self.hits(rules) == ["IN"])
        #expect(try self.hits(rules + "\nloadplugin Mail::SpamAssassin::Plugin::DCC") == [])
        #expect(try self.hits("loadplugin Mail::SpamAssassin::Plugin::DCC\n" + rules) == ["DCC"])
        let before = [
            RuleSource(file: "a.cf", text: rules), RuleSource(file: "z.pre", text: "loadplugin Mail::SpamAssassin::Plugin::DCC"),
        ]
        #expect(RuleCompiler().compile(before).ruleSet?.rules.map(\.name) == ["DCC"])
    }

    @Test("A rule that another branch defines is missing by intent")
    func skippedRule() {
        let rules = """
            meta A __B || __C
            ifplugin Mail::SpamAssassin::Plugin::DCC
            body __B /b/
            endif
            """
        #expect(
            compile(rules).problems.map(\.description) == [
                "test.cf:1:8: note: A asks for __B, which is only there under 'ifplugin Mail::SpamAssassin::Plugin::DCC'; "
                    + "it counts as 0 (test.cf:3)",
                "test.cf:1:15: warning: A asks for __C, and there is no such rule; it counts as 0",
                "test.cf:2:1: note: 1 rule is not read: plugin DCC is not there "
                    + "(it needs the network: a service with a protocol of its own)",
            ]
        )
    }

    @Test("Functions that are not available are told for each rule that calls them, with the reason")
    func functions() {
        let rules = """
            header A eval:check_pyzor()
            header B eval:check_pyzor()
            body C eval:check_bayes('0.9', '1')
            body D eval:chek_bayes('0.9', '1')
            """
        #expect(
            compile(rules).problems.map(\.description) == [
                "test.cf:1:10: note: check_pyzor of plugin Pyzor is not available; A never hits "
                    + "(it needs the network: a service with a protocol of its own)",
                "test.cf:2:10: note: check_pyzor of plugin Pyzor is not available; B never hits "
                    + "(it needs the network: a service with a protocol of its own)",
                "test.cf:3:8: note: check_bayes of plugin Bayes is not available; C never hits "
                    + "(it needs learning: what earlier messages taught)",
                "test.cf:4:8: warning: unknown function chek_bayes; D never hits (did you mean check_bayes?)",
            ]
        )
    }

    @Test(
        "Slips are told with what was probably meant, and once",
        arguments: [
            ("header A exist:Date", "test.cf:1:20: error: '=~' or '!~' is expected here (did you mean exists:Date?)"),
            (
                "loadplugin Mail::SpamAssassin::Plugin::FreeMial",
                "test.cf:1:12: warning: there is no plugin FreeMial (did you mean FreeMail?)"
            ),
            (
                "ifplugin Mail::SpamAssassin::Plugin::HTMLEvall\nbody A /a/\nendif",
                "test.cf:1:1: note: 1 rule is not read: plugin HTMLEvall is not there (did you mean HTMLEval?)"
            ),
            (
                "body AB /(a/\nmeta M AB\nscore AB 1",
                "test.cf:1:12: error: the pattern cannot be compiled: missing closing parenthesis "
                    + "(a ( or ) that is meant literally is written \\( or \\))"
            ),
        ]
    )
    func slips(rules: String, problem: String) {
        let said = compile(rules).problems.map(\.description)
        #expect(said.count == 1)
        #expect(said.first?.hasPrefix(problem.prefix(60)) ?? false, "\(said)")
        #expect(said.first?.suffix(20) == problem.suffix(20), "\(said)")
    }

    @Test("Rules that are not read because their plugin is not there are counted")
    func skippedRules() {
        let rules = """
            ifplugin Mail::SpamAssassin::Plugin::Bayes
            body A eval:check_bayes('0.9', '1')
            if (version >= 4)
            body B eval:check_bayes('0.9', '1')
            endif
            score A 1
            else
            body A /a/
            endif
            ifplugin Mail::SpamAssassin::Plugin::Own
            describe A nothing is lost
            endif
            ifplugin Mail::SpamAssassin::Plugin::Own
            body C /c/
            endif
            """
        #expect(
            compile(rules).problems.map(\.description) == [
                "test.cf:1:1: note: 2 rules are not read: plugin Bayes is not there (it needs learning: what earlier messages taught)",
                "test.cf:13:1: note: 1 rule is not read: plugin Own is not there",
            ]
        )
    }

    @Test(
        "Arguments of functions are read as SpamAssassin reads them",
        arguments: [
            ("eval:f()", []), ("eval:f", []), ("eval:f( )", []), ("eval:f('a','b')", ["a", "b"]),
            ("eval:f(\"a\", b ,1.5)", ["a", "b", "1.5"]),
            ("eval:f('it's', 'x')", ["it's", "x"]), ("eval:f('a,b')", ["a,b"]), ("eval:f('\\'')", ["\\'"]),
            ("eval:f('undef', undef)", [nil, nil]),
            ("eval:f('')", [""]),
        ] as [(String, [String?])]
    )
    func arguments(call: String, expected: [String?]) throws {
        #expect(try EvalCallLiteral(Array(call.utf8)[...]).arguments.values == expected)
    }

    @Test("Settings are kept under today's names, in order")
    func settings() {
        var reader = RuleReader(environment: RuleEnvironment(), language: "en")
        reader.read(
            RuleSource(
                file: "a.cf",
                text: "whitelist_from a@example.org\nBlacklist-To  b c # d\nrequired_hits 6\nreport_safe 0\nreport_safe 1"
            )
        ) { _ in nil }
        #expect(
            reader.settings.entries.map(\.keyword) == [
                "welcomelist_from", "blocklist_to", "required_score", "report_safe", "report_safe",
            ]
        )
        #expect(reader.settings.lines(of: "blocklist_to").map(\.words) == [["b", "c"]])
        #expect(reader.settings.last("report_safe")?.text == "1")
        #expect(reader.problems.filter { $0.message.contains("report_safe") }.count == 1)
    }

    @Test("Sample lines are kept")
    func textCases() {
        let compilation = compile("body A /a/\ntest A ok some a\ntest A fail  none  \ntest A maybe x")
        #expect(compilation.textCases.map(\.mustHit) == [true, false])
        #expect(compilation.textCases.map { String(decoding: $0.text, as: UTF8.self) } == ["some a", "none"])
        #expect(compilation.problems.map(\.message) == ["'test' needs 'ok' or 'fail' and a text"])
    }

    @Test("The rest of a file for another version is not read")
    func version() throws {
        let rules = "require_version 3.004000\nbody A /order/"
        #expect(try self.hits(rules) == [])
        #expect(try self.hits("require_version 4.000001\nbody A /order/") == ["A"])
        #expect(try self.hits("require_version @@VERSION@@\nbody A /order/") == ["A"])
    }
}
