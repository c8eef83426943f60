import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

@testable import SenderAuth

@Suite("Aggregate reports of DMARC")
struct DMARCReportTests {
    static func record(_ text: String) throws -> DMARCRecord { try #require(DMARCRecord(Array(text.utf8))) }

    static func report(domain: String = "example.org", row: DMARCReportRow? = nil) throws -> DMARCReport {
        let source = try #require(IPAddress("192.0.2.7"))
        let other = try #require(IPAddress("2001:db8::7"))
        let passed = DMARCReportRow(
            source: source,
            disposition: .none,
            isDKIMAligned: true,
            isSPFAligned: false,
            headerFrom: "News.Example.org",
            envelopeFrom: "bounce.example.net",
            dkim: [DMARCReportRow.DKIM(domain: "example.org", selector: "s1", result: "pass")],
            spf: [DMARCReportRow.SPF(domain: "bounce.example.net", scope: .mailFrom, result: "pass")]
        )
        let failed = DMARCReportRow(
            source: other,
            disposition: .quarantine,
            reasons: [DMARCReportRow.Reason(.sampledOut), DMARCReportRow.Reason(.localPolicy, comment: "a <site's> & \"own\"")],
            isDKIMAligned: false,
            isSPFAligned: false,
            headerFrom: domain,
            envelopeFrom: "",
            spf: [DMARCReportRow.SPF(domain: "mail.example.net", scope: .helo, result: "softfail")]
        )
        let published = DMARCPublished(
            domain: domain,
            record: try Self.record("v=DMARC1; p=reject; sp=quarantine; aspf=s; pct=50; fo=1; rua=mailto:a@example.org")
        )
        return DMARCReport(
            reporter: DMARCReport.Reporter(
                organization: "Example & Sons",
                email: "postmaster@example.com",
                contact: "https://example.com/dmarc",
                hostname: "mx1.example.com"
            ),
            begin: 1_795_392_000,
            end: 1_795_478_399,
            published: published,
            records: [DMARCReport.Record(row: passed, count: 12), DMARCReport.Record(row: row ?? failed, count: 1)]
        )
    }

    @Test("A report is written as Appendix C has it, octet by octet")
    func golden() throws {
        let file = Fixture.directory.appending(path: "dmarc/report.xml")
        let expected = String(decoding: try Fixture.bytes(file), as: UTF8.self)
        #expect(String(decoding: try Self.report().xml, as: UTF8.self) == expected)
    }

    /// The schema of Appendix C as the order and number of elements, and the words that its types allow.
    private static let checker = """
        import re, sys, xml.etree.ElementTree as tree
        ORDER = {
            "feedback": "version report_metadata policy_published record+",
            "report_metadata": "org_name email extra_contact_info? report_id date_range error*",
            "date_range": "begin end",
            "policy_published": "domain adkim? aspf? p sp pct fo",
            "record": "row identifiers auth_results",
            "row": "source_ip count policy_evaluated",
            "policy_evaluated": "disposition dkim spf reason*",
            "reason": "type comment?",
            "identifiers": "envelope_to? envelope_from header_from",
            "auth_results": "dkim* spf+",
        }
        IN_RESULTS = {"dkim": "domain selector? result human_result?", "spf": "domain scope result"}
        WORDS = {
            "p": "none quarantine reject", "sp": "none quarantine reject", "disposition": "none quarantine reject",
            "adkim": "r s", "aspf": "r s", "scope": "helo mfrom",
            "type": "forwarded sampled_out trusted_forwarder mailing_list local_policy other",
        }
        def check(element, parent):
            order = IN_RESULTS.get(element.tag) if parent == "auth_results" else ORDER.get(element.tag)
            names = "".join(child.tag + " " for child in element)
            if order is None:
                assert not names and not element.attrib, element.tag
                if element.tag in WORDS: assert element.text in WORDS[element.tag].split(), (element.tag, element.text)
                return
            pattern = "".join("(?:%s )%s" % (word.rstrip("?*+"), word[-1] if word[-1] in "?*+" else "") for word in order.split())
            assert re.fullmatch(pattern, names), (element.tag, names)
            for child in element: check(child, element.tag)
        root = tree.fromstring(sys.stdin.buffer.read())
        assert root.tag == "feedback"
        check(root, None)
        for number in root.iter("count"): assert int(number.text) > 0
        print("|".join(element.text or "" for element in root.iter("header_from")))
        print("|".join(element.text or "" for element in root.iter("comment")))
        """

    private static let python = "/usr/bin/python3"
    private static let hasPython = FileManager.default.isExecutableFile(atPath: DMARCReportTests.python)

    private static func parse(_ report: DMARCReport) throws -> [String] {
        let result = try ChildProgram.run(self.python, ["-c", self.checker], input: report.xml)
        #expect(result.status == 0, "\(result.errors)")
        return result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    @Test("Another parser reads what was meant, in the schema's order", .enabled(if: DMARCReportTests.hasPython, "needs python3"))
    func parsed() throws {
        let lines = try Self.parse(try Self.report())
        #expect(lines.first == "news.example.org|example.org")
        #expect(lines.dropFirst().first == "a <site's> & \"own\"")
    }

    /// The same for RFC 9990: what must be there, in the order in which its tables have it, and nothing else.
    private static let newChecker =
        checker.replacing("IN_RESULTS = {", with: "NEW = {")
        .replacing(
            "def check(",
            with: """
                IN_RESULTS = {"dkim": "domain selector result human_result?", "spf": "domain scope? result human_result?"}
                ORDER["policy_published"] = "domain discovery_method? p sp? np? fo? adkim? aspf? testing?"
                ORDER["identifiers"] = "header_from envelope_from? envelope_to?"
                ORDER["auth_results"] = "dkim* spf?"
                WORDS.update({
                    "np": WORDS["p"], "disposition": "none pass quarantine reject", "scope": "mfrom", "testing": "n y",
                    "discovery_method": "psl treewalk",
                    "type": "local_policy mailing_list other policy_test_mode trusted_forwarder",
                })
                def check(
                """
        )
        .replacing(
            "assert root.tag == \"feedback\"",
            with: """
                for element in root.iter():
                    assert element.tag.startswith("{urn:ietf:params:xml:ns:dmarc-2.0}"), element.tag
                    element.tag = element.tag.split("}")[1]
                """
        )
        + "\nprint(\"|\".join(element.text for element in root.iter(\"disposition\")))"
        + "\nprint(\"|\".join(element.text for element in root.iter(\"type\")))"

    @Test("In the form of RFC 9990, too", .enabled(if: DMARCReportTests.hasPython, "needs python3"))
    func newSchema() throws {
        var report = try Self.report()
        report.schema = .rfc9990
        report.discovery = .treeWalk
        report.published.isTesting = true
        report.records[1].row.reasons.append(DMARCReportRow.Reason(.policyTestMode))
        let result = try ChildProgram.run(Self.python, ["-c", Self.newChecker], input: report.xml)
        #expect(result.status == 0, "\(result.errors)")
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.first == "news.example.org|example.org")
        #expect(lines.dropFirst().first == "sampled_out|a <site's> & \"own\"")
        #expect(lines.dropFirst(2).first == "pass|quarantine")
        #expect(lines.dropFirst(3).first == "other|local_policy|policy_test_mode")
        let text = String(decoding: report.xml, as: UTF8.self)
        #expect(text.contains("<testing>y</testing>") && text.contains("<np>quarantine</np>") && !text.contains("<pct>"))
        #expect(text.contains("<discovery_method>treewalk</discovery_method>"))
        // In the older form the newer reason has no word of its own.
        report.schema = .rfc7489
        #expect(String(decoding: report.xml, as: UTF8.self).contains("<comment>policy_test_mode</comment>"))
        #expect(try Self.parse(report).count > 1)
    }

    @Test("Whatever a sender writes, the document stays one", .enabled(if: DMARCReportTests.hasPython, "needs python3"))
    func hostile() throws {
        let texts = [
            "a]]><b", "<!--", "&#0;", "\u{0}\u{1}\u{b}\u{1f}\u{7f}\u{85}\u{9b}31m", "\u{fffe}\u{ffff}\u{1ffff}", "\r\n\t",
            "</feedback>",
            String(repeating: "ä", count: 1_000), "\u{202e}x", "'\"",
        ]
        for text in texts {
            let row = DMARCReportRow(
                source: .loopback6,
                disposition: .reject,
                reasons: [DMARCReportRow.Reason(.other, comment: text)],
                isDKIMAligned: false,
                isSPFAligned: false,
                headerFrom: text,
                envelopeFrom: text,
                dkim: [DMARCReportRow.DKIM(domain: text, selector: text, result: "fail")],
                spf: [DMARCReportRow.SPF(domain: text, scope: .mailFrom, result: "none")]
            )
            let report = try Self.report(domain: text, row: row)
            let lines = try Self.parse(report)
            #expect(lines.count >= 2)
            let xml = String(decoding: report.xml, as: UTF8.self)
            #expect(!xml.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || (0x7f...0x9f).contains($0.value) })
            #expect(xml.unicodeScalars.count < 8_000)
            #expect(report.fileName.utf8.count <= 255 && !report.fileName.contains("/"))
            #expect(report.fileName.utf8.allSatisfy { (0x21...0x7e).contains($0) })
        }
    }

    @Test("The name of the file says who reports what of when")
    func fileName() throws {
        #expect(try Self.report().fileName == "mx1.example.com!example.org!1795392000!1795478399.xml.gz")
        #expect(try Self.report(domain: "../a!b").fileName == "mx1.example.com!..%2fa%21b!1795392000!1795478399.xml.gz")
    }

    @Test("The message has the subject and the attachment that RFC 7489 §7.2.1.1 asks for")
    func mail() throws {
        let report = try Self.report()
        let to = try #require(MailAddress("reports@example.org"))
        let compressed = (0..<200).map { UInt8($0) }
        let mail = DMARCReportMail(report: report, compressed: compressed, to: to, date: "Mon, 23 Nov 2026 10:00:00 +0000")
        let message = ParsedMessage(mail.bytes)
        let subject = try #require(message.fields(named: "subject").first)
        #expect(
            String(decoding: message.decodedValue(of: subject), as: UTF8.self).split(separator: " ").joined(separator: " ")
                == "Report Domain: example.org Submitter: mx1.example.com Report-ID: <1795392000.example.org@mx1.example.com>"
        )
        let attachment = try #require(message.parts.last)
        #expect(message.content(of: attachment) == compressed)
        let text = String(decoding: mail.bytes, as: UTF8.self)
        #expect(text.contains("Content-Type: application/gzip;\r\n name=\"\(report.fileName)\"\r\n"))
        #expect(text.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 998 && !$0.utf8.contains(0x0a) })
    }

