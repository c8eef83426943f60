import MailTypes
import SenderAuth

/// Asks who really sends, as the configuration wants it.
struct SenderAuthentication: Sendable {
    /// The envelope's part, under way since MAIL: answers come while the message is still being received.
    typealias EnvelopeQuestion = Task<(mailFrom: SPFFinding?, helo: SPFFinding?), Never>

    private let resolver: any DNSResolver
    private let hostname: String
    private let budget: Duration
    private let discovery: DMARCChecker<BoundedResolver>.Discovery
    /// Hosts of our own.
    private let trusted: [IPNetwork]
    private let recipients: RecipientTable

    init(
        resolver: any DNSResolver,
        configuration: GatewayConfiguration,
        recipients: RecipientTable,
        publicSuffixes: PublicSuffixList
    ) {
        self.resolver = resolver
        self.hostname = configuration.hostname
        self.budget = .seconds(configuration.authentication.budgetSeconds)
        self.discovery = configuration.authentication.usesTreeWalk ? .treeWalk : .publicSuffixes(publicSuffixes)
        self.trusted = configuration.lists.trusted
        self.recipients = recipients
    }

    private var authenticator: SenderAuthenticator<BoundedResolver> {
        SenderAuthenticator(
            resolver: BoundedResolver(self.resolver, deadline: .now + self.budget),
            hostname: self.hostname,
            discovery: self.discovery
        )
    }

    /// - Parameter client: nil when it is not known where the message came from.
    func begin(client: ClientIdentity?, reversePath: ReversePath) -> EnvelopeQuestion {
        let address = client.flatMap { self.isExempt($0, reversePath) ? nil : $0.address }
        let authenticator = self.authenticator
        let time = TransactionClock.seconds()
        return Task {
            await authenticator.examineEnvelope(
                client: address,
                helo: client?.helo ?? "",
                sender: reversePath.description,
                time: time
            )
        }
    }

    /// A trusted host passes on what others have sent, and no domain names it as its sender. What comes from this host itself
    /// was not passed on, so there only our own domains need no proof.
    private func isExempt(_ client: ClientIdentity, _ reversePath: ReversePath) -> Bool {
        guard self.trusted.contains(where: { $0.contains(client.address) }) else { return false }
        guard client.address.isLoopback else { return true }
        let domain = reversePath.address?.domain ?? client.helo ?? ""
        return self.recipients.isOurs(domain)
    }

    func examine(
        _ message: SignedMessage,
        envelope: Envelope,
        question: EnvelopeQuestion,
        contentHash: [UInt8],
        sealer: ARCSealer?
    ) async -> SenderExamination {
        let watch = Stopwatch()
        var findings = await self.authenticator.examine(
            message,
            envelope: await question.value,
            time: TransactionClock.seconds()
        )
        findings.sample = contentHash.prefix(4).reduce(0) { $0 << 8 | Int($1) } % 100
        let results = AuthenticationResults.value(findings, hostname: self.hostname, envelope: envelope)
        var fields = Array("Authentication-Results: \(results)\r\n".utf8)
        let seal = sealer?.seal(message, chain: findings.arc, results: results, time: TransactionClock.seconds())
        if let seal { fields = seal + fields }
        findings.microseconds = watch.microseconds
        return SenderExamination(findings: findings, fields: fields)
    }
}

/// Gives up asking when a message's time for it is over: what is left unasked counts as not answered. One type for all
/// resolvers, because the checks are generic.
struct BoundedResolver: DNSResolver {
    private let resolver: any DNSResolver
    private let deadline: ContinuousClock.Instant

    init(_ resolver: any DNSResolver, deadline: ContinuousClock.Instant) {
        self.resolver = resolver
        self.deadline = deadline
    }

    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse {
        guard self.deadline > .now else { return DNSResponse(.failure(.timeout)) }
        return await self.resolver.resolve(name, type)
    }
}

/// What is known of a message's sender, and what the message is to be told of it when it goes on.
struct SenderExamination: Sendable {
    var findings: AuthenticationFindings
    /// `Authentication-Results: …` and, where we seal, the fields of ARC; each ended by CRLF.
    var fields: [UInt8]
}
