import ContentStorage
import MailChecks
import MailMessage
import MailPolicy
import MailRules
import MailTypes
import SMTPCore

/// Judges messages with one rule set on the calling thread: rules, message checks, lists and policy, without a virus scan.
///
/// For comparing rule sets: what they leave alone is the same for both.
package final class RuleJudge: Sendable {
    private let snapshot: GatewaySnapshot
    private let decider: PolicyDecider

    package init(snapshot: GatewaySnapshot, policy: String) {
        self.snapshot = snapshot
        self.decider = PolicyDecider(policy: snapshot.policy(named: policy), virusOnFailure: .accept)
    }

    /// - Parameters:
    ///   - bytes: with CRLF as line end.
    ///   - envelope: nil for one made of the message itself: its Return-Path, else From; a client at a documentation address.
    package func judge(_ bytes: [UInt8], envelope: Envelope? = nil) -> DispositionChange.Verdict {
        let message = ParsedMessage(bytes, limits: self.snapshot.parserLimits)
        let envelope = envelope ?? Self.envelope(of: message)
        let subject = InspectionSubject(
            envelope: envelope,
            content: .memory(bytes),
            facts: ContentFacts(octets: bytes.count, has8Bit: !bytes.isASCII),
            policy: self.decider.policy
        )
        let findings = Findings(
            checks: self.snapshot.checks.run(message, subject),
            rules: self.snapshot.evaluateRules(message, envelope: envelope),
            scan: ScanFindings(status: .off)
        )
        let facts = SenderFacts(
            client: envelope.client.address,
            helo: envelope.client.helo,
            reversePath: envelope.reversePath,
            headerFrom: SenderCheck.headerFrom(message)
        )
        let listed = SenderGate([self.snapshot.senders])
            .match(facts, recipients: envelope.recipients.map(\.forwardPath), now: Int64(TransactionClock.milliseconds()))
        let decision = self.decider.decide(findings: findings, match: listed)
        return DispositionChange.Verdict(disposition: decision.disposition, score: decision.score, hits: findings.hits)
    }

    private static func envelope(of message: ParsedMessage) -> Envelope {
        Envelope(
            client: ClientIdentity(address: IPAddress(v4: 0xc000_0201)),
            reversePath: OfflineJudge.reversePath(nil, message)
        )
    }
}
