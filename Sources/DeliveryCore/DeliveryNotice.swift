import MailTypes

/// What is to be done about something that happened to some recipients of a message: tell its sender, or not, and why not.
package struct DeliveryNotice: Hashable, Sendable {
    package enum Handling: Hashable, Sendable {
        /// One notification to this address, about all these recipients.
        case tell(MailAddress)
        /// The message cannot be delivered, and its sender is not who it says: somebody has to look at it. It must neither
        /// bother a third person nor disappear.
        case holdForAdministrator
        /// Nobody is told.
        case silent(Reason)
    }

    package enum Reason: String, Hashable, Sendable {
        /// The message is itself a notice or the like: RFC 5321 §4.5.5 forbids one about it.
        case nullReversePath
        /// NOTIFY does not ask for it (RFC 3461 §4.1).
        case notAskedFor
        case alreadyTold
        /// There is nothing that an administrator would have to do.
        case forgedSender
    }

    package var event: DeliveryEvent
    /// Places in the envelope's recipients, in order.
    package var recipients: [Int]
    package var handling: Handling

    package init(event: DeliveryEvent, recipients: [Int], handling: Handling) {
        self.event = event
        self.recipients = recipients
        self.handling = handling
    }
}

/// Of what a message's sender has been told.
package struct NoticeHistory: Hashable, Sendable {
    /// A message is reported as delayed once, whichever recipients it still waits for.
    package var isDelayTold: Bool
    /// Places in the envelope's recipients whose end, good or bad, has been dealt with.
    package var settled: Set<Int>

    package init(isDelayTold: Bool = false, settled: Set<Int> = []) {
        self.isDelayTold = isDelayTold
        self.settled = settled
    }

    /// To be stored together with what the notice makes: a notice that is not recorded is sent twice.
    package mutating func record(_ notice: DeliveryNotice) {
        switch notice.event {
        case .delayed:
            if case .tell = notice.handling { self.isDelayTold = true }
        case .failed, .relayed, .delivered:
            self.settled.formUnion(notice.recipients)
        }
    }
}

extension DeliveryNotice {
    /// Decides about everything that happened to a message at one time. Each event of each recipient is in one notice, so
    /// the log can tell what was not said, too; for each event at most one notice is to be sent.
    ///
    /// - Parameters:
    ///   - events: by place in the envelope's recipients; other places do not count.
    ///   - history: what was decided before; `record` puts the new notices into it.
    package static func decide(
        _ events: [Int: DeliveryEvent],
        recipients: [Recipient],
        reversePath: ReversePath,
        standing: SenderStanding,
        history: NoticeHistory
    ) -> [DeliveryNotice] {
        var notices: [DeliveryNotice] = []
        for event in DeliveryEvent.allCases {
            for index in recipients.indices where events[index] == event {
                let handling = self.handling(
                    of: event,
                    request: NotifyRequest(recipients[index].notify),
                    isTold: history.settled.contains(index) || event == .delayed && history.isDelayTold,
                    reversePath: reversePath,
                    standing: standing
                )
                if let same = notices.firstIndex(where: { $0.event == event && $0.handling == handling }) {
                    notices[same].recipients.append(index)
                } else {
                    notices.append(DeliveryNotice(event: event, recipients: [index], handling: handling))
                }
            }
        }
        return notices
    }

    private static func handling(
        of event: DeliveryEvent,
        request: NotifyRequest,
        isTold: Bool,
        reversePath: ReversePath,
        standing: SenderStanding
    ) -> Handling {
        if isTold { return .silent(.alreadyTold) }
        guard let sender = reversePath.address else { return .silent(.nullReversePath) }
        // Before NOTIFY: a forged sender must not make a message disappear by asking for silence.
        if standing == .forged { return event == .failed ? .holdForAdministrator : .silent(.forgedSender) }
        return request.asksFor(event) ? .tell(sender) : .silent(.notAskedFor)
    }
}
