import MailMessage
import MailTypes
import Testing

@testable import MailRules

@Suite("Rules that ask the DNS")
struct NetworkRuleTests {
    private static let message = """
        Received: from relay.example.net (relay.example.net [198.51.100.9]) by mx.example.com; Mon, 23 Nov 2026 10:00:00 +0000
        Received: from home (unknown [203.0.113.5]) by relay.example.net; Mon, 23 Nov 2026 09:59:00 +0000
        From: Ann <ann@mail.author.org>
        Reply-To: other@reply.org
        Subject: a word

        See http://www.spam.co.uk/x and http://192.0.2.66/y and http://skipped.org/ or mailto:who@mailonly.org.

        """

    private static let zone: [String: (DNSRecordType, String)] = [
        "9.100.51.198.bl.example": (.a, "127.0.0.4"), "5.113.0.203.bl.example": (.a, "127.0.0.10"),
        "5.113.0.203.refusing.example": (.a, "127.255.255.254"), "9.100.51.198.refusing.example": (.a, "127.255.255.254"),
        "9.100.51.198.words.example": (.txt, "Listed by Spamcop"), "mail.author.org.rhs.example": (.a, "127.0.0.2"),
        "author.org.rhs.example": (.a, "127.0.0.3"), "envelope.org.rhs.example": (.a, "127.0.0.5"),
        "spam.co.uk.uri.example": (.a, "127.0.0.10"), "www.spam.co.uk.uri.example": (.a, "127.0.0.64"),
        "66.2.0.192.uri.example": (.a, "127.0.0.2"), "skipped.org.uri.example": (.a, "127.0.0.2"),
        "mailonly.org.uri.example": (.a, "127.0.0.2"), "spam.co.uk": (.ns, "ns.evil.org"), "ns.evil.org": (.a, "203.0.113.77"),
        "77.113.0.203.zen.example": (.a, "127.0.0.2"), "www.spam.co.uk": (.a, "203.0.113.88"),
        "88.113.0.203.zen.example": (.a, "127.0.0.3"), "evil.org.uri.example": (.a, "127.0.0.2"),
        "signer.org.dwl.example": (.txt, "transaction all"), "reply.org.fresh.example": (.a, "127.2.0.28"),
        "parked.spam.co.uk.uri.example": (.a, "192.0.2.1"),
    ]

    private static func response(_ question: DNSQuestion) -> DNSResponse {
        guard let (type, text) = self.zone["\(question.name)"] else { return DNSResponse(.noName) }
        guard type == question.type else { return DNSResponse(.noData) }
        let record: DNSRecord? =
            switch type {
            case .a: IPAddress(text).map { .address($0) }
            case .ns: DNSName(text).map { .name($0) }
            default: .text([Array(text.utf8)])
            }
        return DNSResponse(record.map { .found([$0]) } ?? .noData)
    }

    private static func hits(_ rules: String, signers: [String] = [], withAnswers: Bool = true) throws -> (
        names: [String], asked: Int
    ) {
        let compilation = compile(rules)
        let ruleSet = try #require(compilation.ruleSet, "\(compilation.problems)")
        #expect(compilation.problems.map(\.description) == [])
        let message = ParsedMessage(Array(Self.message.replacing("\n", with: "\r\n").utf8))
        var envelope = Envelope(
            client: ClientIdentity(address: .loopback4),
            reversePath: .mailbox(MailAddress(localPart: "b", domain: "envelope.org", text: "b@envelope.org"))
        )
        envelope.origin = .stated
        var asked = 0
        if withAnswers, var subjects = ruleSet.networkSubjects(of: message, envelope: envelope) {
            subjects.learn(AuthenticationFindings(dkim: signers.map { DKIMFinding(.pass, domain: $0) }))
            var book = AnswerBook()
            for _ in 0..<NetworkRules.maximumRounds {
                _ = ruleSet.network.evaluate(subjects, &book)
                let questions = book.takeMissing()
                asked += questions.count
                for question in questions { book.note(Self.response(question), to: question) }
            }
            envelope.network = ruleSet.network.evaluate(subjects, &book)
        }
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(ruleSet.text(of: message), envelope: envelope)
        return ((findings.hits.map(\.rule) + findings.subhits).sorted(), asked)
    }

