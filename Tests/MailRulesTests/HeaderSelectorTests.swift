import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import PatternKit
import Testing

@testable import MailRules

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

    @Test("Values, addresses and names are those of SpamAssassin")
    func values() throws {
        let file = try #require(Fixture.shared("sa-rule-language/get-headers.json"))
        let cases = try JSONDecoder().decode(Cases.self, from: Data(try Fixture.bytes(file)))
        let message = ParsedMessage(Array((cases.raw_headers + "\n\nbody\n").utf8))
        for item in cases.cases {
            let expected = item.expect.map { $0.replacing("\\n", with: "\n") }
            let pattern = (expected ?? "").utf8.map { "\\x" + String(0x100 + Int($0), radix: 16).dropFirst() }.joined()
            let rules = RuleCompiler().compile([RuleSource(file: "a", text: "header R \(item.get) =~ /^(?:\(pattern))\\z/")])
            let ruleSet = try #require(rules.ruleSet, "\(item.get)")
            let found = RuleEvaluator(ruleSet: ruleSet).evaluate(MessageText(message), envelope: sampleEnvelope)
            #expect(found.hits.map(\.rule) == ["R"], "\(item.get) is not \(expected ?? "empty")")
        }
    }
}

/// Header texts that SpamAssassin's rules looked at, message by message.
@Suite("Header texts", .enabled(if: Fixture.shared("sa-reference") != nil))
struct HeaderTextTests {
    private struct Row: Decodable {
        var file: String
        var headers: [String: String]
    }

    private static let site = """
        trusted_networks 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
        internal_networks 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
        originating_ip_headers X-Yahoo-Post-IP X-Originating-IP X-Apparently-From X-SenderIP X-AOL-IP
        originating_ip_headers X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp
        """

    /// Every eighth of the three hundred messages.
    private static let stride = 8

    @Test("Texts of selectors are those of SpamAssassin")
    func texts() throws {
        let base = try #require(Fixture.shared("sa-reference/public"))
        let lines = String(decoding: try Fixture.bytes(base.appending(path: "stock.oracle.jsonl")), as: UTF8.self)
        let settings = try #require(compile(HeaderTextTests.site + "\nheader R To =~ /a/").ruleSet).settings
        for (number, line) in lines.split(separator: "\n").enumerated() where number % HeaderTextTests.stride == 0 {
            let row = try JSONDecoder().decode(Row.self, from: Data(line.utf8))
            let bytes = try Fixture.bytes(base.appending(path: "messages/" + row.file))
            let text = MessageText(ParsedMessage(bytes))
            let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
            let context = EvalContext(text: text, envelope: envelope, settings: settings, matcher: PatternMatcher())
            for (selector, expected) in row.headers {
                let got = context.headers(selector)
                let isList = selector.contains(":") || selector == "EnvelopeFrom"
                let shown = String(decoding: isList ? got.first ?? [] : Array(got.joined()), as: UTF8.self)
                #expect(shown == expected, "\(row.file) \(selector)")
            }
        }
    }
}
