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
        X-Source-IP: 192.0.2.99
        Accreditor: trustworthy, level=high
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
        "parked.spam.co.uk.uri.example": (.a, "192.0.2.1"), "99.2.0.192.headers.example": (.a, "127.0.0.2"),
        "reply.org.headers.example": (.a, "127.0.0.3"), "5.113.0.203.rcvd.example": (.a, "127.0.0.2"),
        "relay.example.net.rcvd.example": (.a, "127.0.0.3"), "envelope.org": (.ns, "ns1.servers.org"),
        "ns1.servers.org.names.example": (.a, "127.0.0.2"), "9.100.51.198.asn.example": (.txt, "64496 | 198.51.100.0/24 | ZZ"),
        // SHA-1 of ann@mail.author.org, other@reply.org, who@mailonly.org and the text; MD5 of a link; SHA-256 of an address.
        "2de1d5cb6ff17f7d08812c231ba55234b36d718e.hash.example": (.a, "127.0.0.2"),
        "f250f99e276318e058f191c0d9452a3eaebd368f.hash.example": (.a, "127.0.0.3"),
        "0aedf5cce79d4231b9a0bd25f22c05c6faaad566.hash.example": (.a, "127.0.0.4"),
        "eae15567ceb2653f86bf30f5196fbd560c357ff3.hash.example": (.a, "127.0.0.5"),
        "0b7757acb0aad4c2c1de971654813b66.hash.example": (.txt, "listed"),
        "uhpq2tse7sbuzv5amvm2d4mibn2nlz2hhbbjsn6gmdsnx4y2ywyq.hash.example": (.a, "127.0.0.6"),
        "author.org.plain.example": (.a, "127.0.0.2"), "198.51.100.9.plain.example": (.a, "127.0.0.2"),
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

    @Test("Header fields, what the oldest relay says, name servers of the sender, and accreditors")
    func moreLists() throws {
        let rules = """
            header HEADERS eval:check_rbl_headers('h', 'headers.example.', '127.0.0.3')
            header HEADERIP eval:check_rbl_headers('h2', 'headers.example.', '127.0.0.2')
            header NAMED eval:check_rbl_headers('h3', 'headers.example.', '127.0.0.2', 'X-Source-IP,From')
            header NAMEDNOT eval:check_rbl_headers('h4', 'headers.example.', '127.0.0.2', 'From')
            header RCVD eval:check_rbl_rcvd('r', 'rcvd.example.', '127.0.0.2')
            header RCVDNAME eval:check_rbl_rcvd('r2', 'rcvd.example.', '127.0.0.3')
            header RCVDIPS eval:check_rbl_rcvd('r3', 'rcvd.example.', '127.0.0.3')
            tflags RCVDIPS net ips_only
            header SERVERS eval:check_rbl_ns_from('n', 'names.example.', '127.0.0.2')
            header VOUCHED eval:check_rbl_accreditor('a', 'bl.example.', '127.0.0.10', 'trustworthy')
            header VOUCHEDNOT eval:check_rbl_accreditor('a2', 'bl.example.', '127.0.0.10', 'other')
            header SUB eval:check_rbl_sub('n', '127.0.0.2')
            """
        #expect(
            try Self.hits(rules).names == ["HEADERIP", "HEADERS", "NAMED", "RCVD", "RCVDNAME", "SERVERS", "SUB", "VOUCHED"]
        )
        let set = "header OTHER eval:check_rbl_headers('h', 'headers.example.', '127.0.0.3')\nrbl_headers X-Source-IP\n"
        #expect(try Self.hits(set).names == [])
    }

    @Test("Texts are asked for by their hashes")
    func hashes() throws {
        let rules = """
            header FROM eval:check_hashbl_emails('hash.example', '', '', '^127\\.0\\.0\\.2$')
            header REPLY eval:check_hashbl_emails('hash.example/A', 'sha1/max=5', 'Reply-To', '^127\\.0\\.0\\.3$')
            header BODY eval:check_hashbl_emails('hash.example', 'sha1', 'body', '^127\\.0\\.0\\.4$')
            header ONLYFROM eval:check_hashbl_emails('hash.example', 'sha1', 'From', '^127\\.0\\.0\\.4$')
            header LISTED eval:check_hashbl_emails('hash.example', 'sha1', 'Reply-To', '', 'mine')
            header UNLISTED eval:check_hashbl_emails('hash.example', 'sha1', 'Reply-To', '', 'none')
            hashbl_acl_mine reply.org !author.org
            hashbl_acl_none author.org !reply.org
            header DOMAIN eval:check_hashbl_emails('plain.example', 'raw/domain', 'From')
            header LINK eval:check_hashbl_uris('hash.example/TXT', 'md5', '^listed$')
            body DIGITS eval:check_hashbl_bodyre('hash.example', 'sha256', 'http://([0-9.]+)/')
            body FILE eval:check_hashbl_attachments('hash.example', 'sha1', '^127\\.0\\.0\\.5$')
            body SMALL eval:check_hashbl_attachments('hash.example', 'sha1/minsize=5000', '^127\\.0\\.0\\.5$')
            header TAG eval:check_hashbl_tag('plain.example', 'raw/ipv4', 'LASTEXTERNALIP')
            header TAG6 eval:check_hashbl_tag('plain.example', 'raw/ipv6', 'LASTEXTERNALIP')
            header SIGNER eval:check_hashbl_tag('plain.example', 'raw/trim', '_DKIMDOMAIN_')
            """
        let expected = ["BODY", "DIGITS", "DOMAIN", "FILE", "FROM", "LINK", "LISTED", "REPLY", "TAG"]
        #expect(try Self.hits(rules).names == expected)
        #expect(try Self.hits(rules, signers: ["x.author.org"]).names.contains("SIGNER"))
        #expect(
            try Self.hits(rules + "\nhashbl_ignore text/plain other@reply.org").names
                == expected.filter { !["FILE", "REPLY", "LISTED"].contains($0) }
        )
        let alias =
            "header A eval:check_hashbl_emails('hash.example', 'sha1', 'From')\nhashbl_email_domain_alias reply.org mail.author.org\n"
        #expect(try Self.hits(alias).names == [])
    }

    @Test("The number of the network that a message came from")
    func networkNumbers() throws {
        let rules = """
            asn_lookup asn.example
            header NUMBER eval:check_asn('/^AS64496\\b/')
            header OTHER eval:check_asn('/^AS1\\b/')
            header ROUTE eval:check_asn('/100\\.0/', 'ASNCIDR')
            askdns ASKED _ASN_.plain.example A
            """
        #expect(try Self.hits(rules).names == ["NUMBER", "ROUTE"])
        #expect(try Self.hits(rules + "\nclear_asn_lookups").names == [])
        #expect(try Self.hits(rules + "\nasn_prefix").names == ["ROUTE"])
        let own =
            "asn_lookup asn.example _MINE_ _MYROUTE_\nheader A eval:check_asn('/64496/', 'MINE')\nheader B eval:check_asn('/64496/')\n"
        #expect(try Self.hits(own).names == ["A"])
    }

    @Test(
        "Records about networks are read in each of their forms",
        arguments: [
            (["64496", "192.0.2.0", "24"], ["64496"], ["192.0.2.0/24"]),
            (["64496 64497 | 192.0.2.0/24 | ZZ | none | 2001-06-01"], ["64496", "64497"], ["192.0.2.0/24"]),
            (["192.0.2.0/24 | AS64496 | Somebody | 2002-10-15"], ["64496"], ["192.0.2.0/24"]), (["as64496"], ["64496"], []),
            (["4294967295", "0.0.0.0", "0"], [], []), (["no number"], [], []), ([""], [], []),
        ] as [([String], [String], [String])]
    )
    func networkRecords(strings: [String], numbers: [String], routes: [String]) {
        let said = NetworkNumbers(strings.map { Array($0.utf8) })
        #expect(said.numbers == numbers.map { Array($0.utf8) })
        #expect(said.routes == routes.map { Array($0.utf8) })
    }

    @Test(
        "What the files forbid is not asked",
        arguments: [
            ("", 1), ("dns_query_restriction deny example", 0), ("dns_query_restriction deny bl.example other", 0),
            ("dns_query_restriction deny *", 0), ("dns_query_restriction deny *\ndns_query_restriction allow bl.example", 1),
            ("dns_query_restriction deny example\ndns_query_restriction allow BL.example", 1),
            ("dns_query_restriction deny example\nclear_dns_query_restriction", 1),
            ("dns_query_restriction deny example\nclear_dns_query_restrictions", 1),
            ("dns_query_restriction deny l.example", 1),
        ]
    )
    func restrictions(settings: String, asked: Int) throws {
        #expect(try Self.hits("header A eval:check_rbl('s-lastexternal', 'bl.example.')\n" + settings).asked == asked)
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
            ("header A eval:check_hashbl_emails('z.example', 'sha7')", "did you mean sha1?"),
            ("header A eval:check_hashbl_uris('z.example', 'raw')", "'raw' is no option here"),
            ("body A eval:check_hashbl_bodyre('z.example', '', 'a+')", "has no group"),
            ("header A eval:check_hashbl_tag('z.example', 'raw', 'SENDERDOMAIM')", "did you mean SENDERDOMAIN?"),
            ("header A eval:check_rbl_accreditor('s', 'z.example', '2')", "accreditor's name is missing"),
            ("header A eval:check_asn('/(/')", "("), ("asn_lookup asn.example ASN", "nothing here that it could use"),
            ("dns_query_restriction forbid example", "nothing here that it could use"),
            ("askdns A x.example A [WHAT]", "is no test of an answer"), ("uridnsbl_max_domains many", "is no number"),
        ]
    )
    func problems(line: String, expected: String) {
        let problems = compile(line + "\n").problems.map(\.description)
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }
}
