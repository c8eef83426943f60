import MailTypes

extension DeliveryStatus {
    /// The notice as a message (RFC 5322, RFC 6522 §3): in words, for programs, and what of the message is sent back.
    package func composed() -> ComposedStatus {
        let isInternational = self.hasInternationalAddress
        let returned = ReturnedPart(self)
        let parts = [
            BodyPart(
                isInternational ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii",
                "Notification",
                NoticeText(status: self, isInternational: isInternational, returned: returned.returned).bytes,
                allows8Bit: self.allows8Bit
            ),
            BodyPart(
                // RFC 6533 §4.
                isInternational ? "message/global-delivery-status" : "message/delivery-status",
                "Delivery report",
                StatusFields(status: self, isInternational: isInternational).bytes,
                allows8Bit: self.allows8Bit
            ),
            returned.part,
        ]
        let boundary = Boundary.make(seed: self.seed, parts: parts.map(\.content))
        let is8Bit = parts.contains { $0.encoding == .eightBit }
        let to = self.senderText
        var bytes = self.header(to: to, boundary: boundary, is8Bit: is8Bit)
        bytes += "\r\nThis is a delivery status notification in MIME format.\r\n".utf8
        for part in parts {
            bytes += "\r\n--\(boundary)\r\n".utf8
            bytes += part.header
            bytes += [0x0d, 0x0a]
            bytes += part.content
        }
        bytes += "\r\n--\(boundary)--\r\n".utf8
        let needsUTF8 = to.utf8.contains { $0 >= 0x80 }
        return ComposedStatus(
            bytes: bytes,
            parameters: MailParameters(
                size: bytes.count,
                body: is8Bit || needsUTF8 ? .eightBitMIME : .sevenBit,
                smtpUTF8: needsUTF8
            ),
            returned: returned.returned
        )
    }

    private func header(to: String, boundary: String, is8Bit: Bool) -> [UInt8] {
        var writer = FieldWriter()
        writer.exact("From", "Mail Delivery System <\(self.postmasterText)>")
        writer.exact("To", to)
        writer.exact("Subject", self.subject)
        writer.exact("Date", MessageDate.text(secondsSince1970: self.time))
        writer.exact("Message-ID", "<\(Hexadecimal.text(self.seed)).\(self.transaction)@\(self.host)>")
        // RFC 3834 §5: so that nobody answers it automatically.
        writer.exact("Auto-Submitted", "auto-replied")
        writer.exact("MIME-Version", "1.0")
        writer.exact("Content-Type", "multipart/report; report-type=delivery-status;\r\n boundary=\"\(boundary)\"")
        // What a multipart says of its parts must be true for all of them (RFC 2045 §6.4).
        writer.exact("Content-Transfer-Encoding", (is8Bit ? BodyPart.Encoding.eightBit : .sevenBit).rawValue)
        return writer.bytes
    }

    private var subject: String {
        switch self.event {
        case .failed: "Delivery failed: your message was not delivered"
        case .delayed: "Delivery delayed: your message is still waiting"
        case .relayed: "Delivery report: your message was passed on"
        case .delivered: "Delivery report: your message was delivered"
        }
    }

    /// An address must be said to be international (RFC 6533 §3).
    private var hasInternationalAddress: Bool {
        self.recipients.contains { recipient in
            recipient.recipient.forwardPath.text.utf8.contains { $0 >= 0x80 }
                || OriginalRecipient(recipient.recipient.orcpt)?.isInternational ?? false
        }
    }

    /// Our name as it may stand in any field; it comes from the configuration, so this changes nothing that is right.
    var host: String {
        let kept = self.reportingHost.unicodeScalars.prefix(255).filter { scalar in
            scalar.value < 0x80
                && (scalar.properties.isAlphabetic || (0x30...0x39).contains(scalar.value)
                    || "-._".unicodeScalars.contains(scalar))
        }
        return kept.isEmpty ? "localhost" : String(String.UnicodeScalarView(kept))
    }

    var postmasterText: String {
        let usual = "postmaster@\(self.host)"
        guard let postmaster, !postmaster.domain.isEmpty, postmaster.isFitForField(allowUTF8: false) else { return usual }
        return postmaster.text
    }

    /// The sender as `To` has it. An address that is none any more (it comes out of a store) is not written into a field; the
    /// envelope has it all the same.
    private var senderText: String {
        guard self.sender.isFitForField(allowUTF8: true) else { return "undisclosed-recipients:;" }
        return self.sender.domain.isEmpty ? "\(self.sender.text)@\(self.host)" : self.sender.text
    }
}

extension MailAddress {
    /// Its text is an address by the grammar, and nothing in it is invisible.
    fileprivate func isFitForField(allowUTF8: Bool) -> Bool {
        MailAddress(self.text, allowUTF8: allowUTF8) != nil
            && self.text.unicodeScalars.allSatisfy { $0 == " " || PlainLine.isPrintable($0, allowUTF8: allowUTF8) }
    }
}

/// ORCPT (RFC 3461 §4.2) as a notice tells it.
struct OriginalRecipient: Hashable {
    /// `rfc822`
    var type: String
    /// Decoded; or as it was sent, when what it stands for cannot be in a field.
    var address: String

