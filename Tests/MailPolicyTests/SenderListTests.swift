import MailTypes
import Testing

@testable import MailPolicy

/// 192.0.2.1
private let client = IPAddress(v4: 0xc000_0201)
private let now: Int64 = 1_795_392_000_000

private func entry(
    _ id: String,
    _ action: ListEntry.Action,
    _ line: String,
    for scope: ListScope = .all,
    expires: Int64? = nil
) throws -> ListEntry {
    var entry = try ListEntry.configured(line, action: action, index: 0)
    entry.id = id
    entry.scope = scope
    entry.expires = expires
    return entry
}

private func address(_ text: String) -> MailAddress {
    MailAddress(text) ?? MailAddress(localPart: "", domain: "", text: "")
}

private func path(_ text: String) -> ReversePath { text.isEmpty ? .null : .mailbox(address(text)) }

private func dkim(_ domain: String, _ change: (inout DKIMFinding) -> Void = { _ in }) -> DKIMFinding {
    var finding = DKIMFinding(.pass, domain: domain)
    change(&finding)
    return finding
}

private func facts(
    sender: String = "ann@example.org",
    from: [String] = [],
    spf: SPFResult? = nil,
    dkim: [DKIMFinding] = [],
    dmarc: DMARCFinding = DMARCFinding(.none)
) -> SenderFacts {
    let mailFrom = spf.map { SPFFinding($0, identity: .mailfrom, domain: path(sender).address?.domain ?? "helo.example.org") }
    return SenderFacts(
        client: client,
        helo: "helo.example.org",
        reversePath: path(sender),
        headerFrom: from.map(address),
        headerFromText: from.joined(separator: ", "),
        authentication: AuthenticationFindings(mailFrom: mailFrom, dkim: dkim, dmarc: dmarc)
    )
}

@Suite("Entries of the lists")
struct ListEntryTests {
    @Test(
        "what is an entry",
        arguments: [
            ("friend@example.org", true), ("example.org", true), ("*.example.org", true), ("@example.org", true),
            ("10.0.0.0/8", true), ("::1", true), ("spoofable:example.org", true), ("spoofable:helo:*.dyn.example", true),
            ("spoofable:from:*lottery*", true), ("org", false), ("*", false), ("a@", false), ("", false), ("10.0.0.0/40", false),
            ("10.0.0.1/8", false), ("1.2.3", false), ("[192.0.2.1]", false), ("helo:mail.example.org", false),
            ("from:*lottery*", false), ("spoofable:from:*", false), ("spoofable:10.0.0.0/8", false), ("0.0.0.0/0", false),
            (String(repeating: "a", count: 600) + ".example", false),
        ]
    )
    func entries(text: String, isEntry: Bool) {
        #expect(((try? ListEntry.configured(text, action: .allow, index: 0)) != nil) == isEntry)
    }

    @Test("what can be forged is refused with a word about it")
    func forgeable() {
        #expect(throws: ListEntryProblem.self) { try ListEntry.subject("helo:a.example", action: .deny, isSpoofable: false) }
        do {
            _ = try ListEntry.subject("from:*x*", action: .allow, isSpoofable: false)
        } catch {
            #expect(error.description.contains("can be forged by anybody"))
        }
        #expect((try? ListEntry.subject("0.0.0.0/0", action: .deny, isSpoofable: false)) != nil)
    }

