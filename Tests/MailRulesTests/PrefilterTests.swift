import MailMessage
import MailRules
import MailTypes
import OutpostTestKit
import PatternKit
import Testing

@Suite("Prefilters", .enabled(if: PatternPrefilter.isAvailable))
struct PrefilterTests {
    /// Patterns of every construct that the library takes, takes loosely, or does not take.
    private static let patterns: [(String, PatternOptions)] = [
        ("hello", []), ("HELLO", .caseless), ("^start", []), ("^line", .multiline), ("end$", []), ("end\\z", []), ("a.c", []),
        ("a.c", .dotAll), ("\\bword\\b", []), ("\\w@[\\w-]{1,20}.\\w\\w\\w?\\b", .caseless), ("(?<!x)yes(?!no)", []),
        ("(a|b)\\1", []), ("(?>ab+)c", []), ("a++b", []), ("x*", []), ("a b # c", .extended), ("\\d{3}-\\d{4}", []),
        ("[\\x80-\\xff]{2}", []), ("(?i)mixed", []), ("(?:^|\\n)top", []), ("\\s\\z", []), ("tail\\Z", []),
        ("caf\u{e9}", .caseless),
        ("(\\((?1)*\\))", []), ("^$", []),
    ]

    private static func compiled() throws -> [Pattern] { try self.patterns.map { try Pattern($0.0, options: $0.1) } }

    private static func texts() -> [[UInt8]] {
        let pieces = [
            "hello", "start", "line", "end", "end\n", "a\nc", "abc", "word", "fork@xent.com", "yes", "xyes", "yesno", "aa", "bb",
            "abbc",
            "aab", "ab", "555-1234", "\u{e9}\u{e9}", "MiXeD", "top", " ", "tail\n", "CAF\u{c9}", "(())", "",
        ]
        // At every distance from the end and the start: libraries that look at many octets at once go wrong at edges.
        return pieces.flatMap { piece in
            [0, 1, 3, 17, 31, 60, 64, 100].flatMap { before in
                [0, 1, 5, 30].map { after in
                    Array((String(repeating: ".", count: before) + piece + String(repeating: "-", count: after)).utf8)
                }
            }
        }
    }

    @Test("What PCRE2 finds is among the candidates, wherever in a text it stands")
    func candidates() throws {
        let patterns = try PrefilterTests.compiled()
        let filter = try #require(PatternPrefilter.compile(patterns))
        let scanner = PrefilterScanner()
        #expect(scanner.prepare(for: filter))
        let matcher = PatternMatcher()
        var leftOut = 0
        for text in PrefilterTests.texts() {
            var candidates = Set(filter.unfiltered)
            #expect(scanner.scan(text, with: filter) { candidates.insert($0) })
            for (number, pattern) in patterns.enumerated() {
                guard case .match = matcher.search(pattern, in: text) else {
                    leftOut += candidates.contains(number) ? 0 : 1
                    continue
                }
                #expect(
                    candidates.contains(number),
                    "\(PrefilterTests.patterns[number]) in \(String(decoding: text, as: UTF8.self))"
                )
            }
        }
        #expect(leftOut > 10_000)
    }

    @Test("A database comes back from its octets as it was, and from others not at all")
    func octets() throws {
        let filter = try #require(PatternPrefilter.compile(try PrefilterTests.compiled()))
        let octets = try #require(filter.encoded())
        let copy = try #require(PatternPrefilter(encoded: octets))
        #expect(copy.unfiltered == filter.unfiltered)
        let scanner = PrefilterScanner()
        #expect(scanner.prepare(for: filter))
        #expect(scanner.prepare(for: copy))
        for text in PrefilterTests.texts() {
            var candidates: [[Int]] = [[], []]
            #expect(scanner.scan(text, with: filter) { candidates[0].append($0) })
            #expect(scanner.scan(text, with: copy) { candidates[1].append($0) })
            #expect(candidates[0] == candidates[1])
        }
        #expect(PatternPrefilter(encoded: []) == nil)
        #expect(PatternPrefilter(encoded: Array(octets.prefix(octets.count / 2))) == nil)
        var broken = octets
        broken[octets.count - 100] ^= 0xff
        #expect(PatternPrefilter(encoded: broken) == nil)
    }

    @Test(
        "Patterns that would take the library many seconds, and have nothing in common with their matches, are searched one by one"
    )
    func tooLarge() throws {
        let large = try Pattern("[^>]{0,2048}(?:[^<]{0,1024}[^>]{1,1024}){1,99}")
        let filter = try #require(PatternPrefilter.compile([large, try Pattern("hello")]))
        #expect(filter.unfiltered == [0])
    }

    @Test("Rules find the same with prefilters and without, in every view")
    func sameFindings() throws {
        let rules = (0..<20).map { number in
            """
            header H\(number) Subject =~ /w\(number)\\b/
            header N\(number) Subject !~ /w\(number)\\b/
            header U\(number) X-None =~ /w\(number)/ [if-unset: w\(number)]
            body B\(number) /w\(number)\\b/
            tflags B\(number) multiple maxhits=3
            body S\(number) /^w\(number)$/
            tflags S\(number) nosubject
            rawbody R\(number) /w\(number)$/
            uri L\(number) /w\(number)\\b/
            full F\(number) /w\(number)\\b/
            mimeheader M\(number) Content-Type !~ /w\(number)\\b/
            """
        }
        let ruleSet = try #require(compile(rules.joined(separator: "\n")).ruleSet)
        let plain = RuleEvaluator(ruleSet: ruleSet)
        let fast = RuleEvaluator(ruleSet: ruleSet)
        var prefilters = RulePrefilters()
        for (index, group) in ruleSet.patternGroups.enumerated() where group.isWorthFiltering {
            prefilters.set(try #require(PatternPrefilter.compile(group.patterns)), forGroup: index)
        }
        fast.use(prefilters)
        for word in ["w1", "w7", "none", "w19 w3 w3 w3 w3", ""] {
            let subject = SampleSubject(
                header: "Subject: \(word)",
                paragraphs: [word, "w2\n", "x \(word) \(word)"],
                raw: ["\(word)\n", "w4"],
                uris: ["http://\(word)/"],
                full: "Subject: \(word)\n\n",
                partFields: [[SubjectField("Content-Type", word)], []]
            )
            let expected = plain.evaluate(subject, envelope: sampleEnvelope)
            #expect(fast.evaluate(subject, envelope: sampleEnvelope) == expected)
            #expect(expected.hits.count > 40)
        }
    }
}
