import MailMessage
import MailTypes
import Testing

@testable import MailRules

/// What `mimeheader` and `header` rules see of headers that are not as they should be; asked of SpamAssassin 4.0.1.
@Suite("Headers of parts")
struct PartHeaderTests {
    private static let message = """
        Received: from =?utf-8?q?x?= by y
        From: a@example.org
        Subject: caf\u{1} \u{2}
        X-Word: =?iso-8859-1?q?ab?= =?iso-8859-1?q?=e9?=
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: text/plain
        Content-Id : one

        text
        --b
        Content-Type: image/png;
         name="a b.png"

        x
        --b
        Content-Type: message/rfc822

        X-Inner: deep
        Content-Type: multipart/mixed; boundary=c

        --c
        Content-Type: text/richtext

        deep
        --c--
        --b--

        """

    @Test(arguments: [
        // White space before the colon of a part's field hides it.
        ("mimeheader R Content-Id =~ /one/", false),
        (#"mimeheader R Content-Type =~ /^image\/png; name="a b\.png"\n$/"#, true),
        (#"mimeheader R Content-Type:raw =~ /^image\/png;\n name=/"#, true),
        ("mimeheader R Content-Id =~ /none/ [if-unset: none]", true),
        ("mimeheader R Content-Id:raw =~ /none/ [if-unset: none]", false),
        (#"mimeheader R ALL:raw =~ /^Content-Type: image\/png; name=/m"#, true),
        ("mimeheader R X-Inner =~ /deep/", true),
        (#"mimeheader R Content-Type =~ /text\/richtext/"#, true),
        // What is no UTF-8 is windows-1252.
        (#"header R Subject =~ /^caf\xc3\xa9 \xe2\x82\xac$/"#, true),
        (#"body R /^caf\xc3\xa9/"#, true),
        (#"header R Received =~ /=\?utf-8\?q\?x\?=/"#, true),
        (#"header R X-Word =~ /^ab\xc3\xa9$/"#, true),
    ])
    func asInSpamAssassin(rule: String, isHit: Bool) throws {
        let ruleSet = try #require(compile(rule).ruleSet)
        let bytes = Self.message.utf8.map { $0 == 1 ? 0xe9 : $0 == 2 ? 0x80 : $0 }
        let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        let found = RuleEvaluator(ruleSet: ruleSet).evaluate(ruleSet.text(of: ParsedMessage(bytes)), envelope: envelope)
        #expect(found.hits.isEmpty != isHit)
    }
}
