import ContentStorage
import Logging
import MailTypes
import NIOCore
import SMTPCore

/// What became of one message that was sent by itself.
package struct DeliveryResult: Hashable, Sendable {
    /// One for each recipient of the envelope, in order: what the downstream said at RCPT.
    package var recipients: [SMTPReply]
    /// For the recipients that were accepted there; nil when there were none, and nothing was sent.
    package var outcome: DeliveryOutcome?
    /// Why the server could not be asked, or was lost before it had the message; nil when it has spoken.
    package var awayReason: String?
    /// The server makes notices of its own, and knows which are wanted (RFC 3461).
    package var offersDSN: Bool

    package init(
        recipients: [SMTPReply],
        outcome: DeliveryOutcome?,
        awayReason: String? = nil,
        offersDSN: Bool = false
    ) {
        self.recipients = recipients
        self.outcome = outcome
        self.awayReason = awayReason
        self.offersDSN = offersDSN
    }
}

/// Sends a message outside of a client's session: releases from the quarantine, the spool.
package enum SMTPDelivery {
    /// Sends one message over a connection of its own.
    /// - Parameters:
    ///   - prefix: header fields that go in front, each ended by CRLF.
    ///   - omitted: parts of the content that are left out.
    package static func send(
        envelope: Envelope,
        header prefix: [UInt8] = [],
        content: MessageContent,
        omitting omitted: [Range<Int>] = [],
        facts: ContentFacts,
        route: DownstreamRoute,
        on group: any EventLoopGroup,
        directory: DownstreamDirectory = DownstreamDirectory(),
        logger: Logger
    ) async -> DeliveryResult {
        let loop = group.next()
        let pool: NIOLoopBound<DownstreamPool>
        do {
            pool = try await loop.submit {
                NIOLoopBound(DownstreamPool(eventLoop: loop, directory: directory, logger: logger), eventLoop: loop)
            }.get()
        } catch {
            return self.failed(envelope, error)
        }
        let result = await self.send(
            envelope: envelope,
            header: prefix,
            content: content,
            omitting: omitted,
            facts: facts,
            route: route,
            over: pool
        )
        loop.execute { pool.value.shutdown() }
        return result
    }

    /// Sends one message over a connection of the pool, which is kept there afterwards.
    package static func send(
        envelope: Envelope,
        header prefix: [UInt8] = [],
        content: MessageContent,
        omitting omitted: [Range<Int>] = [],
        facts: ContentFacts,
        route: DownstreamRoute,
        over pool: NIOLoopBound<DownstreamPool>
    ) async -> DeliveryResult {
        let promise = pool.eventLoop.makePromise(of: DeliveryResult.self)
        pool.eventLoop.execute {
            let mail = MailCommand(reversePath: envelope.reversePath, parameters: envelope.parameters)
            let transaction = pool.value.begin(mail, client: envelope.client, route: route)
            transaction.add(envelope.recipients) { replies in
                guard replies.contains(where: \.isPositive) else {
                    let reason = transaction.awayReason
                    transaction.abort()
                    return promise.succeed(DeliveryResult(recipients: replies, outcome: nil, awayReason: reason))
                }
                transaction.deliver(header: prefix, content: content, omitting: omitted, facts: facts) { outcome in
                    var result = DeliveryResult(recipients: replies, outcome: outcome, offersDSN: transaction.offersDSN)
                    if case .away(let reason) = outcome { result.awayReason = reason }
                    promise.succeed(result)
                }
            }
        }
        do {
            return try await promise.futureResult.get()
        } catch {
            return self.failed(envelope, error)
        }
    }

    private static func failed(_ envelope: Envelope, _ error: any Error) -> DeliveryResult {
        DeliveryResult(recipients: envelope.recipients.map { _ in DownstreamReply.away }, outcome: .internalError("\(error)"))
    }
}
