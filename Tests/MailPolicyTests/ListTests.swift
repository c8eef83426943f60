import MailTypes
import Testing

@testable import MailPolicy

@Suite("Domain tables")
struct DomainTableTests {
    private let table = DomainTable(entries: [
        ("example.com", "exact"), ("*.example.com", "below"), ("*.deep.example.com", "deep"), ("Host.Deep.example.com", "host"),
        ("example.com", "second"),
    ])

    @Test(
        "the most specific entry wins",
        arguments: [
            ("example.com", "exact"), ("EXAMPLE.com.", "exact"), ("a.example.com", "below"), ("a.b.example.com", "below"),
            ("deep.example.com", "below"), ("x.deep.example.com", "deep"), ("host.deep.example.com", "host"),
            ("x.host.deep.example.com", "deep"), ("notexample.com", nil), ("com", nil), ("", nil), (".example.com", "below"),
            ("[192.0.2.1]", nil),
        ] as [(String, String?)]
    )
    func lookUp(domain: String, value: String?) {
        #expect(self.table.value(for: domain) == value)
    }

    @Test("a wildcard does not mean the name itself")
    func wildcardOnly() {
        #expect(DomainTable(entries: [("*.example.com", 1)]).value(for: "example.com") == nil)
        #expect(DomainTable<Int>().isEmpty)
    }
}

@Suite("Sender lists")
struct SenderListTests {
    private let list = SenderList([
        "Friend@Example.org", "partner.example", "*.partner.example", "192.0.2.0/24", "192.0.2.128/25", "2001:db8::/32",
        "203.0.113.9", "@at.example",
    ])

    @Test(
        "entries",
        arguments: [
            ("friend@example.org", true), ("example.org", true), ("*.example.org", true), ("@example.org", true),
            ("10.0.0.0/8", true),
            ("::1", true), ("org", false), ("*", false), ("a@", false), ("", false), ("10.0.0.0/40", false), ("1.2.3", false),
            ("[192.0.2.1]", false),
        ]
    )
    func entries(text: String, isEntry: Bool) {
        #expect((SenderList.Entry(text) != nil) == isEntry)
    }

    @Test(
        "reverse paths",
        arguments: [
            ("FRIEND@EXAMPLE.ORG", "Friend@Example.org"), ("other@example.org", nil), ("a@partner.example", "partner.example"),
            ("a@x.y.partner.example", "*.partner.example"), ("a@notpartner.example", nil), ("x@at.example", "@at.example"),
        ] as [(String, String?)]
    )
    func reversePaths(text: String, entry: String?) throws {
        let address = try #require(MailAddress(text))
        #expect(self.list.match(reversePath: .mailbox(address))?.entry == entry)
        let byHeader = self.list.match(client: .loopback4, reversePath: .null, headerFrom: [address])
        #expect(byHeader?.entry == entry)
        #expect(byHeader.map(\.subject) == (entry == nil ? nil : .headerFrom))
    }

    @Test(
        "clients: the narrowest network is named",
        arguments: [
            ("192.0.2.1", "192.0.2.0/24"), ("192.0.2.200", "192.0.2.128/25"), ("::ffff:192.0.2.1", "192.0.2.0/24"),
            ("2001:db8:1::1", "2001:db8::/32"),
            ("203.0.113.9", "203.0.113.9"), ("203.0.113.8", nil), ("::1", nil),
        ] as [(String, String?)]
    )
    func clients(text: String, entry: String?) throws {
        #expect(self.list.match(client: try #require(IPAddress(text)))?.entry == entry)
    }

    @Test("the null reverse path is on no list")
    func null() {
        #expect(self.list.match(reversePath: .null) == nil)
        #expect(SenderList([]).isEmpty)
    }
}

@Suite("Signature patterns")
struct SignaturePatternTests {
    @Test(
        "stars and case",
        arguments: [
            ("*", "", true), ("*", "Eicar", true), ("Eicar", "eicar", true), ("Eicar", "Eicar2", false),
            ("Win.*.Agent", "Win.Trojan.Agent", true),
            ("Win.*.Agent", "Win.Agent", false), ("*.UNOFFICIAL", "a.UNOFFICIAL", true), ("*a*b*", "xaxxbx", true),
            ("*a*b", "xaxxbx", false),
            ("", "", true), ("", "x", false), ("***", "x", true),
        ]
    )
    func matches(pattern: String, name: String, result: Bool) {
        #expect(SignaturePattern.matches(pattern, name) == result)
    }
}
