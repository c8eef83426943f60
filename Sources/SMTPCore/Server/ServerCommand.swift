import MailTypes

/// A command of a client, understood (RFC 5321 §4.1.1 and the extensions the server knows).
package enum ServerCommand: Hashable, Sendable {
    case hello(domain: String, isExtended: Bool)
    case mail(MailCommand)
    case recipient(Recipient)
    case data
    /// BDAT (RFC 3030 §2).
    case chunk(octets: Int, isLast: Bool)
    case reset
    case noop
    case verify
    case help
    case quit
    case startTLS
    case clientFacts(XClientFacts)
}

/// The word a command line starts with.
package enum ServerVerb: String, Hashable, Sendable {
    case helo = "HELO"
    case ehlo = "EHLO"
    case mail = "MAIL"
    case recipient = "RCPT"
    case data = "DATA"
    case chunk = "BDAT"
    case reset = "RSET"
    case noop = "NOOP"
    case verify = "VRFY"
    case help = "HELP"
    case quit = "QUIT"
    case startTLS = "STARTTLS"
    case xclient = "XCLIENT"
    /// Commands of RFC 5321 and of other extensions that the server does not carry out: 502, not 500.
    case expand = "EXPN"
    case authenticate = "AUTH"
    case turn = "TURN"
    case extendedTurn = "ETRN"
    case send = "SEND"
    case sendOrMail = "SOML"
    case sendAndMail = "SAML"
}

/// Why a command line is refused. `ServerReplies` has the words for each.
package enum CommandSyntaxError: Error, Hashable, Sendable {
    /// NUL, a bare CR or LF, another control character, or octets that are not UTF-8 stand in the line.
    case malformedLine
    case unknownCommand
    case notImplemented
    case missingArgument
    case unexpectedArgument
    case badGreetingName
    case badSender
    case badRecipient
    /// An address beyond ASCII in a transaction without SMTPUTF8 (RFC 6531 §3.5).
    case internationalAddress
    case unknownParameter
    case badParameter
    /// BDAT whose size is known and the rest is not: its octets still follow.
    case badChunk(octets: Int)
    /// BDAT without a size that can be read: nobody knows where the next command starts.
    case unreadableChunk
}

/// Which parameters of MAIL and RCPT the client was offered; the others are refused (RFC 5321 §4.1.1.11).
package struct OfferedParameters: Hashable, Sendable {
    package var size = false
    package var body = false
    package var smtpUTF8 = false
    package var dsn = false

    package init() {}

    package init(_ capabilities: ServerCapabilities) {
        self.size = true
        self.body = capabilities.eightBitMIME
        self.smtpUTF8 = capabilities.smtpUTF8
        self.dsn = capabilities.dsn
    }
}
