import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

@testable import MailRules

/// Functions that ask lists of rule files: of addresses, hosts, subjects and providers.
@Suite struct ListFunctionTests {
    // MARK: - Patterns

    @Test(arguments: [
        ("joe@example.org", "JOE@example.org", true), ("joe@example.org", "joe@example.org.evil", false),
        ("*@example.org", "joe@example.org", true), ("*@example.org", "joe@mail.example.org", false),
        ("*@*.example.org", "joe@mail.example.org", true), ("*.example.org", "joe@mail.example.org", true),
        ("*example.org", "joe@badexample.org", true), ("j?e@example.org", "jie@example.org", true),
        ("j?e@example.org", "je@example.org", false), ("joe@*", "joe@anywhere.example", true), ("joe@*", "ajoe@x", false),
        ("*", "anything", true), ("*joe*", "ajoeb", true), ("*joe*", "ajob", false), ("a*b*c", "aXbXbc", true),
        ("a*b*c", "aXcXb", false), ("a.b@c", "axb@c", false), ("a(b@c", "a(b@c", true), ("a(b@c", "a_b@c", true),
        ("a\\*@c", "a_z@c", true), ("**@c", "@c", true),
    ])
    func addressesMatchAsInSpamAssassin(pattern: String, address: String, isMatch: Bool) {
        #expect(AddressTable([pattern]).contains(Array(address.utf8)) == isMatch)
    }

    @Test(arguments: [
        ("yahoo.*", "yahoo.com", true), ("yahoo.*", "yahoo.co.uk", false), ("yahoo.*.*", "yahoo.co.uk", true),
        ("hotmail.co.??", "hotmail.co.uk", true), ("hotmail.co.??", "hotmail.co.u", false), ("*?*b", "x.yb", true),
        ("*a*b", "a.ab", false),
    ])
    func aStarStaysWithinALabelOfADomain(pattern: String, domain: String, isMatch: Bool) {
        #expect(AddressTable([pattern], star: .withinLabel).contains(Array(domain.utf8)) == isMatch)
    }

    @Test func aLongListCostsNoMoreThanAShortOne() {
        let table = AddressTable((0..<5_000).flatMap { ["*@example\($0).org", "*.example\($0).org", "joe@host\($0).org"] })
        #expect(table.contains(Array("a@example4999.org".utf8)))
        #expect(table.contains(Array("a@b.example7.org".utf8)))
        #expect(table.contains(Array("joe@host500.org".utf8)))
        #expect(!table.contains(Array("jim@host500.org".utf8)))
        let hostile = Array(String(repeating: "a.", count: 50_000).utf8)
        #expect(!table.contains(hostile))
    }

    @Test(arguments: [
        ("example.org", "", "mail.example.org", true), ("example.org", "", "badexample.org", false),
        ("example.org", "", "", false), ("[192.0.2.1]", "192.0.2.1", "", true), ("[192.0.2.1]", "192.0.2.10", "", false),
        ("[192.0]", "192.0.2.10", "", true), ("[192.0.]", "192.01.2.10", "", false), ("[192.0.2.0]/24", "192.0.2.9", "", true),
        ("[192.0.2.0/24]", "192.0.3.9", "", false), ("[2001:db8::]/32", "2001:db8::5", "", true), ("[x]", "192.0.2.1", "", false),
    ])
    func relaysMatchByNameOrAddress(pattern: String, address: String, name: String, isMatch: Bool) {
        #expect(RelayPattern(pattern).matches(address: address, name: Array(name.utf8)) == isMatch)
    }

    // MARK: - Addresses in text

    @Test(arguments: [
        ("write to joe@example.com now", ["joe@example.com"]), ("joe@example.nowhere", []), ("joe.@example.com", []),
        (".joe@example.com", ["joe@example.com"]), ("a..joe@example.com", ["joe@example.com"]), ("joe@-x.com", []),
        ("joe@example.com.x", []), ("joe@example.com.", ["joe@example.com"]), ("joe@a.b.c.d.com", ["joe@a.b.c.d.com"]),
        ("joe@a.b.c.d.e.com", []), ("a@b.com@c.com", ["a@b.com"]), ("joe@com", []),
    ])
    func addressesAreFoundInText(text: String, expected: [String]) {
        let scanner = AddressScanner(text: Array(text.utf8), registrars: .standard)
        var found: [String] = []
        var position = 0
        while let next = scanner.next(from: position) {
            found.append(String(decoding: scanner.text[next.range], as: UTF8.self))
            position = next.range.upperBound
        }
        #expect(found == expected)
    }

