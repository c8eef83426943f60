import MailTypes

/// Finds out who really sent a message: SPF, DKIM, ARC and DMARC together.
package struct SenderAuthenticator<Resolver: DNSResolver>: Sendable {
    private let resolver: Resolver
    private let hostname: String
    private let discovery: DMARCChecker<Resolver>.Discovery

    /// - Parameter hostname: ours, for `%{r}` in the explanations of SPF.
    package init(resolver: Resolver, hostname: String, discovery: DMARCChecker<Resolver>.Discovery) {
        self.resolver = resolver
        self.hostname = hostname
        self.discovery = discovery
    }

    /// What the envelope alone tells; to be started before the message is there.
    /// - Parameters:
    ///   - client: nil when there was no connection.
    ///   - sender: the reverse path as text, empty for the null path.
    ///   - time: seconds since 1970.
    package func examineEnvelope(
        client: IPAddress?,
        helo: String,
        sender: String,
        time: Int
    ) async -> (mailFrom: SPFFinding?, helo: SPFFinding?) {
        guard let client else { return (nil, nil) }
        let checker = SPFChecker(resolver: self.resolver, receiver: self.hostname, time: time)
        async let heloFinding = checker.checkHELO(helo, client: client)
        let mailFrom = await checker.checkMailFrom(sender, helo: helo, client: client)
        return (mailFrom, await heloFinding)
    }

    /// - Parameter envelope: what `examineEnvelope` found.
    package func examine(
        _ message: SignedMessage,
        envelope: (mailFrom: SPFFinding?, helo: SPFFinding?),
        time: Int
    ) async -> AuthenticationFindings {
        let validator = ARCValidator(resolver: self.resolver)
        guard !message.fields(named: "arc-seal").isEmpty else {
            // Most messages have no seal: there is nothing to wait for, and a task of its own costs more than to see that.
            var findings = await self.examineSignatures(message, envelope: envelope, time: time)
            findings.arc = await validator.validate(message)
            return findings
        }
        async let arc = validator.validate(message)
        var findings = await self.examineSignatures(message, envelope: envelope, time: time)
        findings.arc = await arc
        return findings
    }

    /// DKIM and DMARC.
    private func examineSignatures(
        _ message: SignedMessage,
        envelope: (mailFrom: SPFFinding?, helo: SPFFinding?),
        time: Int
    ) async -> AuthenticationFindings {
        let dkim = await DKIMVerifier(resolver: self.resolver, time: time).verify(message)
        var findings = AuthenticationFindings(mailFrom: envelope.mailFrom, helo: envelope.helo, dkim: dkim)
        findings.dmarc = await DMARCChecker(resolver: self.resolver, discovery: self.discovery)
            .check(from: message.fromDomains, spf: envelope.mailFrom, dkim: dkim)
        return findings
    }
}
