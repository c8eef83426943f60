import MailPolicy
import MailStore
import MailTypes
import SMTPCore

/// What was found about a message and what policy made of it.
package struct Judgement: Sendable {
    package var findings: Findings
    package var decision: PolicyDecision
    package var reports: [CheckReport]
    /// SHA-256 of the message as it came; empty when it could not be read.
    package var contentHash: [UInt8]
    package var subject: String
    package var headerFrom: String
    package var microseconds: Int
    /// Fields about the sender that go before the message, each ended by CRLF.
    package var senderFields: [UInt8] = []
    /// Fields in the message that claim to be ours; they do not go on.
    package var forgedFields: [Range<Int>] = []
    /// Rules that were left out because an administrator released this message.
    package var skippedRules: Set<String> = []
    /// What the greylist said; nil where it was not asked.
    package private(set) var greylist: GreylistVerdict?
    private let decider: PolicyDecider
    /// The entry of the lists that fits the sender.
    package private(set) var listed: ListMatch?
    /// By what the greylist knows the message; nil where it is not asked.
    let greylistKey: GreylistKey?

    /// The sender is on the allow list.
    var isAllowed: Bool { self.listed?.entry.action == .allow }

    init(
        local: LocalExamination.Outcome,
        scan: ScanFindings,
        sender: Result<SenderExamination, CheckError>?,
        reputation: ReputationFindings? = nil,
        policy: Policy,
        snapshot: GatewaySnapshot,
        envelope: Envelope,
        lists: SenderGate,
        microseconds: Int
    ) {
        var fromAddresses: [MailAddress] = []
        var bodyHash: [UInt8] = []
        switch local {
        case .success(let examination):
            self.findings = Findings(checks: examination.checks, rules: examination.rules, scan: scan)
            self.reports = examination.reports
            self.contentHash = examination.key.contentHash
            self.subject = examination.subject
            self.headerFrom = examination.headerFrom
            self.forgedFields = examination.forgedFields
            fromAddresses = examination.fromAddresses
            bodyHash = examination.bodyHash
        case .failure(let failure):
            self.findings = Findings(rules: RuleFindings(failure: failure), scan: scan)
            self.reports = [CheckReport(check: "parse", result: failure.words, microseconds: microseconds)]
            self.contentHash = []
            self.subject = ""
            self.headerFrom = ""
        }
        self.microseconds = microseconds
        switch sender {
        case nil: break
        case .failure(let error):
            self.findings.authenticationFailure = error.failure
            self.reports.append(CheckReport(check: "authentication", result: "not completed", microseconds: microseconds))
        case .success(let sender):
            self.findings.authentication = sender.findings
            self.senderFields = sender.fields
            self.reports.append(
                CheckReport(
                    check: "authentication",
                    result: sender.findings.summary,
                    microseconds: sender.findings.microseconds
                )
            )
        }
        if let reputation {
            self.findings.reputation = reputation
            self.reports.append(
                CheckReport(check: "reputation", result: reputation.summary, microseconds: reputation.microseconds)
            )
        }
        let facts = SenderFacts(
            client: envelope.client.address,
            helo: envelope.client.helo,
            reversePath: envelope.reversePath,
            headerFrom: fromAddresses,
            headerFromText: self.headerFrom,
            authentication: self.findings.authentication
        )
        self.listed = lists.match(
            facts,
            recipients: envelope.recipients.map(\.forwardPath),
            now: Int64(TransactionClock.milliseconds())
        )
        self.greylistKey = bodyHash.isEmpty ? nil : GreylistKey(facts, content: bodyHash)
        self.decider = PolicyDecider(policy: policy, virusOnFailure: snapshot.configuration.antivirus.onFailure)
        self.decision = self.decider.decide(findings: self.findings, match: self.listed)
        if scan.status != .off {
            self.reports.append(CheckReport(check: "virus", result: scan.status.word, microseconds: scan.microseconds))
        }
    }

    /// The same findings, without what was released, decided again. The virus scan still counts.
    func skipping(_ rules: Set<String>) -> Judgement {
        var result = self
        result.skippedRules = rules
        result.findings.checks.hits.removeAll { rules.contains($0.rule) }
        result.findings.rules.hits.removeAll { rules.contains($0.rule) }
        result.findings.reputation?.hits.removeAll { rules.contains($0.rule) }
        result.decision = self.decider.decide(findings: result.findings, match: self.listed)
        return result
    }

    /// The greylist's key, if the message is doubtful.
    func doubt(_ settings: GreylistSettings) -> GreylistKey? {
        let allowed = self.listed?.entry.action == .allow ? self.listed : nil
        return self.decider.isDoubtful(self.decision, allowed: allowed, greylist: settings) ? self.greylistKey : nil
    }

    /// Decided again with what the greylist says.
    func visited(_ verdict: GreylistVerdict) -> Judgement {
        var result = self
        result.greylist = verdict
        result.decision = self.decider.decide(self.decision, greylist: verdict)
        return result
    }
}

/// A check that did not come to its end.
struct CheckError: Error {
    var failure: CheckFailure
}

extension ScanFindings.Status {
    /// One word for reports and the log.
    package var word: String {
        switch self {
        case .clean: "clean"
        case .found(let signatures): signatures.first ?? "found"
        case .notScanned(.timedOut): "timed out"
        case .notScanned(.overloaded): "too busy"
        case .notScanned(.failed): "not scanned"
        case .off: "off"
        }
    }
}

extension CheckFailure {
    /// For reports.
    fileprivate var words: String {
        switch self {
        case .timedOut: "timed out"
        case .overloaded: "too busy"
        case .failed(let reason): reason
        }
    }
}

extension Judgement {
    /// The facts that the quarantine keeps.
    func quarantineRecord(
        kind: QuarantineRecord.Kind,
        id: TransactionID,
        envelope: Envelope,
        route: String,
        octets: Int,
        facts: ContentFacts,
        received: Int
    ) -> QuarantineRecord {
        QuarantineRecord(
            id: id,
            kind: kind,
            received: Int64(received),
            envelope: envelope,
            route: route,
            policy: self.decision.policy,
            reason: self.decision.reason,
            score: self.decision.score,
            hits: self.findings.hits,
            scan: self.findings.scan,
            heldBy: self.findings.hits.filter { $0.action != nil }.map(\.rule),
            contentHash: self.contentHash,
            octets: octets,
            subject: self.subject,
            headerFrom: self.headerFrom,
            has8Bit: facts.has8Bit,
            unchecked: self.decision.unchecked
        )
    }
}
