import MailTypes
import OpenSSLKit

/// The message that carries a report (RFC 7489 §7.2.1.1).
package struct DMARCReportMail: Sendable {
    package var report: DMARCReport
    /// The report's XML, compressed with gzip.
    package var compressed: [UInt8]
    package var to: MailAddress
    /// RFC 5322 §3.3
    package var date: String

    /// Characters of a line of base64 (RFC 2045 §6.8).
    private static let lineLength = 76

    package init(report: DMARCReport, compressed: [UInt8], to: MailAddress, date: String) {
        self.report = report
        self.compressed = compressed
        self.to = to
        self.date = date
    }

    /// With CRLF at the ends of lines.
    package var bytes: [UInt8] {
        let report = self.report
        let domain = Self.printable(report.published.domain)
        let fileName = report.fileName
        // Nothing in the parts can be this line: base64 has no hyphen, and the text is ours.
        let boundary = "report-\(report.begin)-\(report.records.count)"
        let text = [
            "This is an aggregate report of DMARC (RFC 7489) from \(Self.printable(report.reporter.organization)).",
            "Domain: \(domain)",
            "Messages: \(report.messageCount)",
        ]
        let lines =
            [
                "From: \(Self.printable(report.reporter.email))",
                "To: \(self.to)",
                "Subject: Report Domain: \(domain)",
                " Submitter: \(Self.printable(report.reporter.hostname))",
                " Report-ID: <\(report.id)>",
                "Date: \(self.date)",
                "Message-ID: <\(Self.messageLocalPart(report, self.to))@\(report.reporter.hostname)>",
                "Auto-Submitted: auto-generated",
                "MIME-Version: 1.0",
                "Content-Type: multipart/mixed; boundary=\"\(boundary)\"",
                "", "--\(boundary)", "Content-Type: text/plain; charset=us-ascii", "",
            ] + text + [
                "", "--\(boundary)", "Content-Type: application/gzip;", " name=\"\(fileName)\"",
                "Content-Transfer-Encoding: base64", "Content-Disposition: attachment;", " filename=\"\(fileName)\"", "",
            ]
        var bytes = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
        let encoded = Base64.encode(self.compressed)
        for start in stride(from: 0, to: encoded.count, by: Self.lineLength) {
            bytes += encoded[start..<min(start + Self.lineLength, encoded.count)]
            bytes += [0x0d, 0x0a]
        }
        bytes += "--\(boundary)--\r\n".utf8
        return bytes
    }

    /// One for each destination, and the same when it is sent again after a failure.
    private static func messageLocalPart(_ report: DMARCReport, _ to: MailAddress) -> String {
        let digest = SHA256.hash(Array("\(report.id) \(to.folded)".utf8)).prefix(8)
        let hex = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "dmarc.\(report.begin).\(hex)"
    }

    /// ASCII that can stand in a header field.
    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? $0 : "?" }))
    }
}
