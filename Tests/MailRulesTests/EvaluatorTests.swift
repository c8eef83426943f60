import MailMessage
import MailRules
import MailTypes
import Testing

@Suite("Evaluation")
struct EvaluatorTests {
    @Test(
        "A header rule looks at what its selector says",
        arguments: [
            ("Subject =~ /^Hello there$/", true),
            ("subject =~ /^hello/i", true),
            ("Subject =~ /hello/", false),
            ("Subject !~ /hello/", true),
            ("Subject !~ /Hello/", false),
            ("Subject:raw =~ /^ Hello\\n there$/", true),
            ("From:addr =~ /^anna\\@example\\.org$/", true),
            ("From:name =~ /^Anna A\\.$/", true),
            ("From:name =~ /@/", false),
            ("To:addr =~ /^bert\\@example\\.net\\ncarl\\@example\\.net$/", true),
            ("To:addr:first =~ /carl/", true),
            ("ToCc =~ /bert.*\\n.*dora/s", true),
            ("ALL =~ /^Subject: Hello there$/m", true),
            ("ALL =~ /^x-two: b$/mi", true),
            ("exists:X-Two", true),
            ("exists:X-Three", false),
            ("X-Two =~ /^a$/m", true),
            ("X-Two =~ /^a\\nb\\n$/", true),
            ("X-Two:first =~ /b/", false),
            ("X-Two:last =~ /b/", true),
            ("X-Three =~ /none/ [if-unset: none at all]", true),
            ("X-Three =~ /none/", false),
            ("X-Three !~ /none/", true),
            ("X-Three !~ /none/ [if-unset: none at all]", false),
            ("X-Two =~ /none/ [if-unset: none at all]", false),
            ("MESSAGEID =~ /<1\\@list>.*<2\\@sender>/s", true),
            ("EnvelopeFrom =~ /^anna\\@example\\.org$/", true),
        ]
    )
    func header(rule: String, hits: Bool) throws {
        let subject = SampleSubject(
            header: """
                Subject: Hello
                 there
                From: "Anna A." <anna@example.org>
                To: bert@example.net, Carl <carl@example.net>
                Cc: dora@example.net
                X-Two: a
                X-Two: b
                X-Message-Id: <1@list>
                Message-ID: <2@sender>
                """
        )
        #expect(try findings("header R \(rule)", subject).hits.map(\.rule) == (hits ? ["R"] : []))
    }

    @Test("A quote without an end hides no address, and a field full of quotes costs little")
    func quotes() throws {
        let open = SampleSubject(header: "From: \"Anna <anna@example.org>")
        #expect(try findings("header R From:addr =~ /^anna\\@example\\.org$/", open).hits.count == 1)
        let field = "From: \"" + String(repeating: "\\\"", count: 100_000) + " <anna@example.org>"
        let start = ContinuousClock.now
        #expect(try findings("header R From:addr =~ /^anna\\@example\\.org$/", SampleSubject(header: field)).hits.count == 1)
        let duration = ContinuousClock.now - start
        #expect(duration < .seconds(5))
    }

