import MailTypes

/// What a downstream server said it can do (RFC 5321 §4.1.1.1).
package struct DownstreamCapabilities: Hashable, Sendable {
    /// The largest message in octets (RFC 1870); nil when the server names no limit.
    package var size: Int?
    /// MAIL may announce the size, whether or not there is a limit.
    package var takesSize = false
    /// RFC 6152.
    package var eightBitMIME = false
    /// RFC 6531.
    package var smtpUTF8 = false
    /// RFC 2920.
    package var pipelining = false
    /// RFC 3030.
    package var chunking = false
    /// RFC 2034.
    package var enhancedStatusCodes = false
    /// RFC 3461.
    package var dsn = false
    /// RFC 3207.
    package var startTLS = false
    /// The attributes that Postfix's XCLIENT offers, in upper case; empty without it.
    package var xclient: Set<String> = []

    package init() {}

    /// Reads a positive answer to EHLO; the first line is the server's name. Unknown keywords do not count.
    package init(ehlo reply: SMTPReply) {
        for line in reply.lines.dropFirst() {
            let words = line.split(separator: " ").map { $0.uppercased() }
            switch words.first {
            case "SIZE":
                self.takesSize = true
                // "SIZE 0" says that there is no fixed limit.
                self.size = words.dropFirst().first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
            case "8BITMIME": self.eightBitMIME = true
            case "SMTPUTF8": self.smtpUTF8 = true
            case "PIPELINING": self.pipelining = true
            case "CHUNKING": self.chunking = true
            case "ENHANCEDSTATUSCODES": self.enhancedStatusCodes = true
            case "DSN": self.dsn = true
            case "STARTTLS": self.startTLS = true
            case "XCLIENT": self.xclient = Set(words.dropFirst())
            default: break
            }
        }
    }
}
