import Foundation
import MailTypes
import OutpostTestKit
import Testing

@Suite("Mail addresses")
struct MailAddressTests {
    @Test(
        "mailboxes of RFC 5321",
        arguments: [
            ("a@b.c", "a", "b.c"), ("A.b@EXAMPLE.com", "A.b", "example.com"), ("\"a b\"@c.d", "a b", "c.d"),
            ("\"\"@c.d", "", "c.d"),
            ("\"a\\\"b\"@c.d", "a\"b", "c.d"), ("a+b/c=d@e.f", "a+b/c=d", "e.f"), ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
            ("a@[IPv6:2001:db8::1]", "a", "[ipv6:2001:db8::1]"), ("Postmaster", "Postmaster", ""), ("a@b_c.d", "a", "b_c.d"),
            ("a@localhost", "a", "localhost"), ("\"a@b\"@c.d", "a@b", "c.d"),
        ]
    )
    func accepted(_ text: String, _ localPart: String, _ domain: String) {
        let address = MailAddress(text)
        #expect(address?.localPart == localPart)
        #expect(address?.domain == domain)
        #expect(address?.text == text)
    }

    @Test(
        "what is none",
        arguments: [
            "", "a", "@", "@b.c", "a@", ".a@b.c", "a.@b.c", "a..b@c.d", "a b@c.d", "a@b..c", "a@.b", "a@b.", "a@-b.c", "a@b-.c",
            "a@b c", "a@b@c", "a@[1.2.3]", "a@[1.2.3.4", "a@[::1]", "a@[IPv6:1.2.3.4]", "\"a@b.c", "\"a\"b@c.d", "a\"b\"@c.d",
            "\"a\\\"@b.c", "\"a\u{1}\"@b.c", "a@b.c\r\n", "ä@b.c", "a@ä.c", "<a@b.c>", "a,b@c.d",
        ]
    )
    func refused(_ text: String) {
        #expect(MailAddress(text) == nil)
    }

    @Test(
        "UTF-8 that some readers take for a line end or obey is none",
        arguments: ["\u{85}", "\u{9b}31m", "\u{2028}", "\u{2029}"]
    )
    func controls(_ text: String) {
        #expect(MailAddress("ä@ä.c", allowUTF8: true) != nil)
        for address in ["a\(text)b@b.c", "\"\(text)\"@b.c", "a@b\(text)c.d"] {
            #expect(MailAddress(address, allowUTF8: true) == nil, "\(address.debugDescription)")
        }
    }

    @Test("lengths are bounded")
    func lengths() {
        let longest = String(repeating: "a", count: 64)
        #expect(MailAddress("\(longest)@b.c") != nil && MailAddress("\(longest)a@b.c") == nil)
        let label = String(repeating: "b", count: 63)
        #expect(MailAddress("a@\(label).c") != nil && MailAddress("a@\(label)b.c") == nil)
        let domain = [label, label, label, label].joined(separator: ".")
        #expect(domain.count == 255 && MailAddress.isDomain(domain) && !MailAddress.isDomain("\(domain).c"))
        // RFC 5321 §4.5.3.1.3: a path has 256 octets with its brackets.
        #expect(MailAddress("a@\(domain.dropFirst(3))") != nil && MailAddress("a@\(domain.dropFirst(2))") == nil)
    }

    @Test("addresses beyond ASCII need SMTPUTF8")
    func international() {
        #expect(MailAddress("jörg@bücher.example", allowUTF8: true)?.domain == "bücher.example")
        #expect(MailAddress("jörg@example.com") == nil)
        #expect(MailAddress("a\u{85}b@example.com", allowUTF8: true) == nil)
        // A combining mark belongs to the character before it, also behind the at sign.
        #expect(MailAddress("a@\u{301}b.c", allowUTF8: true) == nil)
        #expect(MailAddress("\"a\"\u{301}@b.c", allowUTF8: true) == nil)
    }

    @Test("equality looks at the value, lists at the folded form")
    func equality() {
        #expect(MailAddress("a@EXAMPLE.com") == MailAddress("\"a\"@example.com"))
        #expect(MailAddress("A@b.c") != MailAddress("a@b.c"))
        #expect(MailAddress("A@B.c")?.folded == "a@b.c")
    }

    @Test("public addresses", .enabled(if: Fixture.shared("address/isemail/tests.xml") != nil))
    func isemail() throws {
        let text = try String(contentsOf: #require(Fixture.shared("address/isemail/tests.xml")), encoding: .utf8)
        var count = 0
        for block in text.components(separatedBy: "<test ").dropFirst() {
            guard let address = Self.element("address", block), let category = Self.element("category", block),
                let diagnosis = Self.element("diagnosis", block)
            else { continue }
            // `DNSWARN` is about the domain's records; `RFC5321` are addresses that SMTP allows and few people have.
            // `::` for a single group is deprecated (RFC 5952 §4.2.2), and was never ambiguous.
            let isValid =
                ["ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"].contains(category)
                || diagnosis == "ISEMAIL_RFC5321_IPV6DEPRECATED"
            count += 1
            #expect((MailAddress(address) != nil) == isValid, "\(address.debugDescription) \(diagnosis)")
        }
        #expect(count > 150)
    }

    /// The material writes control characters as their symbols from U+2400.
    private static func element(_ name: String, _ block: String) -> String? {
        guard let start = block.range(of: "<\(name)>"), let end = block.range(of: "</\(name)>") else { return nil }
        var text = String(block[start.upperBound..<end.lowerBound])
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
            text = text.replacingOccurrences(of: entity, with: character)
        }
        while let range = text.range(of: "&#x[0-9A-Fa-f]+;", options: .regularExpression) {
            let value = UInt32(text[range].dropFirst(3).dropLast(), radix: 16) ?? 0
            text.replaceSubrange(range, with: Unicode.Scalar(value).map { String($0) } ?? "")
        }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { (0x2400...0x241f).contains($0.value) ? Unicode.Scalar(UInt8($0.value - 0x2400)) : $0 }
            )
        )
    }
}
