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
