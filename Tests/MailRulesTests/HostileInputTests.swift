import MailMessage
import MailRules
import MailTypes
import OutpostTestKit
import Testing

@Suite("Hostile input")
struct HostileInputTests {
    @Test(
        "Patterns of exponential cost are given up one by one, and the others go on",
        arguments: ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "([a-zA-Z]+)*$", "(.*a){25}b", "^(([a-z])+.)+[A-Z]([a-z])+$"]
    )
    func exponential(pattern: String) throws {
        let ruleSet = try #require(compile("body BAD /\(pattern)/\nbody GOOD /a!/").ruleSet)
        let paragraph = String(repeating: "a", count: 5_000) + "!"
        let start = ContinuousClock.now
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(
            SampleSubject(paragraphs: Array(repeating: paragraph, count: 50)),
            envelope: sampleEnvelope
        )
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(findings.suspended == ["BAD"] || findings.suspended == [])
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

    /// Messages that are large in one way each.
    private static let messages: [(String, @Sendable () -> String)] = [
        ("one line of 1 MB", { "Subject: x\r\n\r\n" + String(repeating: "a", count: 1_000_000) }),
        ("20,000 header lines", { String(repeating: "X-A: b\r\n", count: 20_000) + "\r\nbody\r\n" }),
        (
            "5,000 parts",
            {
                "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                    + String(repeating: "--x\r\nContent-Type: text/plain\r\n\r\na\r\n", count: 5_000) + "--x--\r\n"
            }
        ),
        (
            "nested 200 deep",
            {
                (0..<200).map { "Content-Type: multipart/mixed; boundary=b\($0)\r\n\r\n--b\($0)\r\n" }.joined()
                    + "Content-Type: text/plain\r\n\r\nend\r\n"
            }
        ),
        (
            "broken charsets",
            {
                "Subject: =?utf-7?q?+AAA=?= =?x-none?b?////?=\r\nContent-Type: text/html; charset=\"utf-16\"\r\n\r\n"
                    + String(repeating: "<a href=\u{ff}\u{fe}&#xffffffff;>", count: 5_000)
            }
        ),
    ]

    /// The budget is generous for a build without optimisation on a busy machine; what is not linear takes minutes.
    @Test("Messages that are large in every way stay inside the budget", arguments: messages.indices)
    func large(index: Int) throws {
        let rules = ["body B /q{3}/", "rawbody R /q{3}/", "full F /q{3}/", "header H ALL =~ /q{3}/", "uri U /q{3}/"]
        let ruleSet = try #require(compile(rules.joined(separator: "\n") + "\nmimeheader M Content-Type =~ /q{3}/").ruleSet)
        let (name, make) = HostileInputTests.messages[index]
        let start = ContinuousClock.now
        let text = MessageText(ParsedMessage(Array(make().utf8)))
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(text, envelope: sampleEnvelope)
        #expect(ContinuousClock.now - start < .seconds(20), "\(name)")
        #expect(findings.hits == [] && findings.suspended == [] && findings.failure == nil, "\(name)")
        if index == 0 { #expect(!findings.cuts.isEmpty) }
    }
}
