import MailChecks
import MailTypes
import Testing

@testable import SenderReputation

@Suite("Names of clients and domains of senders")
struct HostTests {
    @Test(
        "A client's name counts where it leads back",
        arguments: [
            ("7.2.0.192.in-addr.arpa PTR mx.example\nmx.example A 192.0.2.7", ClientNameFinding(.pass, name: "mx.example")),
            (
                "7.2.0.192.in-addr.arpa PTR a.example\n7.2.0.192.in-addr.arpa PTR b.example\nb.example A 192.0.2.7",
                ClientNameFinding(.pass, name: "b.example")
            ),
            ("7.2.0.192.in-addr.arpa PTR mx.example\nmx.example A 192.0.2.8", ClientNameFinding(.fail, name: "mx.example")),
            ("7.2.0.192.in-addr.arpa PTR mx.example", ClientNameFinding(.fail, name: "mx.example")),
            ("", ClientNameFinding(.none)),
            ("7.2.0.192.in-addr.arpa", ClientNameFinding(.temperror)),
            ("7.2.0.192.in-addr.arpa PTR mx.example\nmx.example", ClientNameFinding(.temperror, name: "mx.example")),
        ]
    )
    func clientName(zone: String, expected: ClientNameFinding) async throws {
        let address = try #require(IPAddress("192.0.2.7"))
        #expect(await HostChecker(resolver: ZoneText(zone)).clientName(of: address) == expected)
    }