    /// - Parameter text: in the words of the client; nil when it is not `addr-type ";" xtext`.
    init?(_ text: String?) {
        guard let text, let separator = text.utf8.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let type = text[..<separator]
        let address = text[text.utf8.index(after: separator)...]
        guard !address.isEmpty, !type.isEmpty, type.utf8.allSatisfy(Self.isTypeOctet) else { return nil }
        self.type = String(type)
        self.address = XText.readable(address)
    }

    /// A 7-bit notice can tell it of an address of type `utf-8` as well, if that is escaped (RFC 6533 §3).
    var isInternational: Bool { self.address.utf8.contains { $0 >= 0x80 } }

    private static func isTypeOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension XText {
    /// What the text stands for, if that can be read as one line of UTF-8; else the text itself.
    fileprivate static func readable(_ text: some StringProtocol) -> String {
        guard let octets = self.decode(Array(text.utf8)[...]), let decoded = String(validating: octets, as: UTF8.self),
            decoded.unicodeScalars.allSatisfy({ $0 == " " || PlainLine.isPrintable($0, allowUTF8: true) })
        else { return String(text) }
        return decoded
    }
}

/// The part for programs (RFC 3464 §2).
struct StatusFields {
    /// Octets of a server's words; what it says beyond that helps nobody.
    static let diagnosisLimit = 1_000
    /// Octets of an address or id: more than the grammars allow (RFC 5321 §4.5.3.1.3, RFC 3461 §4.2, §4.4).
    static let addressLimit = 600

    var status: DeliveryStatus
    var isInternational: Bool

    var bytes: [UInt8] {
        var writer = FieldWriter()
        self.writeMessageFields(&writer)
        for recipient in self.status.recipients {
            writer.endLine()
            self.write(recipient, &writer)
        }
        return writer.bytes
    }

    /// RFC 3464 §2.2.
    private func writeMessageFields(_ writer: inout FieldWriter) {
        if let envid = self.status.parameters.envid, !envid.isEmpty {
            // An id is printable ASCII (RFC 3461 §4.4); what decodes to anything else is told as it was sent.
            let decoded = XText.readable(envid)
            let text = decoded.utf8.allSatisfy { $0 < 0x80 } ? decoded : envid
            writer.exact("Original-Envelope-Id", PlainLine.exact(text, allowUTF8: false, limit: Self.addressLimit))
        }
        writer.exact("Reporting-MTA", "dns; \(self.status.host)")
        writer.exact("Arrival-Date", MessageDate.text(secondsSince1970: self.status.arrival))
    }

    /// RFC 3464 §2.3.
    private func write(_ recipient: RecipientStatus, _ writer: inout FieldWriter) {
        if let original = OriginalRecipient(recipient.recipient.orcpt) {
            let address = PlainLine.exact(original.address, allowUTF8: self.isInternational, limit: Self.addressLimit)
            // RFC 6533 §3: only this type has other characters than ASCII.
            let type = original.isInternational ? "utf-8" : PlainLine.exact(original.type, allowUTF8: false, limit: 100)
            writer.exact("Original-Recipient", "\(type); \(address)")
        }
        let text = recipient.recipient.forwardPath.text
        let address = PlainLine.exact(text, allowUTF8: self.isInternational, limit: Self.addressLimit)
        writer.exact("Final-Recipient", "\(address.utf8.contains { $0 >= 0x80 } ? "utf-8" : "rfc822"); \(address)")
        writer.exact("Action", recipient.event.rawValue)
        writer.exact("Status", recipient.statusText)
        if let host = recipient.remoteHost {
            writer.exact("Remote-MTA", "dns; \(PlainLine.text(host, allowUTF8: false, limit: 255))")
        }
        switch recipient.diagnosis {
        case .reply(let reply):
            writer.folded("Diagnostic-Code", "smtp; \(reply.onOneLine(allowUTF8: self.isInternational))")
        case .reason(let reason):
            // RFC 3464 §2.1.1: types that are not registered begin with `X-`.
            let text = PlainLine.text(reason, allowUTF8: self.isInternational, limit: Self.diagnosisLimit)
            writer.folded("Diagnostic-Code", "X-Outpost; \(text)")
        case nil: break
        }
        if let lastAttempt = recipient.lastAttempt {
            writer.exact("Last-Attempt-Date", MessageDate.text(secondsSince1970: lastAttempt))
        }
        writer.exact("Final-Log-ID", self.status.transaction.text)
        if recipient.event == .delayed, let retryUntil = self.status.retryUntil {
            writer.exact("Will-Retry-Until", MessageDate.text(secondsSince1970: retryUntil))
        }
    }
}

extension SMTPReply {
    /// All lines on one, with the codes of the first (RFC 3464 §2.3.6).
    func onOneLine(allowUTF8: Bool) -> String {
        PlainLine.text(self.description, allowUTF8: allowUTF8, limit: StatusFields.diagnosisLimit)
    }
}

extension RecipientStatus {
    /// RFC 3464 §2.3.4: that of the server if it gave one, else the class alone. What is given up although a server said only
    /// `4xx` keeps the 4: it may work another time.
    var statusText: String {
        if let status = self.status { return status.description }
        if case .reply(let reply) = self.diagnosis, [2, 4, 5].contains(reply.code / 100) {
            return reply.enhanced?.description ?? "\(reply.code / 100).0.0"
        }
        switch self.event {
        // RFC 3463 §3.5: X.4.7, the time is over; X.4.1, no answer.
        case .failed: return "4.4.7"
        case .delayed: return "4.4.1"
        case .relayed, .delivered: return "2.0.0"
        }
    }
}
