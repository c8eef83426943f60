import MailChecks
import MailMessage
import MailPolicy
import MailTypes
import SMTPCore

/// The checks that are compiled in, as this configuration wants them.
struct MessageChecks: Sendable {
    private let size = SizeCheck()
    private let structure = StructureCheck()
    private let archives = ArchiveCheck()
    let sender: SenderCheck
    /// Symbols that another check counts.
    var countedElsewhere: Set<String> = []

    init(_ configuration: GatewayConfiguration, recipients: RecipientTable) {
        self.sender = SenderCheck(
            SenderCheck.Context(
                hostname: configuration.hostname,
                trusted: configuration.lists.trusted,
                receivedFields: configuration.limits.session.receivedFields,
                isOwnDomain: { recipients.isOurs($0) }
            )
        )
    }

    func run(_ message: ParsedMessage, _ subject: InspectionSubject) -> CheckFindings {
        var findings = CheckFindings()
        let facts = subject.facts
        let checks: [() -> CheckFindings] = [
            {
                self.size.run(
                    message,
                    maximumSize: subject.policy.maxMessageSize,
                    longestLine: facts.longestLine,
                    hasBareLineEnds: facts.hasBareLineEnds
                )
            },
            { self.structure.run(message) },
            { self.archives.run(message, limits: subject.policy.archives) },
            { self.sender.run(message, envelope: subject.envelope) },
        ]
        for check in checks {
            // Checks have no clock of their own.
            let watch = Stopwatch()
            var found = check()
            for index in found.reports.indices { found.reports[index].microseconds = watch.microseconds }
            findings.hits += found.hits.filter { !self.countedElsewhere.contains($0.rule) }
            findings.reports += found.reports
        }
        return findings
    }
}