    @Test("IPv6 is asked for AAAA")
    func clientName6() async throws {
        let reverse = DNSName(reverseOf: try #require(IPAddress("2001:db8::7")))
        let zone = ZoneText("\(reverse) PTR mx.example\nmx.example AAAA 2001:db8::7\nmx.example A 192.0.2.7")
        let finding = await HostChecker(resolver: zone).clientName(of: try #require(IPAddress("2001:db8::7")))
        #expect(finding == ClientNameFinding(.pass, name: "mx.example"))
    }

    @Test(
        "Whether mail to a domain could be delivered",
        arguments: [
            ("d.example MX mx.example", DomainFinding.Result.pass), ("d.example A 192.0.2.1", .pass),
            ("d.example AAAA 2001:db8::1", .pass), ("d.example MX .", .nullMX), ("d.example TXT word", .none), ("", .none),
            ("d.example", .temperror), ("d.example MX .\nd.example MX mx.example", .pass),
        ]
    )
    func mailDomain(zone: String, expected: DomainFinding.Result) async {
        #expect(await HostChecker(resolver: ZoneText(zone)).mailDomain("d.example").result == expected)
    }

    @Test(
        "Whether a host's name is known",
        arguments: [
            ("d.example A 192.0.2.1", DomainFinding.Result.pass), ("d.example MX mx.example", .pass),
            ("d.example TXT word", .none),
            ("", .none), ("d.example", .temperror),
        ]
    )
    func host(zone: String, expected: DomainFinding.Result) async {
        #expect(await HostChecker(resolver: ZoneText(zone)).host("d.example").result == expected)
    }
}

@Suite("What is done about clients and envelopes")
struct ConnectionPolicyTests {
    private static func entry(_ list: String, _ subject: ListSubject, _ weight: Double) -> DNSListEntry {
        DNSListEntry(
            list: list,
            zone: "\(list.lowercased()).example",
            subject: subject,
            value: "192.0.2.7",
            code: IPAddress(v4: 0x7f00_0002),
            weight: weight,
            text: "why"
        )
    }

    private static func findings(sender: DomainFinding.Result? = nil, client: ClientNameFinding.Result? = nil)
        -> ReputationFindings
    {
        var findings = ReputationFindings()
        findings.sender = sender.map { DomainFinding($0, domain: "d.example") }
        findings.clientName = client.map { ClientNameFinding($0) }
        return findings
    }

    @Test("Codes of refusals are those of the standards")
    func codes() {
        var policy = ConnectionPolicy()
        policy.senderUnresolvable = .reject
        policy.clientName = .defer
        func texts(_ findings: ReputationFindings) -> [RequestedAction?] { policy.hits(of: findings, hello: []).map(\.action) }
        #expect(
            texts(Self.findings(sender: .nullMX)) == [
                .reject(text: "550 5.7.27 Refused: the sender's domain d.example takes no mail")
            ]
        )
        #expect(
            texts(Self.findings(sender: DomainFinding.Result.none)) == [
                .reject(text: "550 5.1.8 Refused: mail to the sender's domain d.example could not be delivered")
            ]
        )
        #expect(
            texts(Self.findings(client: .fail)) == [
                .defer(text: "450 4.7.25 Refused: the name of your host does not lead back to it")
            ]
        )
    }

    @Test("The DNS's silence refuses nobody, and defers only where that is wanted")
    func silence() {
        var policy = ConnectionPolicy()
        policy.senderUnresolvable = .reject
        policy.clientName = .reject
        #expect(policy.hits(of: Self.findings(sender: .temperror, client: .temperror), hello: []).isEmpty)
        policy.defersOnDNSFailure = true
        let hits = policy.hits(of: Self.findings(sender: .temperror), hello: [])
        guard case .defer(let text?) = hits.first?.action else {
            Issue.record("not deferred")
            return
        }
        #expect(text.hasPrefix("450 4.4.3 "))
    }

    @Test("One hit for each list, with the weight farthest from zero; envelope entries alone can refuse")
    func lists() {
        var policy = ConnectionPolicy()
        policy.listRejectScore = 5
        var findings = ReputationFindings()
        findings.entries = [Self.entry("A", .client, 2), Self.entry("A", .helo, 4), Self.entry("B", .uri, 9)]
        #expect(policy.completeHits(findings, refuses: true).map(\.score) == [4, 9])
        #expect(policy.completeHits(findings, refuses: true).allSatisfy { $0.action == nil })
        findings.entries.append(Self.entry("C", .sender, 1))
        let actions = policy.completeHits(findings, refuses: true).map(\.action)
        #expect(actions == [.reject(text: "550 5.7.1 Refused: 192.0.2.7 is listed in a.example: why"), nil, nil])
        #expect(policy.completeHits(findings, refuses: false).allSatisfy { $0.action == nil })
        findings.entries.append(Self.entry("ALLOW", .client, -3))
        #expect(policy.completeHits(findings, refuses: true).allSatisfy { $0.action == nil })
    }

    @Test("The client's own entries alone keep it from being greeted, and refuse recipients where they came too late for that")
    func greeting() {
        var policy = ConnectionPolicy()
        var findings = ReputationFindings()
        findings.entries = [Self.entry("A", .client, 3), Self.entry("B", .helo, 9), Self.entry("C", .client, 2)]
        #expect(policy.greetingRefusal(by: findings.entries) == nil)
        policy.listGreetingScore = 5.5
        #expect(policy.mayRefuse)
        #expect(policy.greetingRefusal(by: findings.entries) == nil)
        policy.listGreetingScore = 5
        let text = "Refused: 192.0.2.7 is listed in a.example: why"
        #expect(policy.greetingRefusal(by: findings.entries) == ConnectionPolicy.ListRefusal(list: "A", text: text))
        let actions = policy.completeHits(findings, refuses: true).map(\.action)
        #expect(actions == [.reject(text: "550 5.7.1 \(text)"), nil, nil])
        findings.entries.append(Self.entry("ALLOW", .client, -1))
        #expect(policy.greetingRefusal(by: findings.entries) == nil)
    }

    @Test("What EHLO gives away is counted in one place only")
    func hello() {
        var policy = ConnectionPolicy()
        #expect(policy.ownHelloSymbols.isEmpty)
        #expect(policy.hits(of: ReputationFindings(), hello: [.heloForgesUs]).isEmpty)
        policy.heloOurName = .reject
        #expect(policy.ownHelloSymbols == [.heloForgesUs])
        #expect(policy.hits(of: ReputationFindings(), hello: [.heloForgesUs]).map(\.rule) == ["HELO_FORGES_US"])
        policy.heloOurName = .off
        #expect(policy.hits(of: ReputationFindings(), hello: [.heloForgesUs]).isEmpty)
    }
}
