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

    /// How a report is written.
    package enum Schema: String, Hashable, Sendable, CaseIterable {
        /// Appendix C; what every reader of reports knows.
        case rfc7489
        /// With a namespace, `np` and `t`, and without `pct`.
        case rfc9990
    }

    /// How domains' records are found (RFC 9990, `discovery_method`).
    package enum Discovery: String, Hashable, Sendable {
        case publicSuffixes = "psl"
        case treeWalk = "treewalk"
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
    package var schema: Schema
    package var discovery: Discovery

    package init(
        reporter: Reporter,
        begin: Int,
        end: Int,
        published: DMARCPublished,
        records: [Record],
        errors: [String] = [],
        schema: Schema = .rfc7489,
        discovery: Discovery = .publicSuffixes
    ) {
        self.reporter = reporter
        self.begin = begin
        self.end = end
        self.published = published
        self.records = records
        self.errors = errors
        self.schema = schema
        self.discovery = discovery
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
}
