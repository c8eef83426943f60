import ContentStorage
import Foundation
import Logging
import MailMessage
import MailPolicy
import MailRules
import MailTypes
import NIOCore
import NIOPosix
import SMTPCore
import SystemKit

/// What would be done with a message.
package struct Opinion: Sendable {
    package var decision: PolicyDecision
    package var findings: Findings
    package var reports: [CheckReport]
    /// What the sender would be told.
    package var reply: SMTPReply
    package var microseconds: Int
}

/// Judges messages with the gateway's own inspector and policy, without a server.
package final class OfflineJudge: Sendable {
    private let snapshot: GatewaySnapshot
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// Messages that are worth judging at once.
    package let width: Int
    private let threads: NIOThreadPool
    private let scanner: ScannerSlot
    private let inspector: MessageInspector
    private let lists: SenderGate
    private let clock = TransactionClock()
    /// Whoever judges a file need not be the gateway's user: sockets of this scanner are in a directory of their own.
    private let runDirectory = NSTemporaryDirectory() + "outpost-check-\(CurrentProcess.id)"

    package init(snapshot: GatewaySnapshot, logger: Logger = Logger(label: "outpost") { _ in SwiftLogNoOpLogHandler() }) throws {
        self.snapshot = snapshot
        self.lists = try StoredLists.offline(snapshot)
        self.width = snapshot.configuration.limits.inspectionThreads
        self.threads = NIOThreadPool(numberOfThreads: self.width)
        self.threads.start()
        self.scanner = try ScannerSlot(snapshot.configuration, runDirectory: self.runDirectory, logger: logger)
        self.inspector = MessageInspector(threads: self.threads, scanner: self.scanner, queueLimit: .max)
    }

    package func start() async throws { try await self.scanner.start() }

    package func stop() async {
        await self.scanner.stop()
        Directory.removeTree(self.runDirectory)
        try? await self.threads.shutdownGracefully()
        try? await self.group.shutdownGracefully()
    }

    /// - Parameters:
    ///   - client: who sends it as in a session; nil: the message is all that is known, and rules see no hop but those that it
    ///     tells of. Checks of the client are then made for the host itself.
    ///   - mailFrom: the reverse path, empty for the null path; nil: from Return-Path, else From.
    ///   - recipients: nil or empty: somebody in the first domain.
    ///   - goal: what is to be learnt from the rules.
    package func judge(
        _ bytes: [UInt8],
        client: ClientIdentity?,
        mailFrom: String?,
        recipients: [String],
        goal: EvaluationGoal = .hits
    ) async -> Opinion {
        // Files on Unix have bare LF; on the wire there is CRLF alone.
        let bytes = withNetworkLineEnds(bytes)
        let parsed = ParsedContent(bytes, limits: self.snapshot.parserLimits)
        var origin = mailFrom == nil ? EnvelopeOrigin.unknown : .stated
        if client != nil { origin = .session(receiver: self.snapshot.configuration.hostname) }
        var client = client ?? ClientIdentity(address: .loopback4)
        client.helo = client.helo ?? client.address.addressLiteral
        var envelope = Envelope(origin: origin, client: client, reversePath: Self.reversePath(mailFrom, parsed.message))
        envelope.recipients = recipients.compactMap { MailAddress($0, allowUTF8: true) }.map { Recipient($0) }
        if envelope.recipients.isEmpty, let domain = self.snapshot.configuration.domains.first?.names.first {
            let name = domain.hasPrefix("*.") ? String(domain.dropFirst(2)) : domain
            // Not postmaster, who gets more than others.
            envelope.recipients = [Recipient(MailAddress(localPart: "anybody", domain: name, text: "anybody@\(name)"))]
        }
        if let connected = envelope.connectedClient, let reputation = self.snapshot.reputation,
            let question = reputation.begin(connected, reversePath: envelope.reversePath, reputation.begin(connected))
        {
            envelope.learn(await question.value)
        }
        let group = envelope.recipients.first.flatMap { self.snapshot.recipients.group(for: $0.forwardPath) }
        let policy = self.snapshot.policy(named: group?.policy ?? "default")
        let subject = InspectionSubject(
            envelope: envelope,
            content: .memory(bytes),
            facts: ContentFacts(octets: bytes.count, has8Bit: !bytes.isASCII),
            parsed: parsed,
            policy: policy,
            lists: self.lists,
            goal: goal
        )
        let loop = self.group.next()
        let judgement = await self.inspect(subject, on: loop)
        return Opinion(
            decision: judgement.decision,
            findings: judgement.findings,
            reports: judgement.reports,
            reply: self.reply(to: judgement.decision),
            microseconds: parsed.microseconds + judgement.microseconds
        )
    }

    private func inspect(_ subject: InspectionSubject, on loop: any EventLoop) async -> Judgement {
        await withCheckedContinuation { continuation in
            loop.execute {
                self.inspector.inspect(subject, snapshot: self.snapshot, on: loop) { continuation.resume(returning: $0) }
            }
        }
    }

    /// What `RelayMachine` would say; the downstream's part is assumed to go well.
    private func reply(to decision: PolicyDecision) -> SMTPReply {
        var machine = RelayMachine(id: self.clock.nextID())
        switch machine.decided(decision) {
        case .deliver, .spool:
            return .success(.ok, (0, 0), "the downstream server's own reply")
        case .store:
            guard case .reply(let reply, _, _) = machine.storeFinished(.durable) else {
                preconditionFailure("storing ends in a reply")
            }
            return reply
        case .record(let reply), .reply(let reply, _, _):
            return reply
        }
    }

    /// - Parameter given: nil: the one of Return-Path, else of From.
    static func reversePath(_ given: String?, _ message: ParsedMessage) -> ReversePath {
        if let given {
            guard !given.isEmpty else { return .null }
            return .mailbox(MailAddress(given, allowUTF8: true) ?? Self.asGiven(given))
        }
        for name in ["Return-Path", "From"] {
            guard let field = message.fields(named: name).first, let mailbox = message.mailboxes(in: field).first else {
                continue
            }
            if let parsed = MailAddress(mailbox.address, allowUTF8: true) { return .mailbox(parsed) }
        }
        return .null
    }

    /// No address that a session would take; it can be asked about all the same.
    private static func asGiven(_ text: String) -> MailAddress {
        let at = text.lastIndex(of: "@")
        return MailAddress(
            localPart: String(text[..<(at ?? text.startIndex)]),
            domain: String(text[(at.map { text.index(after: $0) } ?? text.startIndex)...]),
            text: text
        )
    }
}
