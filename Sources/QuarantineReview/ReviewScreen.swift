import MailStore
import MailTypes

/// A piece of a screen's line.
package struct Span: Hashable, Sendable {
    package enum Style: Hashable, Sendable {
        case plain
        case bold
        case dim
        case warning
        /// The bar above and below, and the selected line.
        case bar
    }

    package var text: String
    package var style: Style

    init(_ text: String, _ style: Style = .plain) {
        self.text = text
        self.style = style
    }
}

/// A line of the screen; its spans together are exactly as wide as the terminal.
package typealias ScreenLine = [Span]

extension ReviewModel {
    /// Rows of the two panes.
    struct Layout: Hashable {
        var list: Int
        var preview: Int
    }

    /// Title, the bar between the panes, status and keys.
    private static let frameRows = 4
    /// Below this a list and a text cannot both be read.
    private static let leastRows = 8
    private static let leastColumns = 40
    /// Rows of the list while a message is read.
    private static let listWhileReading = 3

    var layout: Layout {
        let free = max(0, self.rows - Self.frameRows)
        let list = self.mode == .reading ? min(Self.listWhileReading, free / 2) : max(1, free * 2 / 5)
        return Layout(list: list, preview: max(0, free - list))
    }

    var previewLines: [ReportLine] {
        (self.preview?.lines ?? []).flatMap { $0.wrapped(to: max(10, self.columns - 1)) }
    }

    /// The whole screen, from top to bottom, one line for each row of the terminal.
    package var screen: [ScreenLine] {
        guard self.rows >= Self.leastRows, self.columns >= Self.leastColumns else {
            return (0..<max(0, self.rows)).map { row in
                [Span((row == 0 ? "too small" : "").fitted(to: self.columns))]
            }
        }
        let body = self.mode == .help ? self.helpLines : self.panes
        return [self.title] + body + [self.statusLine, self.keyLine]
    }

    private func bar(_ text: String) -> ScreenLine { [Span(text.fitted(to: self.columns), .bar)] }

    private var title: ScreenLine {
        var text = " Outpost quarantine   \(self.messages.isEmpty ? 0 : self.selected + 1) of \(self.total)"
        if self.total > self.messages.count { text += " (the newest \(self.messages.count) loaded)" }
        if !self.marked.isEmpty { text += "   \(self.marked.count) marked" }
        if !self.filterText.isEmpty { text += "   filter: \(HarmlessText.line(self.filterText))" }
        return self.bar(text)
    }

    // MARK: Panes

    private var panes: [ScreenLine] {
        let layout = self.layout
        let list = (0..<layout.list).map { row -> ScreenLine in
            let index = self.top + row
            return self.messages.indices.contains(index) ? self.listLine(index) : [Span("".fitted(to: self.columns))]
        }
        let lines = self.previewLines
        let text = (0..<layout.preview).map { row -> ScreenLine in
            let index = self.previewTop + row
            guard lines.indices.contains(index) else { return [Span("".fitted(to: self.columns))] }
            return [Span((" " + lines[index].text).fitted(to: self.columns), lines[index].style.span)]
        }
        return list + [self.divider(lines.count, layout.preview)] + text
    }

    private func divider(_ lines: Int, _ height: Int) -> ScreenLine {
        let end = min(lines, self.previewTop + height)
        let place = lines > height ? " lines \(self.previewTop + 1)-\(end) of \(lines) " : ""
        let rule = String(repeating: "─", count: max(0, self.columns - place.count - 2))
        return [Span((rule + place + "──").fitted(to: self.columns), .dim)]
    }

    private func listLine(_ index: Int) -> ScreenLine {
        let message = self.messages[index]
        let fixed = 2 + 3 + 13 + 8
        let sender = (self.columns - fixed) * 2 / 5
        let state = self.busy.contains(message.id) ? ">" : message.mark
        let time = TimeText.local(message.received).dropFirst(5)
        let from = message.sender.isEmpty ? "<>" : HarmlessText.line(message.sender)
        let text =
            (self.marked.contains(message.id) ? "* " : "  ") + state.fitted(to: 3) + String(time).fitted(to: 13)
            + MessageReport.score(message.score).fitted(to: 6, alignedRight: true) + "  " + from.fitted(to: sender - 2) + "  "
            + HarmlessText.line(message.subject).fitted(to: self.columns - fixed - sender)
        let style: Span.Style = index == self.selected ? .bar : self.marked.contains(message.id) ? .bold : .plain
        return [Span(text.fitted(to: self.columns), style)]
    }

    // MARK: Last lines

    private var statusLine: ScreenLine {
        switch self.mode {
        case .filter(let text): return [Span(self.input("Filter: ", text), .bold)]
        case .note(_, let text): return [Span(self.input("Note: ", text), .bold)]
        case .confirm(let question, _): return [Span(" \(question) y/n".fitted(to: self.columns), .warning)]
        default:
            return [Span((" " + self.status).fitted(to: self.columns), self.statusIsFailure ? .warning : .plain)]
        }
    }

    /// The end of a long line stays in sight: that is where one types.
    private func input(_ label: String, _ text: String) -> String {
        let room = self.columns - label.count - 3
        var shown = HarmlessText.line(text)
        while shown.columns > room { shown.removeFirst() }
        return (" " + label + shown + "▏").fitted(to: self.columns)
    }

    private var keyLine: ScreenLine {
        switch self.mode {
        case .list: self.bar(" j/k move  Enter read  r release  d delete  m mark  f filter  ? help  q quit")
        case .reading: self.bar(" j/k scroll  Enter back  r release  d delete  n note  x export  ? help")
        case .help: self.bar(" any key goes back")
        case .filter: self.bar(" Enter filter  Esc cancel   \(ReviewFilter.help)")
        case .note: self.bar(" Enter write  Esc cancel")
        case .confirm: self.bar(" y yes  any other key no")
        }
    }

    private var helpLines: [ScreenLine] {
        let height = self.rows - 3
        return (0..<height).map { row in
            let text = Self.help.indices.contains(row) ? Self.help[row] : ""
            return [Span((" " + text).fitted(to: self.columns))]
        }
    }

    private static let help = [
        "Up Down j k PgUp PgDn Home End   move, or scroll while reading",
        "Enter    read the message, and back",
        "m Space  mark or unmark; r and d then act on all marked",
        "r        release: scan again and deliver to the recipients",
        "d        delete for good, after a question",
        "n        write a note",
        "x        export to ID.eml in the current directory",
        "f /      filter: words in subject, sender, recipients, and",
        "         from:X to:X rule:X sig:X",
        "         is:waiting is:released is:deleted is:rejected is:all",
        "Esc      take the marks away, then the filter",
        "R        read the list again      Ctrl-L  draw the screen again",
        "q        quit",
        "",
        "w waiting  > being released  r released  d deleted",
        "c copy of refused mail  ? may have been delivered",
    ]
}

extension ReportLine.Style {
    fileprivate var span: Span.Style {
        switch self {
        case .heading: .bold
        case .plain: .plain
        case .dim: .dim
        case .warning: .warning
        }
    }
}
