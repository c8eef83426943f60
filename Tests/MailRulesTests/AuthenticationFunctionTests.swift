import MailMessage
import MailTypes
import Testing

@testable import MailRules

/// What functions make of the gateway's results about the sender.
@Suite("Functions about the sender")
struct AuthenticationFunctionTests {
    private static let lists = """
        header SPF_USER eval:check_for_spf_welcomelist_from()
        header SPF_DEFAULT eval:check_for_def_spf_whitelist_from()
        header DKIM_USER eval:check_for_dkim_whitelist_from()
        header DKIM_DEFAULT eval:check_for_def_dkim_welcomelist_from()
        """

    private func hits(
        _ rules: String,
        author: String = "Ann <ann@shop.example.org>",
        sender: String? = "bounce@example.net",
        spf: SPFResult = .pass,
        dkim: [DKIMFinding] = []
    ) throws -> [String] {
        let compilation = compile(rules)
        #expect(compilation.problems.map(\.description) == [])
        let ruleSet = try #require(compilation.ruleSet)
        var envelope = sampleEnvelope
        envelope.reversePath =
            sender.map { text in
                let parts = text.split(separator: "@").map(String.init)
                return .mailbox(MailAddress(localPart: parts[0], domain: parts[1], text: text))
            } ?? .null
        envelope.authentication = AuthenticationFindings(
            mailFrom: SPFFinding(spf, identity: .mailfrom, domain: "example.net"),
            dkim: dkim
        )
        let message = Array("From: \(author)\r\nSubject: x\r\n\r\nx\r\n".utf8)
        let text = ruleSet.text(of: ParsedMessage(message))
        return RuleEvaluator(ruleSet: ruleSet).evaluate(text, envelope: envelope).hits.map(\.rule).sorted()
    }

    private static func pass(_ domain: String, identity: String? = nil) -> DKIMFinding {
        DKIMFinding(.pass, domain: domain, identity: identity)
    }

    @Test(
        "Lists of senders whose domain vouches for them",
        arguments: [
            ("welcomelist_from_spf *@example.net", ["SPF_USER"]), ("whitelist_from_spf bounce@EXAMPLE.net", ["SPF_USER"]),
            ("def_whitelist_from_spf *@example.net", ["SPF_DEFAULT"]), ("welcomelist_from_spf *@example.org", []),
            ("whitelist_auth *@example.net", ["SPF_USER"]), ("def_welcomelist_auth *@shop.example.org", ["DKIM_DEFAULT"]),
            ("welcomelist_from_dkim *@shop.example.org", ["DKIM_USER"]), ("welcomelist_from_dkim *@example.org", []),
            ("whitelist_from_dkim ann@shop.example.org third.example", ["DKIM_USER"]),
            ("def_whitelist_from_dkim *@*.example.org *.third.example", ["DKIM_DEFAULT"]),
            ("def_whitelist_from_dkim *@*.example.org .third.example", ["DKIM_DEFAULT"]),
            ("whitelist_from_dkim *@shop.example.org other.example", []),
            (
                "whitelist_from_dkim *@shop.example.org third.example\nunwelcomelist_from_dkim *@shop.example.org third.example",
                []
            ),
            ("whitelist_from_spf *@example.net\nunwhitelist_from_spf *@example.net", []),
        ]
    )
    func lists(settings: String, expected: [String]) throws {
        let dkim = [
            DKIMFinding(.fail, domain: "other.example"), Self.pass("third.example"), Self.pass("mail.third.example"),
            Self.pass("example.org", identity: "@Shop.example.org"),
        ]
        #expect(try self.hits(Self.lists + "\n" + settings, dkim: dkim) == expected)
        #expect(try self.hits(Self.lists + "\n" + settings, spf: .fail) == [])
    }

    @Test(
        "Practices of domains that sign",
        arguments: [
            ("adsp_override shop.example.org", ["ALL_KINDS", "DISCARD"]),
            ("adsp_override *.example.org all", ["ALL_KINDS", "SIGNALL"]),
            ("adsp_override example.org all", []), ("adsp_override shop.example.org unknown\nadsp_override * all", []),
            ("adsp_override * custom_med", ["ALL_KINDS", "MEDIUM"]),
            ("adsp_override @shop.example.org CUSTOM_MED", ["ALL_KINDS", "MEDIUM"]),
        ]
    )
    func practices(settings: String, expected: [String]) throws {
        let rules = """
            header ALL_KINDS eval:check_dkim_adsp('*')
            header DISCARD eval:check_dkim_adsp('D', '.example.org')
            header MEDIUM eval:check_dkim_adsp('2', 'shop.example.org', 'other.example')
            header NEVER eval:check_dkim_adsp('D', 'example.org')
            header SIGNALL eval:check_dkim_signall()
            header SIGNSOME eval:check_dkim_signsome()

            """
        #expect(try self.hits(rules + settings) == expected)
        #expect(try self.hits(rules + settings, dkim: [Self.pass("third.example")]) == expected)
        #expect(try self.hits(rules + settings, dkim: [Self.pass("shop.example.org")]) == [])
        let late = DKIMFinding(.temperror, domain: "shop.example.org")
        #expect(try self.hits(rules + settings, dkim: [late]) == [])
    }

    @Test("A message without a sender was not checked")
    func withoutSender() throws {
        let rule = "header A eval:check_spf_skipped_noenvfrom()"
        #expect(try self.hits(rule, sender: nil) == ["A"])
        #expect(try self.hits(rule) == [])
    }

    @Test("What is wrong in such settings is told")
    func problems() {
        for line in ["adsp_override example.org sometimes", "welcomelist_from_dkim a b c"] {
            #expect(compile(line + "\n").problems.map(\.message).contains { $0.contains("nothing here that it could use") })
        }
    }
}
