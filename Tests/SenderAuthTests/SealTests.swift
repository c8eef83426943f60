import MailMessage
import MailTypes
import OpenSSLKit
import OutpostTestKit
import Testing

@testable import SenderAuth

@Suite("What is passed on")
struct SealTests {
    /// Made for this test: `openssl genpkey -algorithm ed25519`.
    private static let pem = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIIOoSNnlIhTSCDBDSzc5h5P8uUDcmlSB/IxpPG9wMYBT
        -----END PRIVATE KEY-----
        """

    private static let message = [
        "From: ann@example.org", "To: user@example.com", "Subject: a word", "Date: Mon, 23 Nov 2026 10:00:00 +0000", "",
        "Text of two", "lines.", "",
    ].joined(separator: "\r\n")

    @Test("A seal of ours validates, and a second hop's on top of it; what is changed in between does not")
    func chain() async throws {
        let key = try #require(SigningKey(pem: Array(Self.pem.utf8)))
        let publicKey = String(decoding: Base64.encode(try #require(key.publicOctets)), as: UTF8.self)
        var zone = ZoneResolver()
        let name = try #require(DNSName("s1._domainkey.gateway.example"))
        zone.zone[name] = [.record(.txt, .text([Array("v=DKIM1; k=ed25519; p=\(publicKey)".utf8)]))]
        let sealer = ARCSealer(domain: "gateway.example", selector: "s1", key: key)
        let validator = ARCValidator(resolver: zone)

        var text = Array(Self.message.utf8)
        for hop in 1...3 {
            let parsed = SignedMessage(ParsedMessage(text), sealing: true)
            let before = await validator.validate(parsed)
            #expect(before.result == (hop == 1 ? .none : .pass), "\(before)")
            let seal = sealer.seal(parsed, chain: before, results: "gateway.example; dmarc=pass", time: 1_700_000_000)
            text = try #require(seal) + text
        }
        let whole = await validator.validate(SignedMessage(ParsedMessage(text)))
        #expect(whole.result == .pass, "\(whole)")
        #expect(whole.sealers == ["gateway.example", "gateway.example", "gateway.example"])
        #expect(whole.authenticationResults.last == "gateway.example; dmarc=pass")

        let changed = String(decoding: text, as: UTF8.self).replacing("Text of two", with: "Text of ten")
        let finding = await validator.validate(SignedMessage(ParsedMessage(Array(changed.utf8))))
        #expect(finding.result == .fail)
        #expect(
            sealer.seal(SignedMessage(ParsedMessage(Array(changed.utf8)), sealing: true), chain: finding, results: "x", time: 1)
                != nil
        )
    }

    @Test(
        "Results that claim to be ours are found, those of others are not",
        arguments: [
            ("Authentication-Results: mx.example.com; spf=pass", true),
            ("authentication-results:  MX.EXAMPLE.COM 1; dkim=pass", true),
            ("Authentication-Results: (a comment) \"mx.example.com\";\r\n\tdmarc=pass", true),
            ("Authentication-Results: mx.example.com.evil.example; spf=pass", false),
            ("Authentication-Results: other.example; spf=pass", false),
            ("X-Authentication-Results: mx.example.com; spf=pass", false),
        ]
    )
    func forged(field: String, isOurs: Bool) {
        let message = "Subject: a\r\n\(field)\r\nFrom: b@example.org\r\n\r\n"
        let ranges = AuthenticationResults.forged(in: ParsedMessage(Array(message.utf8)), hostname: "mx.example.com")
        #expect(ranges.count == (isOurs ? 1 : 0))
        guard let range = ranges.first else { return }
        var rest = Array(message.utf8)
        rest.removeSubrange(range)
        #expect(String(decoding: rest, as: UTF8.self) == "Subject: a\r\nFrom: b@example.org\r\n\r\n")
    }

    @Test("Nothing that a sender says breaks out of the field")
    func harmless() {
        var findings = AuthenticationFindings(mailFrom: SPFFinding(.fail, identity: .mailfrom, domain: "a"))
        findings.dkim = [DKIMFinding(.fail, domain: "evil\r\nX-Bad: 1", selector: "s;dkim=pass", reason: "a)\r\nb")]
        let address = MailAddress(localPart: "a b;spf=pass", domain: "x", text: "\"a b;spf=pass\r\nc\"@x")
        let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .mailbox(address))
        let value = AuthenticationResults.value(findings, hostname: "mx.example.com", envelope: envelope)
        for line in value.split(separator: "\r\n").dropFirst() { #expect(line.hasPrefix("\t"), "\(line)") }
        #expect(!value.replacing("\r\n\t", with: "").contains { $0 == "\r\n" || $0 == "\n" })
        #expect(value.contains("\"s;dkim=pass\""))
    }
}
