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

    package init(recipients: [SMTPReply], outcome: DeliveryOutcome?) {
        self.recipients = recipients
        self.outcome = outcome
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
        let promise = loop.makePromise(of: DeliveryResult.self)
        loop.execute {
            let pool = DownstreamPool(eventLoop: loop, directory: directory, logger: logger)
            let mail = MailCommand(reversePath: envelope.reversePath, parameters: envelope.parameters)
            let transaction = pool.begin(mail, client: envelope.client, route: route)
            transaction.add(envelope.recipients) { replies in
                guard replies.contains(where: \.isPositive) else {
                    transaction.abort()
                    pool.shutdown()
                    return promise.succeed(DeliveryResult(recipients: replies, outcome: nil))
                }
                transaction.deliver(header: prefix, content: content, omitting: omitted, facts: facts) { outcome in
                    pool.shutdown()
                    promise.succeed(DeliveryResult(recipients: replies, outcome: outcome))
                }
            }
        }
        do {
            return try await promise.futureResult.get()
        } catch {
            return DeliveryResult(
                recipients: envelope.recipients.map { _ in DownstreamReply.away },
                outcome: .internalError("\(error)")
            )
        }
    }
}
