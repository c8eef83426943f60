import MailTypes
import Testing

@testable import Gateway

@Suite("Whose mail goes where, under which policy")
struct RecipientTableTests {
    private static let first = GatewayConfiguration.Route(hosts: [.init(name: "first.internal", port: 25)])
    private static let second = GatewayConfiguration.Route(hosts: [.init(name: "second.internal", port: 25)])

    private static let table = RecipientTable([
        GatewayConfiguration.Domain(
            names: ["example.com", "*.example.com"],
            route: first,
            recipientPolicies: ["boss@example.com": "strict", "abuse@": "lenient"]
        ),
        GatewayConfiguration.Domain(names: ["example.net", "deep.example.com"], route: second, policy: "other"),
    ])

    @Test(
        "groups",
        arguments: [
            ("bob@example.com", "first.internal:25 default"), ("bob@EXAMPLE.COM", "first.internal:25 default"),
            ("bob@a.b.example.com", "first.internal:25 default"), ("bob@deep.example.com", "second.internal:25 other"),
            ("bob@x.deep.example.com", "first.internal:25 default"), ("bob@example.net", "second.internal:25 other"),
            ("boss@example.com", "first.internal:25 strict"), ("BOSS@example.com", "first.internal:25 strict"),
            ("boss@sub.example.com", "first.internal:25 default"), ("abuse@sub.example.com", "first.internal:25 lenient"),
            ("Abuse@example.com", "first.internal:25 lenient"), ("abuse@example.net", "second.internal:25 other"),
            ("bob@notexample.com", nil), ("bob@com", nil), ("bob@a.example.net", nil),
        ] as [(String, String?)]
    )
    func groups(_ address: String, _ expected: String?) throws {
        let group = Self.table.group(for: try #require(MailAddress(address)))
        #expect(group.map { "\($0.route.name) \($0.policy)" } == expected)
        #expect(Self.table.isOurs(try #require(MailAddress(address)).domain) == (expected != nil))
    }

    @Test("postmaster without a domain goes where the first domain's mail goes")
    func postmaster() throws {
        let group = Self.table.group(for: try #require(MailAddress("postmaster")))
        #expect(group == RecipientGroup(route: Self.first, policy: "default"))
        #expect(RecipientTable([]).group(for: try #require(MailAddress("postmaster"))) == nil)
    }
}