    @Test("A hit tells where it is, what matched, and which line asked")
    func locations() throws {
        let rules = """
            # a comment
            body B /gr\\S+n/
            describe B Something green
            score B 2.5
            header H X-Two =~ /b+/
            uri U /example/
            """
        let subject = SampleSubject(
            header: "X-Two: a\nX-Two: abbb",
            paragraphs: ["no", "the grass is gr\u{7}een"],
            uris: ["http://example.org/"]
        )
        let hits = try findings(rules, subject).hits
        #expect(
            hits == [
                Hit(
                    rule: "B",
                    score: 2.5,
                    description: "Something green",
                    file: "test.cf",
                    line: 2,
                    locations: [MatchLocation(view: "body", part: "1", offset: 13, text: "gr een")]
                ),
                Hit(
                    rule: "H",
                    score: 1,
                    file: "test.cf",
                    line: 5,
                    locations: [MatchLocation(view: "header", part: "", offset: 1, text: "bbb")]
                ),
                Hit(
                    rule: "U",
                    score: 1,
                    file: "test.cf",
                    line: 6,
                    locations: [MatchLocation(view: "uri", part: "1", offset: 7, text: "http://example.org/")]
                ),
            ]
        )
    }

    @Test("A long match is cut at a whole character")
    func excerpt() throws {
        let text = String(repeating: "ä", count: 100)
        let hits = try findings("body B /.+/", SampleSubject(paragraphs: ["x" + text])).hits
        #expect(hits[0].locations[0].text == "x" + String(repeating: "ä", count: 29) + "…")
    }

    @Test("Body rules see one paragraph at a time, the subject first")
    func paragraphs() throws {
        let subject = SampleSubject(header: "Subject: one two", paragraphs: ["three", "four"])
        let rules = """
            body ACROSS /three.*four/s
            body SUBJECT /^one two$/
            body NOT_SUBJECT /one/
            tflags NOT_SUBJECT nosubject
            """
        #expect(try findings(rules, subject).hits.map(\.rule) == ["SUBJECT"])
    }

    @Test("Only multiple hits of a rule that asks for them count, and each scores")
    func multiple() throws {
        let rules = """
            body ONCE /a/
            body OFTEN /a/
            tflags OFTEN multiple
            score OFTEN 0.5
            body BOUNDED /a/
            tflags BOUNDED multiple maxhits=2
            body EMPTY /b*/
            tflags EMPTY multiple
            """
        let result = try findings(rules, SampleSubject(paragraphs: ["aaa", "ba"]))
        #expect(result.hits.map(\.score) == [1, 2, 2, 7])
        #expect(result.hits[1].locations.count == 4)
    }

    @Test("Rules that do not count are told apart")
    func subrules() throws {
        let rules = """
            body __SUB /a/
            body OFF /a/
            score OFF 0
            body T_TRIAL /a/
            body NICE /a/
            tflags NICE nice
            body SCORED /a/
            """
        let result = try findings(rules, SampleSubject(paragraphs: ["a"]))
        #expect(result.subhits == ["__SUB"])
        #expect(result.hits.map(\.rule) == ["T_TRIAL", "NICE", "SCORED"])
        #expect(result.hits.map(\.score) == [0.01, -1, 1])
    }

    @Test("Raw body, full text and links have views of their own")
    func views() throws {
        let subject = SampleSubject(raw: ["<b>raw\n", "next"], uris: ["http://a/", "mailto:x"], full: "From: a\n\nbody")
        let rules = """
            rawbody R1 /<b>raw$/
            rawbody R2 /raw.*next/s
            full F1 /^From: a\\n\\nbody$/
            uri U1 /^mailto:x$/
            uri U2 /a.*mailto/s
            body B /raw/
            """
        #expect(try findings(rules, subject).hits.map(\.rule) == ["R1", "F1", "U1"])
    }

    @Test("MIME headers and attachments")
    func parts() throws {
        let subject = SampleSubject(
            parts: [
                SubjectPart(path: "1", type: "text/plain", fileName: nil),
                SubjectPart(path: "2", type: "application/zip", fileName: "x.pdf.zip"),
            ],
            partFields: [
                [SubjectField("Content-Type", "text/plain")], [SubjectField("Content-Type", "application/zip; name=x.zip")],
            ]
        )
        let rules = """
            mimeheader M1 Content-Type =~ /^application\\/zip/
            mimeheader M2 Content-Type !~ /^application\\/zip/
            mimeheader M3 Content-Type !~ /msword/
            mimeheader M4 Content-Id =~ /none/ [if-unset: none]
            ifplugin Mail::SpamAssassin::Plugin::Outpost
            attachment A1 name =~ /\\.pdf\\.zip$/
            attachment A2 type =~ m{^text/}
            attachment A3 type =~ m{^application/}
            endif
            """
        let result = try findings(rules, subject)
        #expect(result.hits.map(\.rule) == ["M1", "M3", "M4", "A1", "A3"])
        #expect(result.hits[0].locations == [MatchLocation(view: "mimeheader", part: "2", offset: 0, text: "application/zip")])
        #expect(result.hits[3].locations == [MatchLocation(view: "attachment", part: "2", offset: 1, text: ".pdf.zip")])
    }

    @Test("Envelope rules and actions")
    func envelope() throws {
        let rules = """
            ifplugin Mail::SpamAssassin::Plugin::Outpost
            envelope E1 client =~ /^192\\.0\\.2\\.1$/
            envelope E2 helo =~ /^mail\\./
            envelope E3 sender !~ /example\\.com/
            envelope E4 recipients =~ /^bert\\@/
            envelope E5 tls =~ /./
            action E1 reject Not from there
            action E2 hold
            body __SUB /a/
            action __SUB defer
            endif
            """
        let result = try findings(rules, SampleSubject(paragraphs: ["a"]))
        #expect(result.hits.map(\.rule) == ["E1", "E2", "E3", "E4", "__SUB"])
        #expect(result.hits.map(\.action) == [.reject(text: "Not from there"), .hold, nil, nil, .defer(text: nil)])
        #expect(result.hits.last?.score == 0)
    }

    @Test("A rule that blows its limits is left out of this message and no other")
    func limits() throws {
        let rules = "body BAD /(a+)+$/\nbody GOOD /a/\nmeta AFTER !BAD\n"
        let ruleSet = try #require(compile(rules).ruleSet)
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        let bomb = SampleSubject(paragraphs: [String(repeating: "a", count: 3_000) + "b"])
        let first = evaluator.evaluate(bomb, envelope: sampleEnvelope)
        #expect(first.suspended == ["BAD"])
        #expect(first.hits.map(\.rule) == ["GOOD", "AFTER"])
        let second = evaluator.evaluate(SampleSubject(paragraphs: ["aa"]), envelope: sampleEnvelope)
        #expect(second.suspended == [])
        #expect(second.hits.map(\.rule) == ["BAD", "GOOD"])
    }

    @Test("When the time is up, what was found so far comes with the failure")
    func deadline() throws {
        let ruleSet = try #require(compile("header A exists:Subject\nbody B /b/\nbody C /b/\nmeta D A").ruleSet)
        // The clock is asked before the header rules, and again before the body's.
        var asked = 0
        let result = RuleEvaluator(ruleSet: ruleSet).evaluate(
            SampleSubject(header: "Subject: b"),
            envelope: sampleEnvelope,
            isTimeUp: {
                asked += 1
                return asked > 1
            }
        )
        #expect(result.failure == .timedOut)
        #expect(result.hits.map(\.rule) == ["A"])
    }

    @Test("The clock is asked while a long text is searched, and not for every short one")
    func clock() throws {
        let ruleSet = try #require(compile((0..<1_000).map { "body R\($0) /none/\n" }.joined()).ruleSet)
        func looks(_ paragraph: Int) -> Int {
            var asked = 0
            let subject = SampleSubject(paragraphs: [String(repeating: "x", count: paragraph)])
            _ = RuleEvaluator(ruleSet: ruleSet).evaluate(
                subject,
                envelope: sampleEnvelope,
                isTimeUp: {
                    asked += 1
                    return false
                }
            )
            return asked
        }
        #expect(looks(10) < 10)
        #expect(looks(100_000) > 900)
    }

    @Test("Skipped rules do not hit, and count as 0 in metas")
    func skipping() throws {
        let rules = "body A /a/\nbody B /a/\nmeta C !A\nmeta D B"
        let result = try findings(rules, SampleSubject(paragraphs: ["a"]), skipping: ["A", "D", "UNKNOWN"])
        #expect(result.hits.map(\.rule) == ["B", "C"])
    }
}

