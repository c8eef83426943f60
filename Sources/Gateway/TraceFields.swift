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
        return field + "; \(MessageDate.text(secondsSince1970: self.time))\r\n"
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
