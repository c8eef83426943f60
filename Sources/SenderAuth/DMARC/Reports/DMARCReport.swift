import MailTypes
import OpenSSLKit

/// An aggregate report for the owner of a domain (RFC 7489 §7.2): what was received in its name in a time, and what became of it.
package struct DMARCReport: Hashable, Sendable {
    /// Who reports.
    package struct Reporter: Hashable, Sendable {
        package var organization: String
        package var email: String
        /// Where more can be learnt: a page, a telephone number.
        package var contact: String?
        /// The name of the receiving host; the submitter.
        package var hostname: String

        package init(organization: String, email: String, contact: String? = nil, hostname: String) {
            self.organization = organization
            self.email = email
            self.contact = contact
            self.hostname = hostname
        }
    }

    package struct Record: Hashable, Sendable {
        package var row: DMARCReportRow
        package var count: Int

        package init(row: DMARCReportRow, count: Int) {
            self.row = row
            self.count = count
        }
    }

    package var reporter: Reporter
    /// Seconds since 1970, both within the time that is reported.
    package var begin: Int
    package var end: Int
    package var published: DMARCPublished
    package var records: [Record]
    /// What the owner should know of the report itself: messages are missing in it.
    package var errors: [String]

    package init(
        reporter: Reporter,
        begin: Int,
        end: Int,
        published: DMARCPublished,
        records: [Record],
        errors: [String] = []
    ) {
        self.reporter = reporter
        self.begin = begin
        self.end = end
        self.published = published
        self.records = records
        self.errors = errors
    }

    package var messageCount: Int { self.records.reduce(0) { $0 + $1.count } }

    /// The same whenever the report is made again: whoever gets it twice can tell (RFC 7489 §7.2).
    package var id: String { "\(self.begin).\(self.fileDomain.text)\(self.fileDomain.rest)@\(self.reporter.hostname)" }

    /// `receiver!policy-domain!begin!end.xml.gz` (RFC 7489 §7.2.1.1).
    package var fileName: String {
        let (domain, rest) = self.fileDomain
        let receiver = Self.fileText(self.reporter.hostname).prefix(Self.maximumFileText)
        return "\(receiver)!\(domain)!\(self.begin)!\(self.end)\(rest).xml.gz"
    }

    /// Octets of a name within the name of a file: of 255 that Linux allows, two names and two times must have room.
    private static let maximumFileText = 100

    /// The domain, cut where it is too long; a unique-id tells it from others that begin alike.
    private var fileDomain: (text: String, rest: String) {
        let text = Self.fileText(self.published.domain)
        guard text.utf8.count > Self.maximumFileText else { return (text, "") }
        let digest = SHA256.hash(Array(self.published.domain.utf8)).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        return (String(text.prefix(Self.maximumFileText)), "!\(String(digest, radix: 16))")
    }

    /// A name of the DNS may have any octet; a file's name has letters, digits, dots and hyphens, and `%2f` for others.
    private static func fileText(_ name: String) -> String {
        name.utf8.map { octet -> String in
            switch octet {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                return String(Unicode.Scalar(octet))
            default:
                return "%" + (octet < 16 ? "0" : "") + String(octet, radix: 16)
            }
        }.joined()
    }

    // MARK: - XML

    /// RFC 7489 Appendix C, its elements in the schema's order.
    package var xml: [UInt8] {
        var document = XMLText()
        document.element("feedback") { feedback in
            feedback.element("version", "1.0")
            feedback.element("report_metadata") { metadata in
                metadata.element("org_name", self.reporter.organization)
                metadata.element("email", self.reporter.email)
                if let contact = self.reporter.contact { metadata.element("extra_contact_info", contact) }
                metadata.element("report_id", self.id)
                metadata.element("date_range") { range in
                    range.element("begin", "\(self.begin)")
                    range.element("end", "\(self.end)")
                }
                for error in self.errors { metadata.element("error", error) }
            }
            feedback.element("policy_published") { policy in
                policy.element("domain", self.published.domain)
                policy.element("adkim", self.published.isStrictForDKIM ? "s" : "r")
                policy.element("aspf", self.published.isStrictForSPF ? "s" : "r")
                policy.element("p", self.published.policy)
                policy.element("sp", self.published.subdomainPolicy)
                policy.element("pct", "\(self.published.percentage)")
                policy.element("fo", self.published.failureOptions)
            }
            for record in self.records { Self.write(record, to: &feedback) }
        }
        return document.bytes
    }

    private static func write(_ record: Record, to feedback: inout XMLText) {
        let row = record.row
        feedback.element("record") { element in
            element.element("row") { part in
                part.element("source_ip", row.source)
                part.element("count", "\(record.count)")
                part.element("policy_evaluated") { policy in
                    policy.element("disposition", row.disposition)
                    policy.element("dkim", row.isDKIMAligned ? "pass" : "fail")
                    policy.element("spf", row.isSPFAligned ? "pass" : "fail")
                    for reason in row.reasons {
                        policy.element("reason") { part in
                            part.element("type", reason.kind.rawValue)
                            if let comment = reason.comment { part.element("comment", comment) }
                        }
                    }
                }
            }
            element.element("identifiers") { part in
                part.element("envelope_from", row.envelopeFrom)
                part.element("header_from", row.headerFrom)
            }
            element.element("auth_results") { part in
                for dkim in row.dkim {
                    part.element("dkim") { result in
                        result.element("domain", dkim.domain)
                        if let selector = dkim.selector { result.element("selector", selector) }
                        result.element("result", dkim.result)
                    }
                }
                for spf in row.spf {
                    part.element("spf") { result in
                        result.element("domain", spf.domain)
                        result.element("scope", spf.scope.rawValue)
                        result.element("result", spf.result)
                    }
                }
            }
        }
    }
}

/// An XML document without attributes. Names are ours; text is anybody's.
struct XMLText {
    private(set) var bytes: [UInt8] = Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8)
    private var depth = 0

    mutating func element(_ name: String, _ text: String) {
        self.indent()
        self.bytes += "<\(name)>".utf8
        self.append(text)
        self.bytes += "</\(name)>\n".utf8
    }

    mutating func element(_ name: String, _ content: (inout XMLText) -> Void) {
        self.indent()
        self.bytes += "<\(name)>\n".utf8
        self.depth += 1
        content(&self)
        self.depth -= 1
        self.indent()
        self.bytes += "</\(name)>\n".utf8
    }

    private mutating func indent() {
        for _ in 0..<self.depth { self.bytes += [0x20, 0x20] }
    }

    /// Markup is escaped. Of characters that XML 1.0 forbids (§2.2), that a reader would change (line ends, tabs) or that steer a
    /// terminal, U+FFFD is left.
    private mutating func append(_ text: String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": self.bytes += "&amp;".utf8
            case "<": self.bytes += "&lt;".utf8
            case ">": self.bytes += "&gt;".utf8
            case "\"": self.bytes += "&quot;".utf8
            case "'": self.bytes += "&apos;".utf8
            default:
                self.bytes += (Self.isText(scalar) ? String(scalar) : "\u{fffd}").utf8
            }
        }
    }

    private static func isText(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7e, 0xa0...0xd7ff, 0xe000...0xfffd, 0x1_0000...0x10_ffff: !scalar.properties.isNoncharacterCodePoint
        default: false
        }
    }
}