    @Test(
        "an identity counts when it is proven, and only then",
        arguments: [
            // entry, facts, the evidence, or what is said without proof
            ("192.0.2.0/24", facts(), "client 192.0.2.1", nil),
            ("192.0.3.0/24", facts(), nil, nil),
            ("example.org", facts(), nil, "reverse path"),
            ("example.org", facts(spf: .fail), nil, "reverse path"),
            ("example.org", facts(spf: .softfail), nil, "reverse path"),
            ("example.org", facts(spf: .pass), "SPF of example.org", nil),
            ("*.example.org", facts(spf: .pass), nil, nil),
            ("*.example.org", facts(sender: "a@b.example.org", spf: .pass), "SPF of b.example.org", nil),
            ("ann@example.org", facts(spf: .pass), "SPF of example.org", nil),
            ("ANN@Example.Org", facts(spf: .pass), "SPF of example.org", nil),
            ("bob@example.org", facts(spf: .pass), nil, nil),
            ("helo.example.org", facts(sender: "", spf: .pass), "SPF of helo.example.org", nil),
            ("signer.example", facts(dkim: [dkim("Signer.example")]), "DKIM of signer.example", nil),
            ("signer.example", facts(dkim: [DKIMFinding(.fail, domain: "signer.example")]), nil, nil),
            ("signer.example", facts(dkim: [dkim("signer.example") { $0.isTesting = true }]), nil, nil),
            ("signer.example", facts(dkim: [dkim("signer.example") { $0.unsignedOctets = 9 }]), nil, nil),
            ("boss@corp.example", facts(from: ["boss@corp.example"]), nil, "From"),
            (
                "boss@corp.example", facts(from: ["boss@corp.example"], dkim: [dkim("corp.example")]),
                "From boss@corp.example, DKIM of corp.example", nil
            ),
            (
                "boss@mail.corp.example", facts(from: ["boss@mail.corp.example"], dkim: [dkim("corp.example")]),
                "From boss@mail.corp.example, DKIM of corp.example", nil
            ),
            ("boss@corp.example", facts(from: ["boss@corp.example"], dkim: [dkim("other.example")]), nil, "From"),
            // Two authors: whose word is it?
            (
                "boss@corp.example", facts(from: ["boss@corp.example", "x@evil.example"], dkim: [dkim("corp.example")]),
                nil, "From"
            ),
            // DMARC has failed: nothing else can prove From.
            (
                "boss@corp.example",
                facts(
                    from: ["boss@corp.example"],
                    dkim: [dkim("corp.example")],
                    dmarc: DMARCFinding(.fail, domain: "corp.example")
                ),
                nil, "From"
            ),
            ("spoofable:example.org", facts(), "reverse path, unproven", nil),
            ("spoofable:boss@corp.example", facts(from: ["boss@corp.example"]), "From, unproven", nil),
            ("spoofable:helo:HELO.*", facts(), "HELO, unproven", nil),
            ("spoofable:from:*@corp.example", facts(from: ["boss@corp.example"]), "From, unproven", nil),
            ("spoofable:from:*@corp.example", facts(), nil, nil),
        ] as [(String, SenderFacts, String?, String?)]
    )
    func fits(line: String, facts: SenderFacts, evidence: String?, unproven: String?) throws {
        let entry = try entry("1", .deny, line)
        switch entry.fit(facts) {
        case .fits(let found): #expect(found.description == evidence)
        case .unproven(let place): #expect(evidence == nil && place == unproven)
        case .differs: #expect(evidence == nil && unproven == nil)
        }
        // The compiled lists see the same.
        let gate = SenderGate([SenderLists([entry])])
        #expect(gate.match(facts, recipients: [], now: now)?.evidence.description == evidence)
    }

    @Test("a DMARC alignment proves From, by a signature that counts")
    func alignment() {
        var dmarc = DMARCFinding(.pass, domain: "corp.example")
        dmarc.alignedDKIM = ["corp.example"]
        let whole = facts(from: ["boss@corp.example"], dkim: [dkim("corp.example")], dmarc: dmarc)
        #expect(whole.provenFrom?.by == "DKIM of corp.example")
        let open = facts(from: ["boss@corp.example"], dkim: [dkim("corp.example") { $0.unsignedOctets = 1 }], dmarc: dmarc)
        #expect(open.provenFrom == nil)
        dmarc.alignedSPF = "mail.corp.example"
        #expect(facts(from: ["boss@corp.example"], dmarc: dmarc).provenFrom?.by == "SPF of mail.corp.example")
    }
}

@Suite("Which entry decides")
struct SenderGateTests {
    private func decide(_ entries: [ListEntry], _ facts: SenderFacts, to recipients: [String] = ["bob@example.com"]) -> String? {
        let gate = SenderGate([SenderLists(entries)])
        let match = gate.match(facts, recipients: recipients.map(address), now: now)
        let explained = gate.explain(facts, recipients: recipients.map(address), now: now)
        let decisive = explained.first { if case .decides = $0.outcome { true } else { false } }
        #expect(decisive?.entry.id == match?.entry.id, "the explanation names another entry")
        return match?.entry.id
    }

    @Test("the nearest to the recipient, then allow, then the narrowest")
    func order() throws {
        let all = [
            try entry("deny-all", .deny, "192.0.2.0/24"), try entry("allow-all", .allow, "example.org"),
            try entry("deny-domain", .deny, "ann@example.org", for: .domain("example.com")),
            try entry("allow-bob", .allow, "192.0.0.0/16", for: .recipient("bob@example.com")),
        ]
        let proven = facts(spf: .pass)
        #expect(self.decide(all, proven) == "allow-bob")
        #expect(self.decide(all, proven, to: ["carol@example.com"]) == "deny-domain")
        #expect(self.decide(all, proven, to: ["carol@other.example"]) == "allow-all")
        #expect(self.decide(all, facts(), to: ["carol@other.example"]) == "deny-all")
        #expect(self.decide(all, proven, to: ["bob@example.com", "carol@example.com"]) == "deny-domain")
        let narrow = [try entry("wide", .deny, "192.0.2.0/24"), try entry("narrow", .deny, "192.0.2.1")]
        #expect(self.decide(narrow, facts()) == "narrow")
    }

    @Test("what has expired does not count")
    func expiry() throws {
        let entries = [
            try entry("old", .deny, "192.0.2.1", expires: now), try entry("new", .allow, "192.0.2.1", expires: now + 1),
        ]
        #expect(self.decide(entries, facts()) == "new")
        #expect(self.decide([entries[0]], facts()) == nil)
    }