    @Test(
        "Destinations are read with their limits",
        arguments: [
            ("mailto:a@example.org", "a@example.org", nil), ("MAILTO:a@example.org!10m", "a@example.org", 10_485_760),
            ("mailto:a@example.org!5", "a@example.org", 5), ("mailto:a@example.org!2K", "a@example.org", 2_048),
            ("mailto:a%21b@example.org!1g", "a!b@example.org", 1_073_741_824),
            ("mailto:a@example.org?subject=x", "a@example.org", nil), ("mailto:a@example.org!", nil, nil),
            ("mailto:a@example.org!tenm", nil, nil), ("mailto:a@example.org!99999999999999999999t", nil, nil),
            ("mailto:a@example.org!9999999999999t", "a@example.org", Int.max), ("https://example.org/", nil, nil),
            ("mailto:postmaster", nil, nil), ("mailto:a%0d%0a@example.org", nil, nil), ("mailto:a@[192.0.2.1]", nil, nil),
            ("mailto:%zz@example.org", nil, nil),
        ] as [(String, String?, Int?)]
    )
    func destinations(uri: String, address: String?, limit: Int?) {
        let destination = DMARCReportDestination(uri)
        #expect(destination?.address.text == address)
        #expect(destination?.limit == limit)
    }

    @Test("Nobody gets reports of a stranger's domain without having said so (RFC 7489 §7.1)")
    func permission() async throws {
        var zone = ZoneResolver()
        func publish(_ name: String, _ text: String) throws {
            zone.zone[try #require(DNSName(name)), default: []].append(.record(.txt, .text([Array(text.utf8)])))
        }
        try publish("example.org._report._dmarc.agrees.example", "v=DMARC1")
        try publish("example.org._report._dmarc.other.example", "v=DMARC1; rua=mailto:new@other.example!1k")
        try publish("example.org._report._dmarc.elsewhere.example", "v=DMARC1; rua=mailto:new@victim.example")
        try publish("example.org._report._dmarc.spf.example", "v=spf1 -all")
        zone.zone[try #require(DNSName("example.org._report._dmarc.silent.example"))] = [.timeout(nil)]
        let list = PublicSuffixList(Array("org\nexample\n".utf8))
        let permission = DMARCReportPermission(resolver: zone, publicSuffixes: list)
        func ask(_ uri: String) async throws -> DMARCReportPermission<ZoneResolver>.Outcome {
            await permission.ask(try #require(DMARCReportDestination(uri)), policyDomain: "example.org")
        }
        for uri in ["mailto:a@example.org", "mailto:a@reports.example.org", "mailto:a@agrees.example"] {
            #expect(try await ask(uri) == .granted(try #require(DMARCReportDestination(uri))))
        }
        #expect(
            try await ask("mailto:a@other.example")
                == .granted(try #require(DMARCReportDestination("mailto:new@other.example!1k")))
        )
        #expect(
            try await ask("mailto:a@elsewhere.example")
                == .granted(try #require(DMARCReportDestination("mailto:a@elsewhere.example")))
        )
        for uri in ["mailto:a@victim.example", "mailto:a@spf.example"] {
            guard case .refused = try await ask(uri) else {
                Issue.record("\(uri) was not refused")
                continue
            }
        }
        guard case .unanswered = try await ask("mailto:a@silent.example") else {
            Issue.record("silence was taken for an answer")
            return
        }
    }
}
