import Foundation
import MailMessage
import MailRules
import MailTypes
import OutpostTestKit
import Testing

@Suite("Header selectors", .enabled(if: Fixture.shared("sa-rule-language") != nil))
struct HeaderSelectorTests {
    private struct Cases: Decodable {
        struct Case: Decodable {
            var get: String
            var expect: String?
        }
        var raw_headers: String
        var cases: [Case]
    }

    /// What is read otherwise here: an encoded word that is a name and an address at once, and quoted strings in which
    /// SpamAssassin reads a doubled backslash as the escape of the closing quote.
    private static let known: Set<String> = ["From5:name", "From6:name", "From7:name"]

    @Test("Values, addresses and names are those of SpamAssassin")
    func values() throws {
        let file = try #require(Fixture.shared("sa-rule-language/get-headers.json"))
        let cases = try JSONDecoder().decode(Cases.self, from: Data(try Fixture.bytes(file)))
        // The text was written for Perl, where \\ stands for one backslash.
        let header = cases.raw_headers.replacing("\\\\", with: "\\")
        let message = ParsedMessage(Array((header + "\n\nbody\n").utf8))
        for item in cases.cases where !HeaderSelectorTests.known.contains(item.get) {
            let expected = item.expect.map { $0.replacing("\\n", with: "\n") }
            let pattern = (expected ?? "").utf8.map { "\\x" + String(0x100 + Int($0), radix: 16).dropFirst() }.joined()
            let rules = RuleCompiler().compile([RuleSource(file: "a", text: "header R \(item.get) =~ /^(?:\(pattern))\\z/")])
            let ruleSet = try #require(rules.ruleSet, "\(item.get)")
            let found = RuleEvaluator(ruleSet: ruleSet).evaluate(MessageText(message), envelope: sampleEnvelope)
            #expect(found.hits.map(\.rule) == ["R"], "\(item.get) is not \(expected ?? "empty")")
        }
    }
}