    @Test("Relays: which of them, exact answers, bits, patterns and sets")
    func relays() throws {
        let rules = """
            header __SET eval:check_rbl('bl', 'bl.example.')
            header SUB4 eval:check_rbl_sub('bl', '127.0.0.4')
            header SUB9 eval:check_rbl_sub('bl', '127.0.0.9')
            header SUBBITS eval:check_rbl_sub('bl', '2')
            header SUBPATTERN eval:check_rbl_sub('bl', '^127\\.0\\.0\\.1[01]$')
            header LAST eval:check_rbl('bl-lastexternal', 'bl.example.', '^127\\.0\\.0\\.[4567]$')
            header LASTNOT eval:check_rbl('bl2-lastexternal', 'bl.example.', '^127\\.0\\.0\\.10$')
            header WORDS eval:check_rbl_txt('words', 'words.example.', '(?i:spamcop)')
            header REFUSED eval:check_rbl('ref', 'refusing.example.')
            header REFUSEDBITS eval:check_rbl_sub('ref', '4')
            header BLOCKED eval:check_rbl('ref-lastexternal', 'refusing.example.', '^127\\.255\\.255\\.254$')
            meta BOTH SUB4 && SUBPATTERN
            """
        #expect(
            try Self.hits(rules).names == ["BLOCKED", "BOTH", "LAST", "SUB4", "SUBBITS", "SUBPATTERN", "WORDS", "__SET"]
        )
        #expect(try Self.hits(rules, withAnswers: false).names == [])
    }

    @Test("Hosts of authors and of the envelope")
    func senders() throws {
        let rules = """
            header FROM eval:check_rbl_from_host('rhs', 'rhs.example.', '127.0.0.2')
            header FROMDOMAIN eval:check_rbl_from_domain('rhs2', 'rhs.example.', '127.0.0.3')
            header ENVELOPE eval:check_rbl_envfrom('rhs3', 'rhs.example.', '127.0.0.5')
            header UNKNOWN eval:check_dns_sender()
            header NOT eval:check_rbl_envfrom('rhs4', 'rhs.example.', '127.0.0.2')
            """
        #expect(try Self.hits(rules).names == ["ENVELOPE", "FROM", "FROMDOMAIN", "UNKNOWN"])
    }

    @Test("Links: domains, whole names, addresses, name servers, and what is left out")
    func links() throws {
        let rules = """
            uridnsbl_skip_domain skipped.org
            urirhssub BITS uri.example. A 8
            body BITS eval:check_uridnsbl('BITS')
            urirhssub EXACT uri.example. A 127.0.0.10
            body EXACT eval:check_uridnsbl('EXACT')
            urirhssub WRONG uri.example. A 127.0.0.64
            body WRONG eval:check_uridnsbl('WRONG')
            urirhssub WHOLE uri.example. A 127.0.0.64
            body WHOLE eval:check_uridnsbl('WHOLE')
            tflags WHOLE net notrim
            urirhsbl IPS uri.example. A
            body IPS eval:check_uridnsbl('IPS')
            tflags IPS net ips_only
            urirhssub NAMES uri.example. A 127.0.0.2
            body NAMES eval:check_uridnsbl('NAMES')
            tflags NAMES net domains_only
            uridnssub SERVERS zen.example. A 127.0.0.2
            body SERVERS eval:check_uridnsbl('SERVERS')
            uridnssub HOSTS zen.example. A 127.0.0.3
            body HOSTS eval:check_uridnsbl('HOSTS')
            tflags HOSTS net a
            urinsrhsbl NSDOMAIN uri.example. A
            body NSDOMAIN eval:check_uridnsbl('NSDOMAIN')
            urifullnsrhsbl NSNAME uri.example. A
            body NSNAME eval:check_uridnsbl('NSNAME')
            """
        #expect(try Self.hits(rules).names == ["BITS", "EXACT", "HOSTS", "IPS", "NSDOMAIN", "SERVERS", "WHOLE"])
    }

    @Test("Templates: signers, headers, response codes and texts")
    func templates() throws {
        let rules = """
            askdns DWL _DKIMDOMAIN_.dwl.example TXT /^([a-z]+ )*(transaction|list|all)( [a-z]+)*$/
            askdns TEXT _DKIMDOMAIN_.dwl.example TXT "transaction all"
            askdns FRESH _HEADER(Reply-To:addr:domain)_.fresh.example. A 127.2.0.28
            askdns NOTTHERE _SENDERDOMAIN_.dwl.example A [NXDOMAIN]
            askdns RELAY _LASTEXTERNALREVIP_.bl.example A 127.0.0.4
            askdns NOTHING _AUTHORDOMAIN_.dwl.example
            """
        let names = try Self.hits(rules, signers: ["signer.org"]).names
        #expect(names == ["DWL", "FRESH", "NOTTHERE", "RELAY", "TEXT"])
        #expect(try Self.hits(rules).names == ["FRESH", "NOTTHERE", "RELAY"])
    }

    @Test("Equal questions go out once, those of rules without a score not at all, and settings turn them off")
    func economy() throws {
        let two =
            "header A eval:check_rbl('s-lastexternal', 'bl.example.')\nheader B eval:check_rbl('t-lastexternal', 'bl.example.')\n"
        #expect(try Self.hits(two).asked == 1)
        #expect(try Self.hits(two + "score A 0\nscore B 0\n").asked == 0)
        #expect(try Self.hits(two + "skip_rbl_checks 1\n").asked == 0)
        #expect(try Self.hits(two + "dns_available no\n").asked == 0)
    }

    @Test(
        "What is wrong in declarations is told",
        arguments: [
            ("urirhssub A uri.example. A", "what the answer must be is missing"), ("urirhssub A uri.example. MX 2", "is no type"),
            ("urirhsbl A", "needs a zone"), ("urirhssub A uri.example. A words", "is no test of an address"),
            ("header A eval:check_rbl('s')", "zone is missing"), ("header A eval:check_rbl('s', 'z.', '(')", "("),
            ("askdns A _NOPE_.example", "has no value here"), ("askdns A x.example LOC", "are not asked for"),
            ("askdns A x.example A [WHAT]", "is no test of an answer"), ("uridnsbl_max_domains many", "is no number"),
        ]
    )
    func problems(line: String, expected: String) {
        let problems = compile(line + "\n").problems.map(\.description)
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }
}
