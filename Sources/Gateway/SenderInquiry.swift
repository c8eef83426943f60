import MailChecks
import MailMessage
import MailPolicy
import MailRules
import MailTypes
import SenderAuth

/// Finds out about a sender what the lists go by, without a session.
package struct SenderInquiry: Sendable {
    private let snapshot: GatewaySnapshot

    package init(snapshot: GatewaySnapshot) {
        self.snapshot = snapshot
    }

    /// - Parameter message: as it is on the wire; nil: only the envelope is known.
    package func facts(client: ClientIdentity, reversePath: ReversePath, message bytes: [UInt8]?) async -> SenderFacts {
        var facts = SenderFacts(client: client.address, helo: client.helo, reversePath: reversePath)
        let question = self.snapshot.authentication?.begin(client: client, reversePath: reversePath)
        facts.spf = await question?.value.mailFrom
        guard let bytes else { return facts }
        let message = ParsedMessage(withNetworkLineEnds(bytes), limits: self.snapshot.parserLimits)
        facts.headerFrom = SenderCheck.headerFrom(message)
        if let field = message.fields(named: "From").first {
            facts.headerFromText = String(decoding: message.decodedValue(of: field), as: UTF8.self)
        }
        if let authentication = self.snapshot.authentication, let question {
            let envelope = Envelope(origin: .session(receiver: ""), client: client, reversePath: reversePath)
            facts.authentication =
                await authentication.examine(
                    SignedMessage(message),
                    envelope: envelope,
                    question: question,
                    contentHash: [],
                    sealer: nil
                ).findings
        }
        return facts
    }

    /// The lists of the configuration with those that are given.
    package func gate(stored: [ListEntry]) -> SenderGate {
        SenderGate([self.snapshot.senders, SenderLists(stored)])
    }

    /// When the gateway would say so to a client: `connect`, `MAIL`, `RCPT`, or `end of data`.
    package func stage(of match: ListMatch, facts: SenderFacts, recipient: MailAddress?, gate: SenderGate, now: Int64) -> String {
        var early = SenderFacts(client: facts.client, helo: facts.helo, reversePath: facts.reversePath)
        if gate.atConnect(client: facts.client, now: now)?.entry == match.entry { return "connect" }
        if gate.atMail(early, now: now)?.entry == match.entry { return "MAIL" }
        early.spf = facts.spf
        if let recipient, gate.atRecipient(early, recipient: recipient, now: now)?.entry == match.entry { return "RCPT" }
        return "end of data"
    }
}