    @Test(arguments: [
        ("abuse@x.com", true), ("abuser@x.com", false), ("undisclosed-a@x.com", true), ("bounce-@x.com", true),
        ("request-0123456789abcdef@x.com", true), ("request-012@x.com", false), ("0123abcd.0123abcd@x.com", true),
        ("a=b=c@x.com", true), ("a==c@x.com", false), ("joe@x.com", false),
    ])
    func officesAndMachinesAreNoProvidersUsers(address: String, isRole: Bool) {
        let octets = Array(address.utf8)
        #expect(FreemailAddress.isRole(octets, at: octets.lastIndex(of: 0x40)!) == isRole)
    }

    @Test(arguments: [
        ("noreply@x.org", true), ("no.reply@x.org", true), ("no-reply@x.org", false), ("donotreply@x.org", true),
        ("do_notreplies@x.org", true), ("anoreply@x.org", false), ("a-noreply@x.org", true), ("owner-list@x.org", true),
        ("list-owner@x.org", true), ("postmaster@x.org", true), ("joe=y.org@x.org", true), ("joe@x.org", false),
    ])
    func bulkSendersAreKnownByTheirAddress(path: String, isBulk: Bool) {
        #expect(FreemailAddress.isBulkSender(Array(path.utf8)) == isBulk)
    }

    // MARK: - Rules

