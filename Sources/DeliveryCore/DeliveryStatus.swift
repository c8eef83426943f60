import MailTypes

/// A delivery status notification (RFC 3461 §6, RFC 3464) before it is written: what happened to a message, for its sender.
///
/// `composed()` makes the message. Nothing of what others said (replies, ORCPT, ENVID, the returned message) can add a field,
/// a line or a part to it.
package struct DeliveryStatus: Hashable, Sendable {
    package var event: DeliveryEvent
    /// The host that reports: our name.
    package var reportingHost: String
    /// Who answers for this host (RFC 3461 §6.2 b); nil: `postmaster` at it.
    package var postmaster: MailAddress?
    /// Who sent the message, and gets the notice.
    package var sender: MailAddress
    /// RET and ENVID of the message.
    package var parameters: MailParameters
    /// Names the message in our log.
    package var transaction: TransactionID
    /// At least one: a notice about nobody says nothing.
    package var recipients: [RecipientStatus]
    package var original: ReturnedMessage
    /// When the message came, in seconds since 1970.
    package var arrival: Int
    /// When this is written, in seconds since 1970.
    package var time: Int
    /// Until when it will be tried; for `.delayed` only.
    package var retryUntil: Int?
    /// Makes the notice's Message-ID and its boundary. Not to be foreseen by who wrote the message, and another one for each
    /// notice.
    package var seed: UInt64
    /// The notice's way takes 8-bit text (RFC 6152). Where it does not, 8-bit text is encoded.
    package var allows8Bit: Bool

    package init(
        event: DeliveryEvent,
        reportingHost: String,
        postmaster: MailAddress? = nil,
        sender: MailAddress,
        parameters: MailParameters = MailParameters(),
        transaction: TransactionID,
        recipients: [RecipientStatus],
        original: ReturnedMessage,
        arrival: Int,
        time: Int,
        retryUntil: Int? = nil,
        seed: UInt64,
        allows8Bit: Bool = true
    ) {
        self.event = event
        self.reportingHost = reportingHost
        self.postmaster = postmaster
        self.sender = sender
        self.parameters = parameters
        self.transaction = transaction
        self.recipients = recipients
        self.original = original
        self.arrival = arrival
        self.time = time
        self.retryUntil = retryUntil
        self.seed = seed
        self.allows8Bit = allows8Bit
    }
}

/// What happened to a message for one recipient.
package struct RecipientStatus: Hashable, Sendable {
    /// Why, in the words of who knows.
    package enum Diagnosis: Hashable, Sendable {
        /// A server said so.
        case reply(SMTPReply)
        /// No server said anything: `connection timed out`. For people; nothing secret may be in it.
        case reason(String)
    }

    /// With ORCPT as the client gave it.
    package var recipient: Recipient
    package var event: DeliveryEvent
    /// Nil: that of the reply, or else the general one of the event's class.
    package var status: EnhancedStatusCode?
    /// The host that was asked last.
    package var remoteHost: String?
    package var diagnosis: Diagnosis?
    /// When it was tried last, in seconds since 1970.
    package var lastAttempt: Int?

    package init(
        _ recipient: Recipient,
        event: DeliveryEvent,
        status: EnhancedStatusCode? = nil,
        remoteHost: String? = nil,
        diagnosis: Diagnosis? = nil,
        lastAttempt: Int? = nil
    ) {
        self.recipient = recipient
        self.event = event
        self.status = status
        self.remoteHost = remoteHost
        self.diagnosis = diagnosis
        self.lastAttempt = lastAttempt
    }
}

/// The message that a notice is about, as it was received.
package struct ReturnedMessage: Hashable, Sendable {
    /// A whole message of up to so many octets is sent back with RET=FULL; of a larger one the header only. A notice must
    /// not be a way to have large mail sent to others, and who sent it has it.
    package static let wholeLimit = 256 * 1024
    /// Octets of a header section that are sent back; what lies beyond is left out. Far above what mail has.
    package static let headerLimit = 64 * 1024

    /// From the message's first octet, without fields of our own. To read more than `wholeLimit` and one octet is no use.
    package var bytes: [UInt8]
    /// The bytes go to the message's end.
    package var isWhole: Bool

    package init(_ bytes: [UInt8], isWhole: Bool) {
        self.bytes = bytes
        self.isWhole = isWhole
    }
}

/// A notice, ready to be sent: from the null reverse path, to its sender with NOTIFY=NEVER (RFC 3461 §6.1).
package struct ComposedStatus: Hashable, Sendable {
    package var bytes: [UInt8]
    /// SIZE, BODY and SMTPUTF8 as they are true for the bytes.
    package var parameters: MailParameters
    /// How much of the message is sent back.
    package var returned: Returned

    package enum Returned: String, Hashable, Sendable {
        case whole
        case header
        /// The header is too long to be sent back as a whole.
        case headerCut
    }
}
