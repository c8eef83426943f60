import OutpostTestKit
import PatternKit
import Testing

/// What is known of a pattern before a text is searched must be true of every match, whatever the pattern is made of.
@Suite("Random patterns")
struct RandomPatternTests {
    /// Patterns of one prefilter: put together, as those of rules are.
    private static let batch = 300

    @Test(
        "What matches is among the candidates",
        .enabled(if: PatternPrefilter.isAvailable),
        arguments: [1, 2, 3, 4] as [UInt64]
    )
    func candidates(seed: UInt64) throws {
        var maker = RandomPatterns(seed: seed)
        var made: [RandomPatterns.Made] = []
        var patterns: [Pattern] = []
        while patterns.count < Self.batch {
            let next = maker.next()
            let options: PatternOptions = maker.generator.oneIn(4) ? .caseless : []
            guard let pattern = try? Pattern(Array(next.source.utf8), options: options) else { continue }
            made.append(next)
            patterns.append(pattern)
        }
        let filter = try #require(PatternPrefilter.compile(patterns))
        let scanner = PrefilterScanner()
        #expect(scanner.prepare(for: filter))
        let matcher = PatternMatcher()
        var (matches, spared) = (0, 0)
        for pattern in made {
            for sample in pattern.samples {
                let text = Self.disturbed(sample, &maker.generator)
                var candidates = Set(filter.unfiltered)
                #expect(scanner.scan(text, with: filter) { candidates.insert($0) })
                for (number, pattern) in patterns.enumerated() {
                    guard case .match = matcher.search(pattern, in: text) else {
                        spared += candidates.contains(number) ? 0 : 1
                        continue
                    }
                    matches += 1
                    #expect(candidates.contains(number), "\(made[number].source) in \(String(decoding: text, as: UTF8.self))")
                }
            }
        }
        #expect(matches > 2_000, "too few matches to say anything")
        #expect(spared > 20_000, "nothing is filtered")
    }

    /// Where the reader of patterns gives up, and what would reach into the next pattern.
    private static let unread = ["(?x)", "\\172", "\\Q", "\\E", "(?#"]

    /// How alternatives are put together to a pattern whose beginnings are told.
    private enum Shape: CaseIterable {
        case alternatives
        case line
        case repeated

        func pattern(_ alternatives: String) -> String {
            switch self {
            case .alternatives: "(?:\(alternatives))[!?]"
            case .line: "(?m)^(?:\(alternatives))[!?]"
            case .repeated: "(?:(?:\(alternatives))[!?]){2}"
            }
        }
    }

    @Test("A pattern finds the same where only places are tried as everywhere", arguments: [5, 6, 7, 8] as [UInt64])
    func openings(seed: UInt64) throws {
        var maker = RandomPatterns(seed: seed, isPlain: true)
        let matcher = PatternMatcher()
        var (told, matches) = (0, 0)
        for round in 0..<30 {
            let shape = Shape.allCases[round % Shape.allCases.count]
            var (sources, samples): ([String], [String]) = ([], [])
            while sources.count < 30 {
                let next = maker.next()
                guard !Self.unread.contains(where: next.source.contains), (try? Pattern("(?:\(next.source))")) != nil else {
                    continue
                }
                // Most begin with octets that are rare: of others nothing is told.
                let start = maker.generator.one(of: ["jq", "zx", "#%", "\\d&"])
                sources.append("\(start)(?:\(next.source))")
                samples += next.samples.map { (start == "\\d&" ? "7&" : start) + $0 }
            }
            let source = Array(shape.pattern(sources.joined(separator: "|")).utf8)
            // For one text nothing is told.
            let (pattern, plain) = (try Pattern(source), try Pattern(source, isUsedOnce: true))
            #expect(!plain.isTriedAtPlaces)
            told += pattern.isTriedAtPlaces ? 1 : 0
            for sample in samples {
                let more = maker.generator.one(of: samples)
                let text = Self.disturbed("\(sample)!\(maker.generator.oneIn(2) ? "" : "\n")\(more)!", &maker.generator)
                guard let expected = Self.matches(of: plain, in: text, matcher),
                    let found = Self.matches(of: pattern, in: text, matcher)
                else { continue }
                matches += expected.count
                #expect(found == expected, "\(String(decoding: source, as: UTF8.self))")
            }
        }
        #expect(told > 10, "of too few anything was told")
        #expect(matches > 100)
    }

    /// All matches, one behind the other, with their first groups; nil if a limit was reached: the interpreter and the machine code
    /// count their steps differently.
    private static func matches(of pattern: Pattern, in text: [UInt8], _ matcher: PatternMatcher) -> [[Range<Int>?]]? {
        var found: [[Range<Int>?]] = []
        var (offset, isEmpty) = (0, false)
        while true {
            switch matcher.search(pattern, in: text, from: offset, notEmpty: isEmpty) {
            case .match(let range):
                found.append([range, matcher.capture(1), matcher.capture(2)])
                (offset, isEmpty) = (max(offset, range.upperBound), range.isEmpty)
            case .noMatch: return found
            case .limitExceeded, .failed: return nil
            }
        }
    }

    /// Sometimes with something around it, in the other case, or without one octet.
    private static func disturbed(_ sample: String, _ generator: inout FixedGenerator) -> [UInt8] {
        var text = Array(sample.utf8)
        if generator.oneIn(2) { text = Array("some -".utf8) + text + Array(" qzx.".utf8) }
        guard !text.isEmpty else { return text }
        let place = Int.random(in: text.indices, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: text[place] ^= 0x20
        case 1: text.remove(at: place)
        case 2: text.insert(text[place], at: place)
        default: break
        }
        return text
    }
}
