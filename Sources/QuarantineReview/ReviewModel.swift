import MailStore
import MailTypes

/// What happens to the reviewer.
package enum ReviewEvent: Sendable {
    case key(Key)
    case resized(rows: Int, columns: Int)
    /// The answer to `.load`: messages, and how many there are in all.
    case loaded([QuarantineSummary], total: Int)
    /// The answer to `.preview`.
    case previewed(TransactionID, [ReportLine])
    /// One message of a `.release` or `.delete` is done, or the single one of another action.
    case done(TransactionID, String)
    case failed(TransactionID?, String)
    /// The terminal is gone.
    case closed
}

/// What the reviewer wants done.
package enum ReviewAction: Hashable, Sendable {
    case load(QuarantineFilter)
    case preview(TransactionID)
    case release([TransactionID])
    case delete([TransactionID])
    case note(TransactionID, String)
    case export(TransactionID)
    case suspend
    /// Draw everything anew, as if nothing were on the terminal.
    case redraw
    case quit
}

/// The full-screen reviewer as a value: events in, actions and lines of a screen out.
///
/// Can transition to: `list` ⇄ `reading`; from both to `filter`, `note`, `confirm`, `help`, and back.
package struct ReviewModel: Sendable {
    enum Mode: Hashable, Sendable {
        case list
        case reading
        case help
        case filter(String)
        case note(TransactionID, String)
        case confirm(String, ReviewAction)
    }

    /// Messages that are loaded at once; a filter finds the others.
    package static let window = 1_000

    var rows: Int
    var columns: Int
    var mode = Mode.list
    var messages: [QuarantineSummary] = []
    var total = 0
    var selected = 0
    var top = 0
    var marked: Set<TransactionID> = []
    var busy: Set<TransactionID> = []
    var filterText = ""
    var filter = QuarantineFilter.waiting
    var preview: (id: TransactionID, lines: [ReportLine])?
    var previewTop = 0
    var status = "Loading …"
    var statusIsFailure = false

    package init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }

    /// What is wanted first.
    package var firstActions: [ReviewAction] { [.load(self.filter)] }

    var current: QuarantineSummary? { self.messages.indices.contains(self.selected) ? self.messages[self.selected] : nil }

    /// What an action applies to: the marked messages, else the selected one.
    private var targets: [TransactionID] {
        if self.marked.isEmpty { return self.current.map { [$0.id] } ?? [] }
        return self.messages.map(\.id).filter(self.marked.contains)
    }

    // MARK: Events

    package mutating func handle(_ event: ReviewEvent) -> [ReviewAction] {
        switch event {
        case .key(let key):
            return self.press(key)
        case .resized(let rows, let columns):
            (self.rows, self.columns) = (rows, columns)
            self.scrollToSelection()
            self.movePreview(by: 0)
            return [.redraw]
        case .loaded(let messages, let total):
            return self.load(messages, total)
        case .previewed(let id, let lines):
            if self.current?.id == id {
                self.preview = (id, lines)
                self.movePreview(by: 0)
            }
            return []
        case .done(let id, let text):
            self.finish(id, text, isFailure: false)
            return [.load(self.filter)]
        case .failed(let id, let text):
            self.finish(id, text, isFailure: true)
            return id == nil ? [] : [.load(self.filter)]
        case .closed:
            return [.quit]
        }
    }

    private mutating func finish(_ id: TransactionID?, _ text: String, isFailure: Bool) {
        if let id {
            self.busy.remove(id)
            self.marked.remove(id)
            // What was shown of it is no longer true.
            if self.preview?.id == id { self.preview = nil }
        }
        self.say(text, isFailure: isFailure)
    }

    private mutating func say(_ text: String, isFailure: Bool = false) {
        self.status = HarmlessText.line(text)
        self.statusIsFailure = isFailure
    }

    private mutating func load(_ messages: [QuarantineSummary], _ total: Int) -> [ReviewAction] {
        let old = self.current?.id
        self.messages = messages
        self.total = total
        self.marked.formIntersection(messages.map(\.id))
        // The selection stays with its message; where that is gone, with its place.
        if let old, let index = messages.firstIndex(where: { $0.id == old }) { self.selected = index }
        self.selected = max(0, min(self.selected, messages.count - 1))
        self.scrollToSelection()
        if self.status == "Loading …" { self.say(messages.isEmpty ? "Nothing here." : "") }
        return self.showSelection()
    }

    /// Asks for the selected message's text unless it is there.
    private mutating func showSelection() -> [ReviewAction] {
        guard let id = self.current?.id else {
            self.preview = nil
            if self.mode == .reading { self.mode = .list }
            return []
        }
        guard self.preview?.id != id else { return [] }
        self.preview = nil
        self.previewTop = 0
        return [.preview(id)]
    }

    // MARK: Keys

    private mutating func press(_ key: Key) -> [ReviewAction] {
        switch key {
        case .control("c"): return [.quit]
        case .control("l"): return [.redraw]
        case .control("z"): return [.suspend]
        default: break
        }
        switch self.mode {
        case .list: return self.pressInList(key)
        case .reading: return self.pressInPreview(key)
        case .help:
            self.mode = .list
            return []
        case .filter(let text):
            return self.edit(text, key) {
                .filter($0)
            } accept: {
                $0.accept(filter: $1)
            }
        case .note(let id, let text):
            return self.edit(text, key) {
                .note(id, $0)
            } accept: { model, text in
                model.mode = .list
                return [.note(id, text)]
            }
        case .confirm(_, let action): return self.answer(key, action)
        }
    }

    private mutating func pressInList(_ key: Key) -> [ReviewAction] {
        let page = max(1, self.layout.list - 1)
        switch key {
        case .up, .character("k"): return self.select(self.selected - 1)
        case .down, .character("j"): return self.select(self.selected + 1)
        case .pageUp, .control("b"): return self.select(self.selected - page)
        case .pageDown, .control("f"): return self.select(self.selected + page)
        case .home, .character("g"): return self.select(0)
        case .end, .character("G"): return self.select(self.messages.count - 1)
        case .enter, .right:
            if self.current != nil { self.mode = .reading }
            self.scrollToSelection()
            return []
        case .escape:
            if !self.marked.isEmpty {
                self.marked = []
                return []
            }
            return self.filterText.isEmpty ? [] : self.accept(filter: "")
        case .character("q"): return [.quit]
        default: return self.command(key)
        }
    }

    private mutating func pressInPreview(_ key: Key) -> [ReviewAction] {
        let page = max(1, self.layout.preview - 1)
        switch key {
        case .up, .character("k"): self.movePreview(by: -1)
        case .down, .character("j"): self.movePreview(by: 1)
        case .pageUp, .control("b"): self.movePreview(by: -page)
        case .pageDown, .control("f"), .character(" "): self.movePreview(by: page)
        case .home, .character("g"): self.movePreview(by: -self.previewTop)
        case .end, .character("G"): self.movePreview(by: Int.max / 2)
        case .enter, .escape, .left, .character("q"):
            self.mode = .list
            self.scrollToSelection()
            self.movePreview(by: 0)
        default: return self.command(key)
        }
        return []
    }

    /// Keys that do the same in the list and in the preview.
    private mutating func command(_ key: Key) -> [ReviewAction] {
        switch key {
        case .character("m"), .character(" "): return self.toggleMark()
        case .character("r"): return self.release()
        case .character("d"): self.confirmDelete()
        case .character("x"): return self.current.map { [.export($0.id)] } ?? []
        case .character("n"):
            if let current = self.current { self.mode = .note(current.id, current.note ?? "") }
        case .character("f"), .character("/"): self.mode = .filter(self.filterText)
        case .character("h"), .character("?"): self.mode = .help
        case .character("R"):
            self.say("Loading …")
            return [.load(self.filter)]
        default: break
        }
        return []
    }

    private mutating func toggleMark() -> [ReviewAction] {
        guard let current = self.current else { return [] }
        if self.marked.remove(current.id) == nil { self.marked.insert(current.id) }
        return self.mode == .list ? self.select(self.selected + 1) : []
    }

    private mutating func release() -> [ReviewAction] {
        let targets = self.targets.filter { !self.busy.contains($0) }
        guard !targets.isEmpty else { return [] }
        guard targets.count == 1 else {
            self.mode = .confirm("Release \(targets.count) messages?", .release(targets))
            return []
        }
        return self.start(.release(targets))
    }

    private mutating func confirmDelete() {
        let targets = self.targets.filter { !self.busy.contains($0) }
        guard !targets.isEmpty else { return }
        let what = targets.count == 1 ? "this message" : "\(targets.count) messages"
        self.mode = .confirm("Delete \(what) for good?", .delete(targets))
    }

    private mutating func answer(_ key: Key, _ action: ReviewAction) -> [ReviewAction] {
        self.mode = .list
        guard key == .character("y") || key == .character("Y") else {
            self.say("Nothing done.")
            return []
        }
        return self.start(action)
    }

    private mutating func start(_ action: ReviewAction) -> [ReviewAction] {
        switch action {
        case .release(let ids):
            self.busy.formUnion(ids)
            self.say("Releasing \(ids.count == 1 ? ids[0].text : "\(ids.count) messages") …")
        case .delete(let ids): self.busy.formUnion(ids)
        default: break
        }
        return [action]
    }

    private mutating func accept(filter text: String) -> [ReviewAction] {
        switch ReviewFilter.parse(text) {
        case .failure(let word):
            self.say("\(word.text) means nothing here; \(ReviewFilter.help)", isFailure: true)
            return []
        case .success(let filter):
            self.mode = .list
            self.filterText = text
            self.filter = filter
            self.selected = 0
            self.marked = []
            self.say("Loading …")
            return [.load(filter)]
        }
    }

    /// A line that is typed. Long enough for any filter.
    private static let inputLength = 200

    private mutating func edit(
        _ text: String,
        _ key: Key,
        _ mode: (String) -> Mode,
        accept: (inout ReviewModel, String) -> [ReviewAction]
    ) -> [ReviewAction] {
        switch key {
        case .enter: return accept(&self, text)
        case .escape: self.mode = .list
        case .backspace: self.mode = mode(String(text.dropLast()))
        case .control("u"): self.mode = mode("")
        case .character(let scalar) where text.unicodeScalars.count < Self.inputLength:
            self.mode = mode(text + String(scalar))
        default: break
        }
        return []
    }

    // MARK: Moving

    private mutating func select(_ index: Int) -> [ReviewAction] {
        let wanted = max(0, min(index, self.messages.count - 1))
        guard wanted != self.selected else { return [] }
        self.selected = wanted
        self.scrollToSelection()
        return self.showSelection()
    }

    private mutating func scrollToSelection() {
        let height = max(1, self.layout.list)
        if self.selected < self.top { self.top = self.selected }
        if self.selected >= self.top + height { self.top = self.selected - height + 1 }
        self.top = max(0, min(self.top, self.messages.count - height))
    }

    private mutating func movePreview(by count: Int) {
        let last = max(0, self.previewLines.count - self.layout.preview)
        self.previewTop = max(0, min(self.previewTop + count, last))
    }
}
