import MailTypes

/// The MAIL command, understood (RFC 5321 §4.1.1.2).
package struct MailCommand: Hashable, Sendable {
    package var reversePath: ReversePath
    package var parameters: MailParameters

    package init(reversePath: ReversePath, parameters: MailParameters = MailParameters()) {
        self.reversePath = reversePath
        self.parameters = parameters
    }
}

/// What the gateway can carry for this client, told at EHLO. PIPELINING, ENHANCEDSTATUSCODES, CHUNKING and STARTTLS are
/// the server's own affair.
package struct ServerCapabilities: Hashable, Sendable {
    /// Octets (RFC 1870).
    package var size: Int
    package var eightBitMIME: Bool
    package var smtpUTF8: Bool
    package var dsn: Bool

    package init(size: Int, eightBitMIME: Bool = true, smtpUTF8: Bool = false, dsn: Bool = false) {
        self.size = size
        self.eightBitMIME = eightBitMIME
        self.smtpUTF8 = smtpUTF8
        self.dsn = dsn
    }
}

/// Facts about received content that the framing learns on the way.
package struct ContentFacts: Hashable, Sendable {
    /// Octets after dot-unstuffing, as they will leave.
    package var octets: Int
    package var has8Bit: Bool
    /// Longest line without its CRLF, octets.
    package var longestLine: Int
    package var usedBDAT: Bool
    /// Bare CR or LF stands in the text; only where the configuration tolerates that.
    package var hasBareLineEnds: Bool

    package init(
        octets: Int = 0,
        has8Bit: Bool = false,
        longestLine: Int = 0,
        usedBDAT: Bool = false,
        hasBareLineEnds: Bool = false
    ) {
        self.octets = octets
        self.has8Bit = has8Bit
        self.longestLine = longestLine
        self.usedBDAT = usedBDAT
        self.hasBareLineEnds = hasBareLineEnds
    }
}

/// What the server asks while the client waits. One question is open at a time; the client's next command is read only
/// after the answer.
package enum ServerQuestion: Hashable, Sendable {
    /// A client is there (after its PROXY header): may it be greeted? Asked again after XCLIENT, about the client that
    /// the proxy describes.
    case connected(ClientIdentity)
    /// EHLO or HELO, also after STARTTLS and XCLIENT; all earlier state of the session is void.
    case hello(ClientIdentity)
    case mail(MailCommand)
    /// RCPT commands that arrived together, in order; as many replies are wanted.
    case recipients([Recipient])
    /// DATA or the first BDAT, before any content is taken.
    case data
    /// The whole message is here; the answer is the final reply. Content was handed over with it.
    case message(ContentFacts)
}

package enum ServerAnswer: Hashable, Sendable {
    /// To `.connected` and `.data`.
    case proceed
    /// To `.hello`.
    case capabilities(ServerCapabilities)
    /// To `.mail` and `.message` (one), `.recipients` (as many as were asked for). One negative reply to `.hello` or
    /// `.data` refuses the command; the transaction is over then.
    case replies([SMTPReply])
    /// To any question: say this and close the connection (421, 554 at connect).
    case close(SMTPReply)
}

/// Bounds of one session. Defaults are those of the design.
package struct SessionLimits: Hashable, Sendable {
    /// Octets of a command line with its CRLF: 512 (RFC 5321 §4.5.3.1.4) and room for the extensions' parameters.
    package var commandLine = 2_048
    /// Octets of a text line that are still passed on unchanged; longer is refused (RFC 5321 §4.5.3.1.6 asks for 1,000).
    package var textLine = 65_536
    /// Recipients of one transaction; the next gets 452 (RFC 5321 §4.5.3.1.8 asks for at least 100).
    package var recipients = 1_000
    /// Errors (5xx to commands and messages) since the last accepted message before 421.
    package var errors = 10
    /// Commands that carry no mail forward (NOOP, RSET, EHLO, refused ones …) in a session before 421. MAIL, RCPT and
    /// content do not count: a kept connection may bring any number of messages.
    package var commands = 1_000
    /// Received fields that say a message goes in circles (RFC 5321 §6.3).
    package var receivedFields = 100
    /// Seconds until the next whole command (RFC 5321 §4.5.3.2.7).
    package var idleSeconds = 300
    /// Seconds without a byte while content arrives.
    package var dataSeconds = 600
    /// Octets a second that content must come with once `dataSeconds` are over; 0 for no limit. A satellite telephone has 300.
    package var dataRate = 100
    /// Seconds for a TLS handshake or a PROXY header.
    package var handshakeSeconds = 30
    /// Milliseconds that the greeting is held back to see who talks first; 0 switches that off.
    package var greetingDelayMilliseconds = 0

    package init() {}
}

/// What is done with a bare CR or LF inside message text.
package enum BareLineEnds: String, Hashable, Sendable, CaseIterable {
    case refuse
    /// Part of the text; such a line never ends the data, here or downstream.
    case accept
}
