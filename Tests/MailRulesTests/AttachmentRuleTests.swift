import MailMessage
import MailRules
import MailTypes
import Testing

@Suite("Rules about attachments and senders")
struct AttachmentRuleTests {
    private static let message = [
        "From: a@example.org", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "",
        "--b", "Content-Type: text/plain", "", "See the bill.",
        "--b", "Content-Type: application/pdf; name=\"Bill.PDF.Txt\"", "Content-Disposition: attachment",
        "Content-Transfer-Encoding: base64", "", "TVqQAAMAAAAEAAAA//8AALgAAAA=",
        "--b--", "",
    ].joined(separator: "\r\n")

    private func hits(_ rules: String, _ envelope: Envelope? = nil) throws -> [String] {
        let text = "ifplugin Mail::SpamAssassin::Plugin::Outpost\n\(rules)\nendif\n"
        let compilation = RuleCompiler().compile([RuleSource(file: "a.cf", text: text)])
        let ruleSet = try #require(compilation.ruleSet, "\(compilation.problems)")
        let message = ParsedMessage(Array(Self.message.utf8))
        let anybody = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        return RuleEvaluator(ruleSet: ruleSet).evaluate(ruleSet.text(of: message), envelope: envelope ?? anybody).hits.map(\.rule)
    }

    @Test(
        "What an attachment is counts, not what it says",
        arguments: [
            ("attachment A content =~ /^application\\/x-msdownload$/", true),
            ("attachment A type =~ /^application\\/pdf$/", true),
            ("attachment A extension =~ /^txt$/", true), ("attachment A name =~ /^Bill\\.PDF/", true),
            ("attachment A content =~ /pdf/", false), ("attachment A member =~ /./", false),
            ("attachment A archive =~ /cut/", false),
        ]
    )
    func attachments(rule: String, isHit: Bool) throws {
        #expect(try self.hits(rule) == (isHit ? ["A"] : []))
    }

    @Test("A rule can ask who really sent a message, and hits nothing when nobody was asked")
    func authentication() throws {
        let rules = """
            envelope A authentication =~ /\\bspf=fail\\b.*\\bdmarc=fail\\b/
            header B eval:check_for_spf_fail()
            full C eval:check_dkim_valid('example.org')
            header D eval:check_dmarc_reject()
            """
        #expect(try self.hits(rules) == [])
        var findings = AuthenticationFindings(mailFrom: SPFFinding(.fail, identity: .mailfrom, domain: "example.org"))
        findings.dkim = [DKIMFinding(.pass, domain: "Example.ORG")]
        findings.dmarc = DMARCFinding(.fail, domain: "example.org")
        findings.dmarc.policy = .reject
        var envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        envelope.authentication = findings
        #expect(try self.hits(rules, envelope) == ["A", "B", "C", "D"])
    }
}
