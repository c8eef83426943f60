import MailMessage
import MailStore
import MailTypes

/// A line of a report, harmless and not yet cut to a width.
package struct ReportLine: Hashable, Sendable {
    package enum Style: Hashable, Sendable {
        case heading
        case plain
        case dim
        case warning
    }

    package var style: Style
    package var text: String
    /// Columns that continued lines are moved in by.
    package var indent: Int

    package init(_ style: Style, _ text: String, indent: Int = 0) {
        self.style = style
        self.text = text
        self.indent = indent
    }

    package func wrapped(to width: Int) -> [ReportLine] {
        guard self.text.columns > width else { return [self] }
        let inner = max(width - self.indent, 10)
        let space = String(repeating: " ", count: self.indent)
        return self.text.wrapped(to: inner).enumerated().map { index, text in
            ReportLine(self.style, index == 0 ? text : space + text, indent: self.indent)
        }
    }
}

/// What people read about a message: facts, reasons, and its text as its reader would see it. Everything in it is
/// harmless to a terminal.
package enum MessageReport {
    /// Octets of decoded text that are shown; who needs more exports the message.
    package static let previewOctets = 64 * 1024
    /// Links and attachments that are listed.
    private static let listed = 20

    // MARK: Facts and reasons

    package static func facts(_ entry: QuarantineEntry) -> [ReportLine] {
        let record = entry.record
        let client = record.envelope.client
        var lines = [ReportLine(.heading, "Message \(record.id)")]
        func add(_ name: String, _ value: String) {
            lines.append(ReportLine(.plain, "\((name + ":").fitted(to: 12))\(HarmlessText.line(value))", indent: 12))
        }
        add("State", self.state(entry))
        if entry.mayHaveBeenDelivered {
            lines.append(ReportLine(.warning, "A release was cut off: the message may have been delivered already.", indent: 12))
        }
        add("Received", "\(TimeText.local(record.received)) from \(client.address)\(client.reverseName.map { " (\($0))" } ?? "")")
        if let helo = client.helo { add("HELO", helo) }
        add("Sender", "<\(record.envelope.reversePath)>")
        for recipient in record.envelope.recipients { add("Recipient", "<\(recipient.forwardPath)>") }
        add("From", record.headerFrom)
        add("Subject", record.subject)
        add("Size", "\(record.octets) octets")
        add("Route", record.route)
        if let note = entry.note { add("Note", note) }
        return lines
    }

    private static func state(_ entry: QuarantineEntry) -> String {
        let kind = entry.record.kind == .held ? "held" : "copy of refused mail"
        guard entry.state == .released, let moment = entry.released else { return "\(kind), \(entry.state.rawValue)" }
        return "\(kind), released \(TimeText.local(moment)) by \(entry.releasedBy ?? "")"
    }

    package static func reasons(_ record: QuarantineRecord) -> [ReportLine] {
        var lines = [ReportLine(.heading, "Reasons")]
        lines.append(
            ReportLine(.plain, HarmlessText.line("\(record.reason) (policy \(record.policy), score \(self.score(record.score)))"))
        )
        for name in record.signatures {
            lines.append(ReportLine(.warning, HarmlessText.line("virus \(name)")))
        }
        if case .notScanned(let failure) = record.scan.status {
            lines.append(ReportLine(.warning, HarmlessText.line("not scanned for viruses: \(self.failure(failure))")))
        }
        for name in record.unchecked {
            lines.append(ReportLine(.warning, HarmlessText.line("not checked: \(name)")))
        }
        for hit in record.hits.sorted(by: { $0.score > $1.score }) {
            let place = hit.file.isEmpty ? "" : "  (\(hit.file):\(hit.line))"
            let score = self.score(hit.score).fitted(to: 7, alignedRight: true)
            lines.append(ReportLine(.plain, HarmlessText.line("\(score)  \(hit.rule)  \(hit.description)\(place)"), indent: 9))
            for match in hit.locations {
                let part = match.part.isEmpty ? "" : " of part \(match.part)"
                lines.append(ReportLine(.dim, HarmlessText.line("         \(match.view)\(part): \"\(match.text)\""), indent: 11))
            }
        }
        return lines
    }

    private static func failure(_ failure: CheckFailure) -> String {
        switch failure {
        case .timedOut: "timed out"
        case .overloaded: "too busy"
        case .failed(let detail): detail
        }
    }

    /// One decimal, whatever the number.
    package static func score(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
        let tenths = Int((abs(value) * 10).rounded())
        return "\(value < 0 && tenths > 0 ? "-" : "")\(tenths / 10).\(tenths % 10)"
    }

    package static func trail(_ audit: [AuditEntry]) -> [ReportLine] {
        guard !audit.isEmpty else { return [] }
        return [ReportLine(.heading, "History")]
            + audit.map { entry in
                let why = entry.why.isEmpty ? "" : " (\(entry.why))"
                let detail = entry.detail.isEmpty ? "" : ": \(entry.detail)"
                let line = "\(TimeText.local(entry.when))  \(entry.action.rawValue) by \(entry.who)\(why)\(detail)"
                return ReportLine(.plain, HarmlessText.line(line), indent: 18)
            }
    }

    // MARK: Text

    /// The message as its reader would see it: names of attachments, decoded text, links.
    package static func text(_ bytes: [UInt8]) -> [ReportLine] {
        let message = ParsedMessage(bytes)
        let text = MessageText(message)
        var lines: [ReportLine] = []
        let attachments = message.parts.filter { $0.fileName != nil || $0.disposition == "attachment" }
        if !attachments.isEmpty {
            lines.append(ReportLine(.heading, "Attachments"))
            lines += self.cut(
                attachments.map { part in
                    "\(part.fileName ?? "(no name)")  \(part.type)/\(part.subtype), \(part.body.count) octets encoded"
                }
            )
        }
        lines.append(ReportLine(.heading, "Text"))
        lines += self.body(text.body)
        let links = text.uris.map { String(decoding: $0.bytes, as: UTF8.self) }
        if !links.isEmpty {
            lines.append(ReportLine(.heading, "Links"))
            var seen: Set<String> = []
            lines += self.cut(links.filter { seen.insert($0).inserted })
        }
        if !message.anomalies.isEmpty {
            lines.append(ReportLine(.heading, "Structure"))
            lines += self.cut(message.anomalies.map { "\($0.kind.rawValue) at octet \($0.offset)" })
        }
        return lines
    }

    private static func body(_ segments: [TextSegment]) -> [ReportLine] {
        var lines: [ReportLine] = []
        var left = self.previewOctets
        // The subject comes first and stands among the facts already.
        for segment in segments where segment.part != nil {
            guard left > 0 else {
                lines.append(ReportLine(.dim, "(more text follows)"))
                break
            }
            let shown = segment.bytes.prefix(left)
            left -= shown.count
            lines += HarmlessText.lines(String(decoding: shown, as: UTF8.self)).map { ReportLine(.plain, $0) }
        }
        return lines.isEmpty ? [ReportLine(.dim, "(no readable text)")] : lines
    }

    private static func cut(_ items: [String]) -> [ReportLine] {
        let lines = items.prefix(self.listed).map { ReportLine(.plain, "  " + HarmlessText.line($0), indent: 4) }
        return items.count > self.listed ? lines + [ReportLine(.dim, "  (\(items.count - self.listed) more)")] : lines
    }
}
