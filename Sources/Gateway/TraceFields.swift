import MailTypes

/// The header fields that the gateway puts before a message. Nothing else of a message is ever touched, so signatures of
/// its sender still verify.
struct TraceFields {
    var hostname: String
    var id: TransactionID
    var envelope: Envelope
    /// Seconds since 1970, UTC.
    var time: Int

    /// RFC 5321 §4.4: `Received`.
    var received: String {
        let client = self.envelope.client
        // `unknown` where it was asked for and there is none that leads back.
        let isUnknown = self.envelope.reputation?.clientName != nil
        let name = client.reverseName.map { "\(Self.harmless($0)) " } ?? (isUnknown ? "unknown " : "")
        var field = "Received: from \(Self.harmless(client.helo ?? "unknown")) (\(name)\(client.address.addressLiteral))\r\n"
        field += "\tby \(self.hostname) with \(client.protocolName(smtpUTF8: self.envelope.parameters.smtpUTF8)) id \(self.id)"
        if let tls = client.tls {
            field += "\r\n\t(\(tls.version) \(tls.cipher))"
        }
        if self.envelope.recipients.count == 1, let recipient = self.envelope.recipients.first {
            field += "\r\n\tfor <\(recipient.forwardPath)>"
        }
        return field + "; \(MailDate.text(secondsSince1970: self.time))\r\n"
    }

    /// All fields for a message that goes on, in the order in which they stand.
    /// - Parameter authentication: fields that say who sent it, each ended by CRLF.
    func prefix(
        for decision: PolicyDecision,
        hits: [Hit],
        tagScore: Double?,
        authentication: [UInt8] = []
    ) -> [UInt8] {
        var text = ""
        if decision.disposition == .tag {
            let tests = hits.map(\.rule).joined(separator: ",\r\n\t")
            text += "X-Spam-Flag: YES\r\n"
            text += "X-Spam-Status: Yes, score=\(Self.score(decision.score))"
            text += tagScore.map { " required=\(Self.score($0))" } ?? ""
            text += tests.isEmpty ? "\r\n" : "\r\n\ttests=\(tests)\r\n"
        }
        text += "X-Outpost-Score: \(Self.score(decision.score))\r\n"
        if !decision.unchecked.isEmpty {
            text += "X-Outpost-Unchecked: \(decision.unchecked.joined(separator: ", "))\r\n"
        }
        text += "X-Outpost-Id: \(self.id)\r\n"
        // Above Received: each hop's results stand in front of its trace (RFC 8601 §4).
        return Array(text.utf8) + authentication + Array(self.received.utf8)
    }

    /// One decimal, no locale: `-0.1`, `12.3`.
    static func score(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e9 else { return value < 0 ? "-999999" : "999999" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }

    /// What a client said of itself, fit for a header field: printable ASCII without white space and parentheses.
    private static func harmless(_ text: String) -> String {
        let kept = text.unicodeScalars.prefix(255).map { scalar -> Unicode.Scalar in
            (0x21...0x7e).contains(scalar.value) && scalar != "(" && scalar != ")" && scalar != "\\" && scalar != ";"
                ? scalar : "?"
        }
        return kept.isEmpty ? "unknown" : String(String.UnicodeScalarView(kept))
    }
}

/// RFC 5322 §3.3 dates.
enum MailDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]

    /// `Mon, 23 Nov 2026 10:00:00 +0000`
    static func text(secondsSince1970 seconds: Int) -> String {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let time = seconds - days * 86_400
        let (year, month, day) = civil(days: days)
        let weekday = weekdays[((days % 7) + 7) % 7]
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(weekday), \(two(day)) \(months[month - 1]) \(year) "
            + "\(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60)) +0000"
    }

    /// Proleptic Gregorian date of a day counted from 1970-01-01: eras of 400 years that start in March, so that the leap
    /// day comes last.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
