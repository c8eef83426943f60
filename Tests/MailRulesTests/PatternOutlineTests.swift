import OutpostTestKit
import PatternKit
import Testing

/// What is told of a pattern so that texts are spared a search must be true of every match. So patterns of every construct are held
/// against texts with and without matches, once as they are searched and once as they are looked for.
@Suite("What all matches of a pattern have in common", .enabled(if: PatternPrefilter.isAvailable))
struct PatternOutlineTests {
    /// Each with a text that it matches.
    private static let patterns: [(String, PatternOptions, String)] = [
        ("dear (?:friend|sir|madam)", .caseless, "Dear Madam"),
        ("v[i1!|l]+[a@]gr[a@]", .caseless, "V1|@GRA"),
        ("v[_\\W]{0,3}i[_\\W]{0,3}a[_\\W]{0,3}g[_\\W]{0,3}r[_\\W]{0,3}a", .caseless, "v-i__a...g r a"),
        ("(?:e|\\xc3[\\xa8\\xa9]|\\xc4[\\x93\\x95\\x97]|&#101;|3)xtra", [], "&#101;xtra"),
        ("(?=.*second)first", [], "first and second"),
        ("(?<=before )this", [], "before this"),
        ("(?<!not )wanted", [], "wanted"),
        ("(?!bad)b\\w+", [], "bold"),
        ("(\\w{4})-\\1", [], "abcd-abcd"),
        ("(?<word>cash)(?&word)?", [], "cash"),
        ("(?&later)!(?(DEFINE)(?<later>money|gold))", [], "gold!"),
        ("(?<n>a(?&n)?b)c", [], "aabbc"),
        ("a\\Q.*\\Eb", [], "a.*b"),
        ("\\x41\\x{42}\\103\\011", [], "ABC\t"),
        ("[\\x41-\\x43]{3}[[:digit:]][^[:alpha:]]", [], "ABC7_"),
        ("[]x]y[^]]z", [], "]y-z"),
        ("[a\\-z]k[\\w-]m", [], "-k-m"),
        ("a{2,3}b{2}c{1,}d{,2}", [], "aabbcd{,2}"),
        ("one  two # three\n four", .extended, "onetwofour"),
        ("(?x) a b (?-x) c", [], "ab c"),
        ("(?i)upper(?-i)lower", [], "UPPERlower"),
        ("a(?i)b|c", [], "C"),
        ("(?i:x)y", [], "Xy"),
        ("free++ (?>gift|gifts) card", [], "freee gift card"),
        ("(?:a|b|c|d|e|f)(?:g|h|i|j|k|l)(?:m|n|o|p|q|r)(?:s|t|u)", [], "flrs"),
        ("(?:(?:spring|summer|autumn|winter)\\s?){2}", [], "summerwinter "),
        ("colou?r(?:ed)?s?", [], "colors"),
        ("(?:ab?c?){3}", [], "abaca"),
        ("x?y?z?", [], ""),
        ("line\\Rend", [], "line\r\nend"),
        ("\\bword\\b.{0,20}\\bother\\b", [], "word and other"),
        ("\\d+,\\d\\d\\d,\\d\\d\\d", [], "1,234,567"),
        ("(?|(alpha)|(beta))gamma", [], "betagamma"),
        ("a.{0,3}b", .dotAll, "a\nb"),
        ("\\N{2}q\\h\\H\\v\\V", [], "abq x\ny"),
        ("\\Gstart\\K of", [], "start of"),
        ("(?#comment)text", [], "text"),
        ("[\\xe9\\xc9]t[\\xe9\\xc9]", [], "-"),
        ("(((((((a){8}){8}))))){1,4}", [], "-"),
        ("(((a+)+)+)+b", [], "aaab"),
        ("[^\\x00-\\xff]", [], "-"),
    ]

    /// A small generator with a fixed start, so that a failure comes again.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64 = 3

        mutating func next() -> UInt64 {
            self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return self.state ^ self.state >> 33
        }
    }

    @Test("What matches is always among the candidates, and the rest mostly is not")
    func candidates() throws {
        let patterns = try PatternOutlineTests.patterns.map { try Pattern($0.0, options: $0.1) }
        let filter = try #require(PatternPrefilter.compile(patterns))
        let scanner = PrefilterScanner()
        #expect(scanner.prepare(for: filter))
        let matcher = PatternMatcher()
        var generator = Generator()
        var texts = PatternOutlineTests.patterns.map { Array($0.2.utf8) }
        // Matches cut, put together, in capitals and with noise.
        for _ in 0..<3_000 {
            var text = texts.prefix(patterns.count).randomElement(using: &generator) ?? []
            text += texts.prefix(patterns.count).randomElement(using: &generator) ?? []
            if Bool.random(using: &generator) { text.insert(0x20, at: Int.random(in: 0...text.count, using: &generator)) }
            if Int.random(in: 0..<3, using: &generator) == 0, !text.isEmpty {
                text[Int.random(in: 0..<text.count, using: &generator)] ^= 0x20
            }
            texts.append(text)
        }
        var matches = 0
        var spared = 0
        for text in texts {
            var candidates = Set(filter.unfiltered)
            #expect(scanner.scan(text, with: filter) { candidates.insert($0) })
            for (number, pattern) in patterns.enumerated() {
                if case .match = matcher.search(pattern, in: text) {
                    matches += 1
                    #expect(candidates.contains(number), "\(PatternOutlineTests.patterns[number].0) in \(text)")
                } else if !candidates.contains(number) {
                    spared += 1
                }
            }
        }
        #expect(matches > 10_000)
        #expect(spared > 80_000)
        for (number, (source, _, text)) in PatternOutlineTests.patterns.enumerated() where text != "-" {
            guard case .match = matcher.search(patterns[number], in: Array(text.utf8)) else {
                Issue.record("\(source) does not match its text")
                continue
            }
        }
    }

    @Test("A large pattern finds the same where only places are tried at which a match may begin")
    func openings() throws {
        // Words of made-up letters, so many that the pattern is large, and its parts as small patterns.
        let words = (0..<400).map { number in
            String(decoding: [number % 7, number / 7 % 19, number % 23, number % 5].map { UInt8(0x61 + $0) }, as: UTF8.self)
        }
        let large = try Pattern("(?:(?:my|your)\\s)?(?:\(words.joined(separator: "|")))(?<n>[0-9]{1,3})", options: .caseless)
        #expect(large.isTriedAtPlaces)
        let small = try words.map { try Pattern("(?:(?:my|your)\\s)?\($0)(?<n>[0-9]{1,3})", options: .caseless) }
        let matcher = PatternMatcher()
        for (number, word) in words.enumerated() {
            let text = Array("some text, MY \(number % 3 == 0 ? word.uppercased() : word)\(number) of it".utf8)
            let expected = small.compactMap { pattern -> Range<Int>? in
                if case .match(let range) = matcher.search(pattern, in: text) { range } else { nil }
            }.min { $0.lowerBound < $1.lowerBound }
            guard case .match(let range) = matcher.search(large, in: text) else {
                Issue.record("\(word) is not found")
                continue
            }
            #expect(range == expected)
            #expect(matcher.capture(large.names["n"] ?? 0).map { text[$0].elementsEqual("\(number)".utf8) } == true)
            #expect(matcher.search(large, in: Array("some text, my \(word) of it".utf8)) == .noMatch)
        }
    }
}
