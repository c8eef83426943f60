import ContentStorage
import DeflateKit
import Logging
import MailStore
import MailTypes
import NIOCore
import NIOPosix
import SMTPClient
import SMTPCore
import SenderAuth

/// Makes reports of what was counted, and sends them. Works beside a running gateway, and without one.
package final class DMARCReporting: Sendable {
    /// What became of a report for one of its destinations.
    package struct Delivery: Hashable, Sendable {
        package enum State: String, Hashable, Sendable {
            case sent
            /// In an earlier run, or another process is at it.
            case done
            /// It may have arrived, and is not sent again.
            case uncertain
            /// The next run tries again.
            case failed
            /// It is not to be sent there: nobody wants it, or it is too large.
            case refused
        }

        package var destination: String
        package var state: State
        package var detail: String
    }

    package struct Problem: Error, CustomStringConvertible {
        package let description: String
    }

    private static let secondsOfDay = 86_400
    /// After the end of a day its last messages may still wait for the disk (`DMARCCounter.interval`), and some are being received.
    private static let delay: Int64 = 600_000

    private let settings: GatewayConfiguration.DMARCReports
    private let hostname: String
    private let route: DownstreamRoute
    private let store: DMARCStore
    private let resolver: any DNSResolver
    private let publicSuffixes: PublicSuffixList
    private let signer: DKIMSigner?
    private let discovery: DMARCReport.Discovery
    private let budget: Duration
    private let logger: Logger

    /// - Throws: `Problem` when the configuration says too little.
    package init(
        configuration: GatewayConfiguration,
        store: DMARCStore,
        sender: SenderResources,
        logger: Logger = Logger(label: "outpost") { _ in SwiftLogNoOpLogHandler() }
    ) throws {
        let settings = configuration.dmarcReports
        guard settings.email != nil, !settings.organization.isEmpty else {
            throw Problem(description: "dmarc_reports: set organization and email: a report says who made it")
        }
        guard let resolver = sender.resolver else {
            throw Problem(description: "authentication.enabled is false: the DNS cannot be asked who wants reports")
        }
        guard let first = configuration.domains.first?.route else { throw Problem(description: "there is no downstream") }
        var route = first
        if !settings.relay.isEmpty {
            route = GatewayConfiguration.Route(hosts: settings.relay)
            route.tls = settings.relayTLS
        }
        route.sendsXCLIENT = false
        self.settings = settings
        self.hostname = configuration.hostname
        self.route = DownstreamRoute(route, heloName: configuration.hostname)
        self.store = store
        self.resolver = resolver
        self.publicSuffixes = sender.publicSuffixes
        self.signer = settings.signing.flatMap { identity in
            sender.reportKey.map { DKIMSigner(domain: identity.domain, selector: identity.selector, key: $0) }
        }
        self.discovery = configuration.authentication.usesTreeWalk ? .treeWalk : .publicSuffixes
        self.budget = .seconds(configuration.authentication.budgetSeconds)
        self.logger = logger
    }

    /// Whether a day is over and all of it is counted.
    /// - Parameter now: milliseconds since 1970.
    package static func isComplete(day: String, now: Int64) -> Bool { day < RuleHitCount.day(now - self.delay) }

    // MARK: - Making

    /// - Parameter begin: of the day, in seconds since 1970.
    package func report(of day: DMARCDomainDay, begin: Int) async throws -> DMARCReport {
        let rows = try await self.store.rows(day: day.day, domain: day.published.domain)
        return DMARCReport(
            reporter: DMARCReport.Reporter(
                organization: self.settings.organization,
                email: self.settings.email?.text ?? "",
                contact: self.settings.contact,
                hostname: self.hostname
            ),
            begin: begin,
            end: begin + Self.secondsOfDay - 1,
            published: day.published,
            records: rows.map { DMARCReport.Record(row: $0.row, count: $0.count) },
            errors: day.dropped > 0 ? ["\(day.dropped) messages are not in this report: they were too various"] : [],
            schema: self.settings.schema,
            discovery: self.discovery
        )
    }

    /// The report as a file: XML, compressed.
    package static func file(_ report: DMARCReport) throws -> [UInt8] {
        guard let compressed = Deflation.gzip(report.xml) else { throw Problem(description: "no memory to compress a report") }
        return compressed
    }

    // MARK: - Sending

    /// Sends a report to all that are to get it and have not got it yet.
    /// - Returns: one for each destination; nil in `relayIsAway` says that others need not be tried now.
    package func send(_ report: DMARCReport, day: String) async throws -> (deliveries: [Delivery], relayIsAway: Bool) {
        let compressed = try Self.file(report)
        let domain = report.published.domain
        var deliveries: [Delivery] = []
        var isAway = false
        for uri in report.published.destinations {
            guard let destination = DMARCReportDestination(uri) else {
                deliveries.append(Delivery(destination: uri, state: .refused, detail: "reports go to mailto: addresses only"))
                continue
            }
            let key = destination.address.folded
            guard try await self.store.claim(day: day, domain: domain, destination: key, now: TimeText.now()) else {
                deliveries.append(Delivery(destination: key, state: .done, detail: "sent before"))
                continue
            }
            var delivery = Delivery(destination: key, state: .failed, detail: "the relay is away")
            if !isAway {
                (delivery, isAway) = await self.send(report, compressed, to: destination)
            }
            let state: DMARCDelivery.State =
                switch delivery.state {
                case .sent, .done: .sent
                case .uncertain: .uncertain
                // What is refused today may be wanted tomorrow.
                case .failed, .refused: .failed
                }
            try await self.store.finish(
                day: day,
                domain: domain,
                destination: key,
                state,
                detail: delivery.detail,
                now: TimeText.now()
            )
            deliveries.append(delivery)
        }
        return (deliveries, isAway)
    }

    private func send(
        _ report: DMARCReport,
        _ compressed: [UInt8],
        to destination: DMARCReportDestination
    ) async -> (Delivery, relayIsAway: Bool) {
        func delivery(_ state: Delivery.State, _ detail: String) -> Delivery {
            Delivery(destination: destination.address.folded, state: state, detail: detail)
        }
        let resolver = BoundedResolver(self.resolver, deadline: .now + self.budget)
        let permission = DMARCReportPermission(resolver: resolver, publicSuffixes: self.publicSuffixes)
        let granted: DMARCReportDestination
        switch await permission.ask(destination, policyDomain: report.published.domain) {
        case .granted(let target): granted = target
        case .refused(let reason): return (delivery(.refused, reason), false)
        case .unanswered(let reason): return (delivery(.failed, reason), false)
        }
        var mail = DMARCReportMail(
            report: report,
            compressed: compressed,
            to: granted.address,
            date: MessageDate.text(secondsSince1970: TransactionClock.seconds())
        ).bytes
        if let signer = self.signer {
            guard let signature = signer.signature(of: mail, time: TransactionClock.seconds()) else {
                return (delivery(.failed, "the report could not be signed"), false)
            }
            mail = signature + mail
        }
        // The whole message counts: whatever the owner meant by the report's size, this is not below it.
        if let limit = [destination.limit, granted.limit].compactMap({ $0 }).min(), mail.count > limit {
            return (delivery(.refused, "the report has \(mail.count) octets, and \(limit) are taken"), false)
        }
        let result = await self.transmit(mail, to: granted.address)
        switch result.outcome {
        case nil:
            let reply = result.recipients.first.map { "\($0)" } ?? "no reply"
            // A relay that is away answers so for each.
            return (delivery(.failed, reply), result.recipients.first?.isPermanentFailure == false)
        case .accepted(let reply): return (delivery(.sent, "\(reply)"), false)
        case .refused(let reply): return (delivery(.failed, "\(reply)"), false)
        case .away(let reason), .internalError(let reason): return (delivery(.failed, reason), true)
        case .unknown(let reason): return (delivery(.uncertain, reason), false)
        }
    }

    private func transmit(_ mail: [UInt8], to address: MailAddress) async -> DeliveryResult {
        let sender = self.settings.sender ?? self.settings.email
        let envelope = Envelope(
            origin: .stated,
            client: ClientIdentity(address: .loopback4),
            reversePath: sender.map { .mailbox($0) } ?? .null,
            recipients: [Recipient(address)]
        )
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result = await SMTPDelivery.send(
            envelope: envelope,
            content: .memory(mail),
            facts: ContentFacts(octets: mail.count, has8Bit: false),
            route: self.route,
            on: group,
            logger: self.logger
        )
        try? await group.shutdownGracefully()
        return result
    }
}