@Suite("Hops and senders by origin")
struct EnvelopeOriginTests {
    private static let message = ParsedMessage(
        Array(
            """
            Return-Path: <list@example.com>
            Received: from a.example (a.example [192.0.2.1]) by mx.example.org (Postfix) with ESMTP id 1
            From: anna@example.org


            """.utf8
        )
    )

    @Test(
        "A session is the first hop and has the true sender; a file has what it tells",
        arguments: [
            (EnvelopeOrigin.session(receiver: "gate.example.net"), "192.0.2.99", "gate.example.net", "bert@example.org"),
            (.stated, "192.0.2.1", "mx.example.org", "bert@example.org"),
            (.unknown, "192.0.2.1", "mx.example.org", "list@example.com"),
        ]
    )
    func origins(_ origin: EnvelopeOrigin, _ ip: String, _ by: String, _ sender: String) throws {
        let envelope = Envelope(
            origin: origin,
            client: ClientIdentity(address: try #require(IPAddress("192.0.2.99")), helo: "c.example"),
            reversePath: .mailbox(MailAddress(localPart: "bert", domain: "example.org", text: "bert@example.org"))
        )
        let rules = """
            header H X-Spam-Relays-External =~ /^\\[ ip=\(ip) [^\\]]*by=\(by) /
            header S EnvelopeFrom =~ /^\(sender)$/
            """
        let ruleSet = try #require(compile(rules).ruleSet)
        let found = RuleEvaluator(ruleSet: ruleSet).evaluate(MessageText(EnvelopeOriginTests.message), envelope: envelope)
        #expect(Set(found.hits.map(\.rule)).isSuperset(of: ["H", "S"]))
    }
}
