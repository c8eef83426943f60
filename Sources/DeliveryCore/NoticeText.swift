import MailTypes

/// The part for people: what happened to whom, why, and what they can do.
struct NoticeText {
    private static let width = 72

    var status: DeliveryStatus
    var isInternational: Bool
    var returned: ComposedStatus.Returned

    var bytes: [UInt8] {
        var lines: [String] = []
        lines += self.paragraph("This is the mail system at \(self.status.host).")
        lines += self.paragraph(self.whatHappened)
        for recipient in self.status.recipients { lines += self.lines(about: recipient) }
        if let advice = self.advice { lines += self.paragraph(advice) }
        lines += self.paragraph(
            "If you need help, write to \(self.status.postmasterText) and quote the number \(self.status.transaction)."
        )
        lines += self.paragraph(self.whatFollows)
        return Array((lines.dropLast().joined(separator: "\r\n") + "\r\n").utf8)
    }

    private func paragraph(_ text: String) -> [String] {
        PlainLine.wrapped(text, used: 0, width: Self.width) + [""]
    }

    private var whatHappened: String {
        let date = MessageDate.text(secondsSince1970: self.status.arrival)
        switch self.status.event {
        case .failed:
            return "Your message of \(date) could not be delivered to the recipients below. It will not be tried again."
        case .delayed:
            let until = self.status.retryUntil.map { " until \(MessageDate.text(secondsSince1970: $0))" } ?? ""
            return "Your message of \(date) could not be delivered to the recipients below yet. It is kept here and will be "
                + "tried again\(until)."
        case .relayed:
            return "Your message of \(date) was passed on to the mail server of the recipients below. That server does not "
                + "report what becomes of it, so you may hear no more about it."
        case .delivered:
            return "Your message of \(date) was delivered to the recipients below."
        }
    }

    private func lines(about recipient: RecipientStatus) -> [String] {
        let address = PlainLine.exact(
            recipient.recipient.forwardPath.text,
            allowUTF8: self.isInternational,
            limit: StatusFields.addressLimit
        )
        var lines = ["  <\(address)>"]
        // A notice may be about several events (RFC 3464 §2.3.3); the words above are about one.
        if recipient.event != self.status.event { lines += self.indented("(\(recipient.event.rawValue))") }
        let host = recipient.remoteHost.map { PlainLine.text($0, allowUTF8: false, limit: 255) }
        switch recipient.diagnosis {
        case .reply(let reply):
            lines += self.indented("\(host ?? "The mail server") said: \(reply.onOneLine(allowUTF8: self.isInternational))")
        case .reason(let reason):
            let text = PlainLine.text(reason, allowUTF8: self.isInternational, limit: StatusFields.diagnosisLimit)
            lines += self.indented(host.map { "\($0): \(text)" } ?? text)
        case nil:
            if let host { lines += self.indented("Mail server: \(host)") }
        }
        return lines + [""]
    }

    private func indented(_ text: String) -> [String] {
        let indent = "    "
        return PlainLine.wrapped(text, used: indent.count, width: Self.width).map { indent + $0 }
    }

    private var advice: String? {
        switch self.status.event {
        case .failed:
            let kinds = Set(self.status.recipients.filter { $0.event == .failed }.map { Advice($0) })
            return Advice.allCases.filter(kinds.contains).map(\.rawValue).joined(separator: " ")
        case .delayed:
            let words = "You need not do anything, and need not send it again."
            // Not promised where NOTIFY has it otherwise.
            let isTold = self.status.recipients.allSatisfy { NotifyRequest($0.recipient.notify).asksFor(.failed) }
            return isTold ? words + " If it cannot be delivered in the end, you will be told." : words
        case .relayed, .delivered:
            return nil
        }
    }

    private var whatFollows: String {
        switch self.returned {
        case .whole: "Below are a report for mail programs and your message."
        case .header: "Below are a report for mail programs and the header of your message."
        case .headerCut: "Below are a report for mail programs and the beginning of the header of your message."
        }
    }
}

/// What a person can do about a failure, by what the status code is about (RFC 3463 §3).
private enum Advice: String, CaseIterable {
    case address = "Check the address for mistakes, and send the message again to the right one."
    case mailbox = "The mailbox cannot take the message now; ask the recipient in another way."
    case size = "Send a smaller message."
    case unreachable = "The recipient's mail server could not be reached for too long; send the message again later."
    case content = "The recipient's mail server cannot take a message of this form; send it in a simpler one."
    case refused = "The recipient's mail server refused the message; what it said is the reason."

    init(_ recipient: RecipientStatus) {
        let numbers = recipient.statusText.split(separator: ".").compactMap { Int($0) }
        switch (numbers.dropFirst().first ?? 0, numbers.last ?? 0) {
        case (1, 0...6), (1, 10): self = .address
        case (2, 3), (3, 4): self = .size
        case (2, _): self = .mailbox
        case (4, _): self = .unreachable
        case (6, _): self = .content
        default: self = .refused
        }
    }
}
