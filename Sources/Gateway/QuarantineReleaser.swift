import ContentStorage
import Foundation
import Logging
import MailMessage
import MailPolicy
import MailStore
import MailTypes
import NIOCore
import NIOPosix
import SMTPClient
import SMTPCore
import SenderAuth
import SystemKit
import VirusScan

/// Sends held messages on: virus scan once more, then through the gateway's own client to the route of their recipients.
/// Works beside a running gateway, and without one.
package final class QuarantineReleaser: Sendable {
    private let snapshot: GatewaySnapshot
    private let logger: Logger

    package init(snapshot: GatewaySnapshot, logger: Logger = Logger(label: "outpost") { _ in SwiftLogNoOpLogHandler() }) {
        self.snapshot = snapshot
        self.logger = logger
    }

    package func release(_ record: QuarantineRecord, _ content: MessageContent) async -> ReleaseOutcome {
        guard let recipient = record.envelope.recipients.first?.forwardPath else { return .refused("it has no recipient") }
        guard let group = self.snapshot.recipients.group(for: recipient) else {
            return .refused("no domain of the configuration takes mail for <\(recipient)>")
        }
        let other = record.envelope.recipients.map(\.forwardPath).first {
            self.snapshot.recipients.group(for: $0)?.route != group.route
        }
        if let other { return .refused("<\(other)> is on another route than <\(recipient)>; release to one of them with --to") }
        do {
            if let problem = try await self.virusProblem(record, content, policy: group.policy) { return problem }
        } catch {
            return .failed("the virus scan cannot be started: \(error)")
        }
        return await self.deliver(record, content, route: group.route)
    }

    /// What the scan holds against the release; nil when nothing. A signature that held the message and that the
    /// administrator has seen does not stop it; any other does.
    private func virusProblem(_ record: QuarantineRecord, _ content: MessageContent, policy name: String) async throws
        -> ReleaseOutcome?
    {
        let antivirus = self.snapshot.configuration.antivirus
        guard antivirus.engine != .none else { return nil }
        let runDirectory = NSTemporaryDirectory() + "outpost-release-\(CurrentProcess.id)"
        defer { Directory.removeTree(runDirectory) }
        let slot = try ScannerSlot(self.snapshot.configuration, runDirectory: runDirectory, logger: self.logger)
        try await slot.start()
        let message = ParsedMessage(try content.bytes(), limits: self.snapshot.parserLimits)
        let subject = ScanSubject(content, message)
        let findings = await slot.scan(subject, budget: .seconds(antivirus.budgetSeconds))
        await slot.stop()
        switch findings.status {
        case .clean, .off:
            return nil
        case .notScanned where antivirus.onFailure == .accept:
            return nil
        case .notScanned(.timedOut):
            return .failed("the virus scan was not done in time")
        case .notScanned(.overloaded):
            return .failed("too many virus scans wait")
        case .notScanned(.failed(let reason)):
            return .failed("the virus scan failed: \(reason)")
        case .found(let signatures):
            let decider = PolicyDecider(policy: self.snapshot.policy(named: name))
            let fresh = signatures.filter { decider.action(forSignature: $0) == .reject && !record.signatures.contains($0) }
            return fresh.isEmpty ? nil : .refused("it contains the virus \(fresh.joined(separator: ", "))")
        }
    }

    private func deliver(_ record: QuarantineRecord, _ content: MessageContent, route: GatewayConfiguration.Route) async
        -> ReleaseOutcome
    {
        let fields = TraceFields(
            hostname: self.snapshot.configuration.hostname,
            id: record.id,
            envelope: record.envelope,
            time: TransactionClock.seconds()
        )
        let decision = PolicyDecision(
            disposition: .deliver,
            policy: record.policy,
            reason: "released",
            score: record.score,
            unchecked: record.unchecked
        )
        let forged: [Range<Int>]
        do {
            let message = ParsedMessage(try content.bytes(), limits: self.snapshot.parserLimits)
            forged = AuthenticationResults.forged(in: message, hostname: self.snapshot.configuration.hostname)
        } catch {
            return .failed("the message cannot be read: \(error)")
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result = await SMTPDelivery.send(
            envelope: record.envelope,
            header: fields.prefix(for: decision, hits: [], tagScore: nil),
            content: content,
            omitting: forged,
            facts: ContentFacts(octets: content.octets, has8Bit: record.has8Bit),
            route: self.snapshot.downstreamRoute(route),
            on: group,
            logger: self.logger
        )
        try? await group.shutdownGracefully()
        return self.outcome(result, record)
    }

    private func outcome(_ result: DeliveryResult, _ record: QuarantineRecord) -> ReleaseOutcome {
        let refusals = zip(record.envelope.recipients, result.recipients).filter { !$0.1.isPositive }
        let refused = refusals.map { "<\($0.0.forwardPath)>: \($0.1)" }.joined(separator: "; ")
        switch result.outcome {
        case nil:
            return refusals.allSatisfy { $0.1.isPermanentFailure } ? .refused(refused) : .failed(refused)
        case .accepted(let reply):
            return .delivered(refused.isEmpty ? "\(reply)" : "\(reply); not to \(refused)")
        case .refused(let reply):
            return reply.isPermanentFailure ? .refused("\(reply)") : .failed("\(reply)")
        case .away(let reason), .internalError(let reason):
            return .failed(reason)
        case .unknown(let reason):
            return .uncertain(reason)
        }
    }
}
