import MailRules
import PatternKit
import Testing

@Suite("Patterns, looked at without a message")
struct PatternAnalysisTests {
    @Test(
        "A pattern that can never match is found, with the piece that stands in its way",
        arguments: [
            ("$a", "", 0), ("a^b", "", 1), ("a$b", "", 1), ("foo\\bbar", "", 3), ("a\\B b", "", 1),
            ("(?=a)b", "", 0), ("(?!a)a", "", 0), ("(?=[a-z])\\d", "", 0), ("(?!\\w)\\bfoo\\b", "i", 0),
            ("x\\Ay", "m", 1), ("a\\zb", "s", 1), ("(?:a|b)^(?:c|d)", "", 7), ("$.", "", 0), (".^", "m", 1),
        ]
    )
    func impossible(source: String, flags: String, offset: Int) throws {
        let found = try PatternAnalysis(pattern(source, flags)).impossibility(in: .full)
        #expect(found?.offset == offset)
        #expect(found?.reason.contains("cannot hold") == true)
    }

    @Test(
        "A class without an octet, and lines where there is one only",
        arguments: [
            ("[^\\x00-\\xff]", "", RuleKind.full, true), ("a$^b", "", .full, true), ("a\\nb", "", .body, true),
            ("a\\nb", "", .rawBody, false),
            ("a\\n", "", .body, false), ("a$\\n", "", .body, false), ("^b", "m", .body, false), ("a\\n^b", "m", .body, true),
        ] as [(String, String, RuleKind, Bool)]
    )
    func shapes(source: String, flags: String, kind: RuleKind, isImpossible: Bool) throws {
        let found = try PatternAnalysis(pattern(source, flags)).impossibility(in: kind)
        #expect((found != nil) == isImpossible, "\(String(describing: found))")
    }

    /// Each with a text that it matches: the analysis must not accuse any of them.
    @Test(
        "What can match is never accused",
        arguments: [
            ("a$\\n", "", "a\n"), ("a$\\nb", "m", "a\nb"), ("a\\n^b", "m", "a\nb"), ("^$", "", ""), ("^$", "m", "a\n\nb"),
            ("\\ba", "", "a"), ("a\\b", "", "a"), ("\\b\\b\\bx", "", "x"), ("\\B-", "", "-"), ("(?!ab)a", "", "ac"),
            ("(?=ab)a", "", "ab"), ("(?=a|b)[bc]", "", "b"), ("(a)\\1", "", "aa"), ("(?<=a)b", "", "ab"),
            ("(?<!a)b", "", "b"), ("(?i)A", "", "a"), ("[[:^alpha:]]", "", "1"), ("a{2,3}b", "", "aab"), ("a{,3}", "", "a{,3}"),
            ("\\x41\\101\\cA", "", "AA\u{1}"), ("[]a]", "", "]"), ("[^]a]", "", "b"), ("[a\\]b-]", "", "-"),
            ("\\Qa.b\\E", "", "a.b"), ("(?:a(?i)b|c)d", "", "Cd"), ("(?x) a b # c\n c", "", "abc"), ("a++b", "", "aab"),
            ("\\Ra", "", "\r\na"), ("(?|a)|b", "", "b"), ("x(?#note)y", "", "xy"), ("$", "", ""), ("\\Z\\n", "", "\n"),
            ("(?=.*b)(?!.*c)a", "", "ab"), ("a{0}b", "", "b"), ("\\d{1,3}\\.\\d", "", "1.2"),
        ]
    )
    func possible(source: String, flags: String, text: String) throws {
        let pattern = try pattern(source, flags)
        #expect(PatternMatcher().search(pattern, in: Array(text.utf8)) != .noMatch, "the sample is wrong")
        guard let analysis = try? PatternAnalysis(pattern) else { return }
        #expect(analysis.impossibility(in: .full) == nil)
    }

    @Test(
        "A pattern of exponential cost is shown with a text that proves it",
        arguments: [
            "(a+)+$", "(a|a)*b", "(a|aa)+$", "^(\\w+\\s?)*$", "(?:\\d+|\\d+\\.)+;", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$",
            "^(?:[a-z0-9]+[-_.]?)+@",
        ]
    )
    func exponential(source: String) throws {
        let pattern = try pattern(source)
        let cost = try #require(try PatternAnalysis(pattern).cost(in: .full))
        #expect(cost.growth == .exponential)
        #expect(cost.text.count < 200)
        #expect(PatternMatcher().search(pattern, in: cost.text) == .limitExceeded)
    }

    @Test(
        "A pattern of polynomial cost, too",
        arguments: ["^.*a.*b.*c.*d", "^\\s*\\w*\\s*\\w*\\s*\\w*\\s*\\w*x$", "^[ab]*a[ab]*a[ab]*a[ab]*c"]
    )
    func polynomial(source: String) throws {
        let pattern = try pattern(source)
        let cost = try #require(try PatternAnalysis(pattern).cost(in: .full))
        guard case .polynomial(let degree) = cost.growth else { return #expect(Bool(false), "\(cost)") }
        #expect((1.5...6).contains(degree))
        #expect(PatternMatcher().search(pattern, in: cost.text) == .limitExceeded)
    }

    @Test(
        "Patterns of ordinary cost are not accused",
        arguments: [
            "(a+)+", "a+b+c+", "(?:ab)*c", "^(?:[^,]*,){3}", "viagra|cialis", "(?:a|b)*c", "\\bfoo\\s+bar\\b", "(?>a+)+$",
            "(a++)+$", "^https?://[^/]+/",
        ]
    )
    func ordinary(source: String) throws {
        #expect(try PatternAnalysis(pattern(source)).cost(in: .full) == nil)
    }

    @Test("What is not understood is said so", arguments: ["(?R)", "(*ANYCRLF)a", "(a)?(?(1)b|c)", "\\p{L}", "(?|a|b)"])
    func unsupported(source: String) throws {
        #expect(throws: PatternAnalysis.Unsupported.self) { try PatternAnalysis(pattern(source)) }
    }

    @Test("A pattern in words")
    func words() throws {
        let source = "\\b(?:cheap|free)\\s+v[i1]agra(?!\\.org)\\d{2,3}?$"
        let phrases = try PatternAnalysis(pattern(source, "i")).phrases
        let lines = phrases.map { String(repeating: "  ", count: $0.depth) + $0.source + " → " + $0.meaning }
        #expect(
            lines == [
                "\\b → the edge of a word",
                "(?:cheap|free) → one of “cheap”, “free”, in capitals or not",
                "\\s+ → white space, once or more",
                "v → v, in capitals or not",
                "[i1] → one of 1 I i",
                "agra → “agra”, in capitals or not",
                "(?!\\.org) → what follows is not “.org”",
                "\\d{2,3}? → a digit, 2 to 3 times, as few as possible",
                "$ → the end of the text, or before the line feed that ends it",
            ]
        )
    }
}

/// With flags as they stand behind a pattern.
private func pattern(_ source: String, _ flags: String = "") throws -> Pattern {
    var options: PatternOptions = []
    if flags.contains("i") { options.insert(.caseless) }
    if flags.contains("m") { options.insert(.multiline) }
    if flags.contains("s") { options.insert(.dotAll) }
    return try Pattern(source, options: options)
}
