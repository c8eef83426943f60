import MailMessage
import MailRules
import MailTypes
import OutpostTestKit
import PatternKit
import Testing

@Suite("Hostile input")
struct HostileInputTests {
    /// Patterns that need steps without end, each with a text that shows it.
    private static let bombs: [(pattern: String, text: String)] = [
        ("(a+)+$", lettersA + "!"), ("(a|aa)+$", lettersA + "!"), ("(a|a?)+$", lettersA + "!"),
        ("([a-zA-Z]+)*$", lettersA + "!"), ("(.*a){20}$", lettersA + "!"), ("(.*a){25}[bc]", lettersA + "!c!"),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", lettersA + "!"), ("(x+x+)+[yz]", String(repeating: "x", count: 5_000) + "! z"),
        ("^(?:a?){40}a{40}$", String(repeating: "a", count: 39) + "!"), ("(?:a*)*[bc]$", lettersA + "!b!"),
        ("((a{1,50}){1,50}){1,50}[bc]$", lettersA + "!b!"), ("(?=(a+)+$)a", lettersA + "!"),
        ("(\\w+\\s?)+$", lettersA + "!\u{1}"), ("(a(?1)?a)+$", lettersA + "!"), ("(.*)*(.*)*(.*)*[bc]$", lettersA + "!b!"),
    ]
    private static let lettersA = String(repeating: "a", count: 5_000)

    @Test("Patterns of exponential cost are given up one by one, by name, and the others go on", arguments: bombs.indices)
    func exponential(index: Int) throws {
        let (pattern, text) = HostileInputTests.bombs[index]
        let ruleSet = try #require(compile("body BAD /\(pattern)/\nbody GOOD /!/\nheader NICE X-Kind =~ /kind/").ruleSet)
        var looks = 0
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(
            SampleSubject(header: "X-Kind: kind", paragraphs: Array(repeating: text, count: 50)),
            envelope: sampleEnvelope,
            isTimeUp: {
                looks += 1
                return false
            }
        )
        #expect(findings.suspended == ["BAD"])
        #expect(findings.hits.map(\.rule) == ["GOOD", "NICE"])
        #expect(findings.failure == nil)
        // The pattern was searched for in one paragraph, not in fifty of them.
        #expect(looks < 10)
    }