    @Test(
        "as early as is right",
        arguments: [
            ([], ["192.0.2.0/24"], true, true), (["192.0.2.1"], ["192.0.2.0/24"], false, false),
            // The reverse path is allowed once it is proven.
            (["example.org"], ["192.0.2.0/24"], false, false), (["other.example"], ["192.0.2.0/24"], false, true),
            // Who asks for proof waits for it.
            ([], ["example.org"], false, false), ([], ["spoofable:example.org"], false, true),
            (["192.0.2.0/24"], ["spoofable:example.org"], false, false), ([], ["spoofable:helo:helo.*"], false, true),
            ([], [], false, false),
        ] as [([String], [String], Bool, Bool)]
    )
    func early(allow: [String], deny: [String], atConnect: Bool, atMail: Bool) throws {
        let entries =
            try allow.map { try entry("a\($0)", .allow, $0) } + deny.map { try entry("d\($0)", .deny, $0) }
        let gate = SenderGate([SenderLists(entries)])
        #expect((gate.atConnect(client: client, now: now) != nil) == atConnect)
        let facts = SenderFacts(client: client, helo: "helo.example.org", reversePath: path("ann@example.org"))
        #expect((gate.atMail(facts, now: now) != nil) == atMail)
    }

    @Test("SPF decides at RCPT, and is waited for only where it can")
    func recipients() throws {
        let entries = [
            try entry("1", .deny, "example.org", for: .domain("example.com")), try entry("2", .allow, "friend@example.org"),
        ]
        let gate = SenderGate([SenderLists(entries)])
        let bob = address("bob@example.com")
        var facts = SenderFacts(client: client, reversePath: path("ann@example.org"))
        #expect(gate.dependsOnSPF(facts, recipients: [bob], now: now))
        #expect(!gate.dependsOnSPF(facts, recipients: [address("x@other.example")], now: now))
        #expect(gate.atRecipient(facts, recipient: bob, now: now) == nil)
        facts.spf = SPFFinding(.pass, identity: .mailfrom, domain: "example.org")
        #expect(!gate.dependsOnSPF(facts, recipients: [bob], now: now))
        #expect(gate.atRecipient(facts, recipient: bob, now: now)?.entry.id == "1")
        #expect(gate.atRecipient(facts, recipient: address("x@other.example"), now: now) == nil)
        let unknown = SenderFacts(client: client, reversePath: path("ann@other.example"))
        #expect(!gate.dependsOnSPF(unknown, recipients: [bob], now: now))
    }

    @Test("recipients for whom different entries may hold are kept apart")
    func scopes() throws {
        let entries = [
            try entry("1", .allow, "example.org", for: .recipient("bob@example.com")),
            try entry("2", .deny, "203.0.113.0/24", for: .recipient("carol@example.com")),
            try entry("3", .deny, "192.0.2.0/24", for: .domain("*.example.com")), try entry("4", .deny, "10.0.0.0/8"),
        ]
        let gate = SenderGate([SenderLists(entries)])
        let keys = ["bob@example.com", "carol@example.com", "dan@a.example.com", "eve@example.com"]
            .map { gate.scopeKey(of: address($0), client: client, now: now) }
        #expect(keys == ["1", "", "3", ""])
    }

    @Test("the explanation says why others do not count")
    func explanation() throws {
        let entries = [
            try entry("1", .allow, "example.org"), try entry("2", .deny, "192.0.2.0/24"), try entry("3", .deny, "192.0.2.1"),
            try entry("4", .deny, "192.0.2.1", for: .recipient("x@example.com")),
            try entry("5", .deny, "192.0.2.1", expires: now - 1), try entry("6", .deny, "198.51.100.1"),
        ]
        let gate = SenderGate([SenderLists(entries)])
        let found = gate.explain(facts(spf: .fail), recipients: [address("bob@example.com")], now: now)
        #expect(
            found.map { "\($0.entry.id) \($0.outcome.word)" } == [
                "3 decides", "2 goes_behind", "1 unproven", "4 other_recipients", "5 expired",
            ]
        )
    }

    @Test("the compiled lists find what trying every entry finds")
    func compiled() throws {
        let subjects = [
            "192.0.2.0/24", "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "example.org", "*.example.org", "ann@example.org",
            "spoofable:example.org", "spoofable:corp.example", "spoofable:helo:h*", "spoofable:from:*corp*", "corp.example",
        ]
        let entries = try subjects.enumerated().map { index, line in try entry("\(index)", index % 2 == 0 ? .allow : .deny, line)
        }
        let senders = [
            facts(), facts(spf: .pass), facts(sender: "x@a.example.org", spf: .pass), facts(sender: "", from: ["b@corp.example"]),
            facts(from: ["b@corp.example"], dkim: [dkim("corp.example")]),
        ]
        for sender in senders {
            for count in 0...entries.count { _ = self.decide(Array(entries.prefix(count)), sender) }
        }
    }
}
