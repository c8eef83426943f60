import MailStore
import MailTypes

/// Listings as a table that fits the terminal.
package struct SummaryTable: Sendable {
    /// Columns of the terminal.
    private let width: Int
    private static let fixed = 12 + 2 + 16 + 2 + 1 + 2 + 6 + 2
    /// Where a pipe has no width; wide enough that nothing but a very long subject is cut.
    package static let defaultWidth = 160

    package init(width: Int) {
        self.width = max(width, 60)
    }

    private var senderWidth: Int { (self.width - Self.fixed) * 3 / 10 }
    private var recipientWidth: Int { (self.width - Self.fixed) * 2 / 10 }
    private var subjectWidth: Int { self.width - Self.fixed - self.senderWidth - self.recipientWidth - 4 }

    package var heading: String {
        self.row("ID", "RECEIVED", "S", " SCORE", "FROM", "TO", "SUBJECT")
    }

    package func line(_ summary: QuarantineSummary) -> String {
        self.row(
            summary.id.text,
            TimeText.local(summary.received),
            summary.mark,
            MessageReport.score(summary.score).fitted(to: 6, alignedRight: true),
            summary.sender.isEmpty ? "<>" : HarmlessText.line(summary.sender),
            Self.recipients(summary),
            HarmlessText.line(summary.subject)
        )
    }

    private static func recipients(_ summary: QuarantineSummary) -> String {
        let first = HarmlessText.line(summary.recipients.first ?? "")
        return summary.recipients.count > 1 ? "\(first) +\(summary.recipients.count - 1)" : first
    }

    private func row(
        _ id: String,
        _ time: String,
        _ mark: String,
        _ score: String,
        _ sender: String,
        _ recipient: String,
        _ subject: String
    ) -> String {
        [
            id.fitted(to: 12), time.fitted(to: 16), mark.fitted(to: 1), score.fitted(to: 6), sender.fitted(to: self.senderWidth),
            recipient.fitted(to: self.recipientWidth), subject.fitted(to: self.subjectWidth),
        ].joined(separator: "  ")
    }
}

extension QuarantineSummary {
    /// One letter: `w`aiting, being released `>`, `r`eleased, `d`eleted, `c`opy of refused mail, `?` may have been delivered.
    package var mark: String {
        if self.mayHaveBeenDelivered, self.state == .waiting { return "?" }
        switch self.state {
        case .waiting: return self.kind == .held ? "w" : "c"
        case .releasing: return ">"
        case .released: return "r"
        case .deleted: return "d"
        }
    }
}
