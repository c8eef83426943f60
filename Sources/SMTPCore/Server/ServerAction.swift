import MailTypes
import NIOCore

/// What the connection is to do, in this order.
package enum ServerAction: Equatable, Sendable {
    /// Send it. Replies may be collected until there is no action left.
    case reply(SMTPReply)
    /// Ask the session; give the answer to `answered`.
    case ask(ServerQuestion)
    /// Octets of the message in hand, never empty.
    case content(ByteBuffer)
    /// The content collected so far is of no use.
    case discardContent
    /// Tell the session that its transaction is over.
    case transactionReset
    /// Tell the session that the client has seen the positive replies to its messages.
    case repliesHeard
    /// Wait that long, then call `greetingDelayElapsed`; octets that come before are an early talker's.
    case holdGreeting(milliseconds: Int)
    /// Send the reply in plain text, then put TLS below; the outcome is given to `tlsEstablished` or `tlsFailed`.
    case startTLS(SMTPReply)
    /// Send the reply if there is one and close. The last action of all.
    case close(SMTPReply?)
}

/// What a session waits for: which clock runs.
package enum ServerWait: Hashable, Sendable {
    case command
    case content
    /// A PROXY header or a TLS handshake.
    case handshake
    /// The end of the greeting's delay.
    case greeting
    /// An answer to the open question; the session's own budget bounds it.
    case answer
    case nothing
}

/// What a session did, for the log.
package struct ServerCounts: Hashable, Sendable {
    package var commands = 0
    package var errors = 0
    package var accepted = 0
    package var refused = 0

    package init() {}
}
