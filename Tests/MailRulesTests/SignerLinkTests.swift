import MailMessage
import MailTypes
import Testing

@testable import MailRules

/// Domains of signatures are links for lists of hosts and `uri_detail`, and not for `uri`.
@Suite("Links of signatures")
struct SignerLinkTests {
    private static let message = """
        DKIM-Signature: v=1; a=rsa-sha256; bd=no.example.com;
         d = mail.\t
         bad.click; s=x; b=abc
        DomainKey-Signature: d=example.nowhere; D=upper.example.org
        Subject: x

        body

        """

    private static let lists = "enlist_uri_host (BAD) bad.click\nenlist_uri_host (OTHER) no.example.com upper.example.org\n"

    @Test(arguments: [
        ("header R eval:check_uri_host_listed('BAD')", true), ("header R eval:check_uri_host_listed('OTHER')", false),
        ("uri_detail R type =~ /^domainkeys$/ domain =~ /^bad\\.click$/", true), ("uri_detail R cleaned =~ /bad/", false),
        ("uri R /./", false), ("header R eval:check_uri_host_listed('BAD')\nparse_dkim_uris 0", false),
    ])
    func asInSpamAssassin(rule: String, isHit: Bool) throws {
        let compilation = compile(Self.lists + rule)
        let ruleSet = try #require(compilation.ruleSet, "\(compilation.problems)")
        let text = ruleSet.text(of: ParsedMessage(Array(Self.message.utf8)))
        #expect(RuleEvaluator(ruleSet: ruleSet).evaluate(text, envelope: sampleEnvelope).hits.isEmpty != isHit)
    }
}