    private func hits(_ rules: String, _ message: String) throws -> Set<String> {
        let compilation = RuleCompiler().compile([RuleSource(file: "test.cf", text: rules)])
        #expect(compilation.problems.filter { $0.severity == .error } == [])
        let evaluator = RuleEvaluator(ruleSet: try #require(compilation.ruleSet))
        let bytes = message.utf8.flatMap { $0 == 0x0a ? [0x0d, 0x0a] : [$0] }
        let found = evaluator.evaluate(
            MessageText(ParsedMessage(bytes)),
            envelope: Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        )
        return Set(found.hits.map(\.rule))
    }

    private static let bounces = """
        welcomelist_bounce_relays mail.example.org *.relay.example
        body ANY eval:have_any_bounce_relays()
        body OURS eval:check_welcomelist_bounce_relays()
        """

    @Test(arguments: [
        ("Received: from a by mail.example.org (x)\n", true), ("> > Received: from a by b.relay.example (x)\n", true),
        ("Received: from a\n\tby mail.example.org\n\twith x\n", true), ("Received: from a\nby mail.example.org x\n", false),
        ("X: by mail.example.org x\n", false), ("Received: by other.example x\n", false),
    ])
    func aBounceOfOurMailNamesOneOfOurRelays(body: String, isOurs: Bool) throws {
        let message = "Subject: x\nContent-Type: application/x\n\n" + body
        #expect(try self.hits(Self.bounces, message) == (isOurs ? ["ANY", "OURS"] : ["ANY"]))
    }

    @Test func linksThatShowOtherPlacesThanTheyLeadTo() throws {
        let rules = """
            body MISMATCH eval:check_https_http_mismatch()
            body ADDRESS eval:check_https_ip_mismatch()
            uri REDIRECT eval:check_for_http_redirector()
            url_shortener short.example .short.org
            body SHORT eval:short_url()
            """
        let html = { (target: String, shown: String) in
            "Subject: x\nContent-Type: text/html\n\n<a href='\(target)'>\(shown)</a>\n"
        }
        #expect(try self.hits(rules, html("http://evil.com/", "https://www.bank.com/")) == ["MISMATCH"])
        #expect(try self.hits(rules, html("http://www.bank.com/", "https://bank.com/")) == [])
        #expect(try self.hits(rules, html("http://192.0.2.1/", "https://bank.com/")) == ["ADDRESS"])
        #expect(try self.hits(rules, html("http://a.com/?u=http://b.com/", "x")) == ["REDIRECT"])
        #expect(try self.hits(rules, html("http://a.short.org/x", "x")) == ["SHORT"])
    }

    /// Patterns of one kind are asked all at once first, those of two kinds one by one.
    @Test(arguments: ["", "redirector_pattern m'^HTTPS://third\\.example/(.*)'\n"])
    func redirectorsLeadWhereTheirPatternsSay(third: String) throws {
        let rules = """
            redirector_pattern m'^https?://r\\.example/\\?to=(.*?)(?:&|$)'i
            redirector_pattern m'^https?://(go|to)\\.example/\\1/'i
            redirector_pattern m'^https?://go\\.example/([^?]*)'i
            \(third)uri TARGET m'^http://target\\.example'
            uri GO m'^http://go$'
            """
        let message = { (link: String) in "Subject: x\nContent-Type: text/html\n\n<a href='\(link)'>x</a>\n" }
        #expect(try self.hits(rules, message("http://r.example/?to=target.example&x")) == ["TARGET"])
        #expect(try self.hits(rules, message("https://GO.example/target.example?x")) == ["TARGET"])
        // The second pattern matches and leads to no host; then the third counts.
        #expect(try self.hits(rules, message("http://go.example/go/target.example")) == [])
        #expect(try self.hits(rules, message("http://other.example/target.example")) == [])
    }

    @Test func attachmentsThatRunAndNamesThatLie() throws {
        let rules = "body EXE eval:check_microsoft_executable()\nbody NAME eval:check_suspect_name()\n"
        let part = { (type: String, field: String, body: String) in "Subject: x\nContent-Type: \(type)\n\(field)\n\n\(body)\n" }
        #expect(try self.hits(rules, part("application/x; name=a.EXE", "X: y", "z")) == ["EXE"])
        #expect(try self.hits(rules, part("image/gif; name=a.scr", "X: y", "z")) == ["EXE", "NAME"])
        #expect(try self.hits(rules, part("text/plain; name=a.txt", "X: y", "z")) == [])
        let base64 = "Content-Transfer-Encoding: base64"
        #expect(try self.hits(rules, part("application/x", base64, "TVqQAAMAAAAEAAAA")) == ["EXE"])
        #expect(try self.hits(rules, part("text/plain", "X: y", "M35J0``,````$````__\\``+@`````````")) == ["EXE"])
    }

    // MARK: - SpamAssassin's own cases

    private struct Case: Decodable {
        var test: String
        var message: String
        var rules: [String: String]
        var tests_hit: [String]
    }

    /// Rules that these functions decide; those of old names hit or not by how the cases' rule files were put together.
    private static func isDecided(_ rule: String) -> Bool {
        rule.wholeMatch(
            of:
                /FREEMAIL_(FROM|REPLY|HDR|ENV).*|USER_IN_(DEF_)?(WELCOME|BLOCK).*|.*_IN_(WELCOME|BLOCK)LIST|.*AUTHRES.*|FM_.*|URIDETAIL.*/
        ) != nil
    }

    @Test(.enabled(if: Fixture.shared("sa-rule-language/cases.jsonl") != nil && Fixture.shared("sa-reference") != nil))
    func casesOfSpamAssassinHitAsThere() throws {
        let base = try #require(Fixture.shared("sa-rule-language"))
        let config = try #require(Fixture.shared("sa-reference")).appending(path: "config")
        let plugins = String(decoding: try Fixture.bytes(config.appending(path: "site/reference.pre")), as: UTF8.self)
            .split(separator: "\n").filter { $0.hasPrefix("loadplugin") }.joined(separator: "\n")
        let welcomelist = RuleSource(
            file: "60_welcomelist.cf",
            bytes: try Fixture.bytes(config.appending(path: "stock/60_welcomelist.cf"))
        )
        let lines = String(decoding: try Fixture.bytes(base.appending(path: "cases.jsonl")), as: UTF8.self)
        var compared = 0
        for line in lines.split(separator: "\n") {
            let one = try JSONDecoder().decode(Case.self, from: Data(line.utf8))
            guard one.test.contains(/^(authres|freemail|uridetail|welcomelist_|whitelist_|wlbl)/) else { continue }
            let own = try one.rules.sorted { $0.key > $1.key }.map { name, path in
                RuleSource(file: name, bytes: try Fixture.bytes(base.appending(path: path)))
            }
            let compilation = RuleCompiler().compile([RuleSource(file: "a.pre", text: plugins), welcomelist] + own)
            let ruleSet = try #require(compilation.ruleSet, "\(one.test)")
            let message = try Fixture.bytes(base.appending(path: one.message))
            let found = RuleTestCase(rule: "", mustHit: true, file: one.message)
                .run(message, with: RuleEvaluator(ruleSet: ruleSet)).findings
            let hits = Set(found.hits.map(\.rule)).filter(Self.isDecided)
            let expected = Set(one.tests_hit).filter { Self.isDecided($0) && ruleSet[$0] != nil }
            #expect(hits == expected, "\(one.test) \(one.rules)")
            compared += expected.count
        }
        #expect(compared > 45)
    }
}