    @Test(
        "The same patterns together, behind a prefilter: each is given up by itself",
        .enabled(if: PatternPrefilter.isAvailable)
    )
    func exponentialTogether() throws {
        let rules = HostileInputTests.bombs.enumerated().map { "body BAD_\($0) /\($1.pattern)/" } + ["body GOOD /!/"]
        let ruleSet = try #require(compile(rules.joined(separator: "\n")).ruleSet)
        var prefilters = RulePrefilters()
        for (number, group) in ruleSet.patternGroups.enumerated() {
            prefilters.set(try #require(PatternPrefilter.compile(group.patterns)), forGroup: number)
        }
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        evaluator.use(prefilters)
        let subject = SampleSubject(paragraphs: HostileInputTests.bombs.map(\.text))
        let findings = evaluator.evaluate(subject, envelope: sampleEnvelope)
        // Texts that a pattern cannot match are not searched for it, and so cannot make it be given up.
        let alone = RuleEvaluator(ruleSet: ruleSet).evaluate(subject, envelope: sampleEnvelope)
        #expect(!findings.suspended.isEmpty && Set(findings.suspended).isSubset(of: alone.suspended))
        #expect(Set(findings.hits.map(\.rule)).isSuperset(of: alone.hits.map(\.rule)))
        #expect(findings.hits.map(\.rule).contains("GOOD"))
    }

    @Test("A rule that fails on message after message rests, and is tried again")
    func strikes() throws {
        let ruleSet = try #require(compile("body BAD /(a+)+$/\nbody GOOD /a/").ruleSet)
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        let bomb = SampleSubject(paragraphs: [String(repeating: "a", count: 3_000) + "b"])
        let good = SampleSubject(paragraphs: ["aa"])
        for _ in 0..<19 { _ = evaluator.evaluate(bomb, envelope: sampleEnvelope) }
        // One message that it bears, and the count begins anew.
        #expect(evaluator.evaluate(good, envelope: sampleEnvelope).hits.map(\.rule) == ["BAD", "GOOD"])
        for _ in 0..<20 { _ = evaluator.evaluate(bomb, envelope: sampleEnvelope) }
        // Another thread's evaluator leaves it alone as well, and says so.
        let other = RuleEvaluator(ruleSet: ruleSet)
        for _ in 0..<999 { _ = other.evaluate(good, envelope: sampleEnvelope) }
        let resting = other.evaluate(good, envelope: sampleEnvelope)
        #expect(resting.hits.map(\.rule) == ["GOOD"])
        #expect(resting.suspended == ["BAD"])
        #expect(other.evaluate(good, envelope: sampleEnvelope).hits.map(\.rule) == ["BAD", "GOOD"])
    }

    /// Messages that are hostile in one way each, and what of them is not looked at.
    private static let messages: [(name: String, cuts: [String], make: @Sendable () -> [UInt8])] = [
        (
            "one line of 10 MB", ["body text", "raw text"],
            { Array("Subject: x\r\n\r\n".utf8) + Array(repeating: UInt8(ascii: "a"), count: 10_000_000) }
        ),
        (
            "100,000 header lines", ["headers"],
            { repeated("X-A: b\r\n", 100_000) + Array("\r\nbody\r\n".utf8) }
        ),
        (
            "one field of 100,000 lines", ["headers"],
            { Array("Subject: a\r\n".utf8) + repeated(" b\r\n", 100_000) + Array("\r\nbody\r\n".utf8) }
        ),
        (
            "50,000 encoded words", ["headers"],
            { Array("Subject: ".utf8) + repeated("=?utf-8?q?=41?= ", 50_000) + Array("\r\n\r\nbody\r\n".utf8) }
        ),
        (
            "5,000 parts", ["parts"],
            {
                Array("Content-Type: multipart/mixed; boundary=x\r\n\r\n".utf8)
                    + repeated("--x\r\nContent-Type: text/plain\r\n\r\na\r\n", 5_000) + Array("--x--\r\n".utf8)
            }
        ),
        (
            "nested 200 deep", ["parts"],
            {
                (0..<200).flatMap { Array("Content-Type: multipart/mixed; boundary=b\($0)\r\n\r\n--b\($0)\r\n".utf8) }
                    + Array("Content-Type: text/plain\r\n\r\nend\r\n".utf8)
            }
        ),
        (
            "messages in messages, 200 deep", ["parts"],
            { repeated("Content-Type: message/rfc822\r\n\r\n", 200) + Array("Subject: x\r\n\r\nend\r\n".utf8) }
        ),
        (
            "a charset of two octets that has odd ones", ["body text"],
            {
                Array("Subject: =?utf-7?q?+AAA=?= =?x-none?b?////?=\r\n".utf8)
                    + Array("Content-Type: text/html; charset=\"utf-16\"\r\n\r\n".utf8)
                    + Array(
                        repeatElement(Array("<a href=".utf8) + [0xff, 0xfe] + Array("&#xffffffff;>".utf8), count: 5_000).joined()
                    )
            }
        ),
        (
            "a charset that there is not, and octets that are none of any", [],
            {
                Array("Content-Type: text/html; charset=\"x-none\"\r\n\r\n".utf8)
                    + Array(
                        repeatElement(Array("<b>&#xffffffff; ".utf8) + [0x80, 0xc0, 0xaf, 0xff, 0x0a], count: 2_000).joined()
                    )
            }
        ),
    ]

    private static func repeated(_ text: String, _ count: Int) -> [UInt8] {
        Array(repeatElement(Array(text.utf8), count: count).joined())
    }

    @Test(
        "Messages that are large in every way are judged to the end, and what is not looked at is told",
        arguments: messages.indices
    )
    func large(index: Int) throws {
        let rules = ["body B /q{3}/", "rawbody R /q{3}/", "full F /q{3}/", "header H ALL =~ /q{3}/", "uri U /q{3}/"]
        let ruleSet = try #require(compile(rules.joined(separator: "\n") + "\nmimeheader M Content-Type =~ /q{3}/").ruleSet)
        let (name, cuts, make) = HostileInputTests.messages[index]
        let message = make()
        var looks = 0
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(
            MessageText(ParsedMessage(message)),
            envelope: sampleEnvelope,
            isTimeUp: {
                looks += 1
                return false
            }
        )
        #expect(findings.hits == [] && findings.suspended == [] && findings.failure == nil, "\(name)")
        #expect(findings.cuts == cuts, "\(name)")
        // The clock is asked for every 64 KiB that are searched, and for every step: each rule has searched the message once at most.
        #expect(looks <= message.count * 6 / 65_536 + 60, "\(name)")
    }

    @Test("When the time is up in the middle of a large message, nothing more is searched", arguments: [1, 3, 10])
    func timeUp(allowed: Int) throws {
        let ruleSet = try #require(compile((0..<100).map { "full F\($0) /q{3}/\n" }.joined() + "body B /a/").ruleSet)
        let message = Array("Subject: x\r\n\r\n".utf8) + Array(repeating: UInt8(ascii: "a"), count: 100_000)
        var looks = 0
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(
            MessageText(ParsedMessage(message)),
            envelope: sampleEnvelope,
            isTimeUp: {
                looks += 1
                return looks > allowed
            }
        )
        #expect(findings.failure == .timedOut)
        // Who was told that the time is up does not ask again.
        #expect(looks == allowed + 1)
    }
}
