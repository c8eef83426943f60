import MailTypes

/// What a sender is told about a decision. The transaction's id is put behind it by the gateway.
package enum PolicyReply {
    /// The name of the signature is said: an honest sender can only help himself if he knows.
    package static func virus(_ signature: String) -> SMTPReply {
        .permanent(.transactionFailed, (7, 1), "Message refused: it contains the virus \(signature)")
    }

    package static let spam = SMTPReply.permanent(.mailboxUnavailable, (7, 1), "Message refused as spam")

    /// RFC 7372 §3.3.
    package static func dmarc(_ domain: String) -> SMTPReply {
        .permanent(.mailboxUnavailable, (7, 26), "Message refused: it is not from \(domain) as its From says (DMARC)")
    }

    /// RFC 7372 §3.2.
    package static func spf(_ domain: String) -> SMTPReply {
        .permanent(.mailboxUnavailable, (7, 23), "Message refused: this host may not send for \(domain) (SPF)")
    }

    package static let denied = SMTPReply.permanent(
        .mailboxUnavailable,
        (7, 1),
        "Message refused: this sender is not accepted here"
    )

    /// RFC 6647 §3.1: a transient reply; when to come again is said for the people who read it.
    package static func greylisted(seconds: Int) -> SMTPReply {
        let minutes = (seconds + 59) / 60
        let time = minutes == 1 ? "1 minute" : "\(minutes) minutes"
        return .transient(.localError, (7, 1), "Greylisted: this message will be accepted when it is sent again in \(time)")
    }

    /// - Parameter text: what the rule says, with a code of its own (`554 5.4.6 …`) or without; nil: the usual words.
    package static func refused(text: String?) -> SMTPReply {
        guard let text, !text.isEmpty else { return .permanent(.mailboxUnavailable, (7, 1), "Message refused by policy") }
        return self.coded(text, statusClass: 5) ?? .permanent(.mailboxUnavailable, (7, 1), text)
    }

    package static func deferred(text: String?) -> SMTPReply {
        guard let text, !text.isEmpty else {
            return .transient(.localError, (7, 1), "Message deferred by policy, try again later")
        }
        return self.coded(text, statusClass: 4) ?? .transient(.localError, (7, 1), text)
    }

    /// RFC 3463 §3.4: the system is not accepting network messages.
    package static let overloaded = SMTPReply.transient(.localError, (3, 2), "Too busy to check the message, try again later")

    package static func uncheckedDeferred(_ check: String) -> SMTPReply {
        .transient(.localError, (7, 1), "The \(self.name(check)) check could not be completed, try again later")
    }

    package static func uncheckedRefused(_ check: String) -> SMTPReply {
        .permanent(.transactionFailed, (7, 1), "Message refused: the \(self.name(check)) check could not be completed")
    }

    /// RFC 1870 §6.1.
    package static func tooLarge(limit: Int) -> SMTPReply {
        .permanent(.exceededStorage, (3, 4), "Message is larger than the \(limit) octets accepted here")
    }

    private static func name(_ check: String) -> String { check == "rules" ? "content" : check }

    /// Reads `554 5.4.6 text`; nil if there is no code or it says something else than the action does.
    private static func coded(_ text: String, statusClass: Int) -> SMTPReply? {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].utf8.count == 3, let code = Int(parts[0]), code / 100 == statusClass else { return nil }
        return SMTPReply.received(code: code, lines: [String(parts[1])])
    }
}
