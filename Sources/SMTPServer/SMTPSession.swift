import ContentStorage
import MailTypes
import SMTPCore

/// Decides for one connection. Made by the listener's `makeSession`, called on the connection's event loop only, never
/// while an earlier answer is outstanding (`transactionReset` and `connectionClosed` excepted).
package protocol SMTPSession: AnyObject {
    /// Answer exactly once, on the same event loop, now or later. `content` comes with `.message` alone.
    func ask(_ question: ServerQuestion, content: MessageContent?, answer: @escaping (ServerAnswer) -> Void)

    /// RSET, a new EHLO, or refused content ended the transaction (also one whose MAIL was not yet followed by RCPT).
    func transactionReset()

    /// The client has seen the positive replies to the messages that it has sent so far. May come behind `connectionClosed`.
    func repliesHeard()

    /// Nothing will be asked any more; an answer that is still outstanding may be given and is thrown away.
    func connectionClosed(_ summary: ConnectionSummary)
}

/// The log's line about a closed connection.
package struct ConnectionSummary: Hashable, Sendable {
    package var client: ClientIdentity
    package var commands: Int
    package var errors: Int
    /// Final replies to messages: positive and negative.
    package var accepted: Int
    package var refused: Int
    /// `quit`, `lost after RCPT`, `timeout after DATA`, `too many errors`, `shutdown` …
    package var reason: String
    package var milliseconds: Int

    package init(
        client: ClientIdentity,
        commands: Int = 0,
        errors: Int = 0,
        accepted: Int = 0,
        refused: Int = 0,
        reason: String = "quit",
        milliseconds: Int = 0
    ) {
        self.client = client
        self.commands = commands
        self.errors = errors
        self.accepted = accepted
        self.refused = refused
        self.reason = reason
        self.milliseconds = milliseconds
    }
}
