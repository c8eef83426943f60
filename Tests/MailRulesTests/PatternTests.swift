import PatternKit
import Testing

@Suite("Patterns")
struct PatternTests {
    @Test("A match tells its range and its groups")
    func groups() throws {
        let pattern = try Pattern("(?<user>[a-z]+)@(x)?([a-z.]+)")
        let matcher = PatternMatcher()
        #expect(pattern.captureCount == 3)
        #expect(pattern.names == ["user": 1])
        #expect(pattern.isJITCompiled)
        #expect(matcher.search(pattern, in: Array("to anna@example.org".utf8)) == .match(3..<19))
        #expect(matcher.capture(0) == 3..<19)
        #expect(matcher.capture(1) == 3..<7)
        #expect(matcher.capture(2) == nil)
        #expect(matcher.capture(3) == 8..<19)
        #expect(matcher.capture(4) == nil)
    }

    @Test("A search from an offset sees what stands before it")
    func offset() throws {
        let matcher = PatternMatcher()
        let text = Array("ab ab".utf8)
        let (word, behind, start, empty) = (
            try Pattern("\\bab"), try Pattern("(?<=a)b"), try Pattern("^ab"), try Pattern("x*")
        )
        #expect(matcher.search(word, in: text, from: 1) == .match(3..<5))
        #expect(matcher.search(behind, in: text, from: 1) == .match(1..<2))
        #expect(matcher.search(start, in: text, from: 3) == .noMatch)
        #expect(matcher.search(empty, in: [], from: 0) == .match(0..<0))
        #expect(matcher.search(empty, in: text, from: 0, notEmpty: true) == .match(1..<1))
    }

    @Test(
        "Options do what the letters behind a pattern say",
        arguments: [
            ("ABC", PatternOptions.caseless, "xabc", true),
            ("ABC", [], "xabc", false),
            ("a.c", .dotAll, "a\nc", true),
            ("a.c", [], "a\nc", false),
            ("^c", .multiline, "a\nc", true),
            ("^c", [], "a\nc", false),
            ("a c # comment", .extended, "ac", true),
            ("caf\u{e9}", .caseless, "CAF\u{c9}", false),
            ("\\w\\w", [], "\u{e9}", false),
        ] as [(String, PatternOptions, String, Bool)]
    )
    func options(pattern: String, options: PatternOptions, text: String, matches: Bool) throws {
        let result = try PatternMatcher().search(Pattern(pattern, options: options), in: Array(text.utf8))
        #expect((result != .noMatch) == matches)
    }

    @Test(
        "Where only places are tried at which a match may begin, none is missed",
        arguments: [
            ("(?:abcd|efgh)x", "..abcdx", 0, .match(2..<7)),
            ("(?:abcd|efgh)x", "abcd efgh", 0, .noMatch),
            // What begins at the last octets, and what would need more of them.
            ("(?:ab|zq)", "..zq", 0, .match(2..<4)),
            ("(?:ab|zqj)", "..zq", 0, .noMatch),
            // What stands before a place is seen from it.
            ("(?<=-)(?:ab|zq)", "ab-zq", 0, .match(3..<5)),
            ("\\b(?:ab|zq)", "xab zq", 1, .match(4..<6)),
            // The start of a line, of the text, and of the search, which is none.
            ("(?m)^(?:qu|zx)\\d", "aqu1\nzx2", 0, .match(5..<8)),
            ("(?m)^(?:qu|zx)\\d", "zx2", 0, .match(0..<3)),
            ("(?m)^(?:qu|zx)\\d", "aqu1", 1, .noMatch),
            // As many places as there are repeats.
            ("(?:(?:ab|cd|zz)\\s){3}", "ab cd x ab cd zz ", 0, .match(8..<17)),
            ("(?:(?:ab|cd|zz)\\s){3}", "ab cd x zz ab ", 0, .noMatch),
            // More places than are tried one by one.
            ("(?:ab|zq)c", String(repeating: "ab", count: 2_000) + "abc", 0, .match(4_000..<4_003)),
            // A place that costs more than one may.
            ("(?:zq|jx)(?:a+)+b", "zqaaaaaaaaaaaac jxaab", 0, .match(16..<21)),
        ] as [(String, String, Int, MatchResult)]
    )
    func places(source: String, text: String, offset: Int, expected: MatchResult) throws {
        let pattern = try Pattern(source)
        #expect(pattern.isTriedAtPlaces)
        #expect(PatternMatcher().search(pattern, in: Array(text.utf8), from: offset) == expected)
    }

    @Test("The start of the search is not where a place is tried")
    func startOfSearch() throws {
        let (pattern, matcher) = (try Pattern("x?\\G(?:abcd|efgh)"), PatternMatcher())
        #expect(!pattern.isTriedAtPlaces)
        #expect(matcher.search(pattern, in: Array("..abcd".utf8), from: 2) == .match(2..<6))
        #expect(matcher.search(pattern, in: Array("..abcd".utf8)) == .noMatch)
    }

    @Test("A pattern that is wrong tells where and why")
    func wrong() {
        let error = #expect(throws: PatternError.self) { try Pattern("(ab") }
        #expect(error?.offset == 3)
        #expect(error?.message == "missing closing parenthesis")
        #expect(throws: PatternError.self) { try Pattern("\\C") }
    }

    @Test("A pattern that explodes is given up, with JIT and for every text again")
    func limits() throws {
        let matcher = PatternMatcher()
        let pattern = try Pattern("(a+)+$")
        let text = Array((String(repeating: "a", count: 5_000) + "b").utf8)
        let clock = ContinuousClock()
        let plain = try Pattern("b")
        let duration = clock.measure {
            for _ in 0..<3 { #expect(matcher.search(pattern, in: text) == .limitExceeded) }
            #expect(matcher.search(plain, in: text) == .match(5_000..<5_001))
        }
        #expect(duration < .seconds(2))
    }

    @Test("The heap and stack limits hold, too")
    func recursion() throws {
        let text = [UInt8](repeating: UInt8(ascii: "("), count: 200_000)
        let result = try PatternMatcher().search(Pattern("(\\((?1)*\\))"), in: text)
        #expect(result == .limitExceeded || result == .noMatch)
    }
}
