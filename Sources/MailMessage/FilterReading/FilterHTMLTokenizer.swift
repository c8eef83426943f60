/// Splits HTML into tags and text as Perl's HTML::Parser does, on which SpamAssassin's view of HTML rests. What is broken is
/// read differently from browsers (`HTMLTokenizer`): a tag or comment that never ends takes all that follows with it.
///
/// Every octet is looked at a bounded number of times: what has no end is found to have none once.
struct FilterHTMLTokenizer {
    enum Token {
        /// Where `isLiteral`, character references in it mean themselves.
        case text(Range<Int>, isLiteral: Bool)
        /// The attributes are in `attributes`.
        case start(name: Range<Int>)
        case end(name: Range<Int>)
        /// An end tag that is not there: of an element that holds raw text and was not closed.
        case implied(end: Literal)
        /// With its delimiters.
        case comment(Range<Int>)
        case documentType
        /// Something without meaning: the start of a marked section, a processing instruction.
        case section

        var isTextOrComment: Bool {
            switch self {
            case .text, .comment: true
            default: false
            }
        }
    }

    struct Attribute {
        var name: Range<Int>
        /// The name for comparing.
        var key: HTMLName
        /// Without quotes; nil for a name alone.
        var value: Range<Int>?
    }

    /// Elements whose content is text up to their end tag.
    enum Literal: String, CaseIterable {
        case script, style, xmp, iframe, plaintext, title, textarea

        /// Character references mean themselves.
        var isRaw: Bool { self != .title && self != .textarea }
    }

    /// Attributes of one tag that are looked at.
    private static let maximumAttributes = 256
    /// Marked sections within each other.
    private static let maximumSections = 64

    private let bytes: [UInt8]
    private(set) var attributes: [Attribute] = []

    /// Where what was not yet told begins, and where the search for markup goes on.
    private var start = 0
    private var position = 0
    private var literal: (kind: Literal, name: [UInt8])?
    /// Character references in text mean themselves.
    private var isRaw = false
    /// To be told before the search goes on.
    private var waiting: Token?
    private var stage = Stage.first
    /// The search has nothing more to find: the rest has no end.
    private var hasStopped = false
    /// Comments end at the first `>`, as the end of one was not found.
    private var hasShortComments = false
    /// An end tag that is told before the next token that is neither text nor comment.
    private var pendingEnd: Literal?
    private var sections: [Section?] = []
    /// The open marked section that counts most.
    private var section: Section?

    private enum Stage {
        /// All of the text is read once; what has no end is put aside.
        case first
        /// What was put aside is read again, as markup that is broken.
        case last
    }

    /// Marked sections of SGML; the higher one counts.
    private enum Section: Int {
        case include = 1
        case replaceable, raw, ignored
    }

    private enum Outcome {
        /// No markup: text.
        case none
        /// It has no end.
        case unfinished
        case done(Token?, next: Int)
    }

    private static let literals: [(kind: Literal, name: [UInt8])] = Literal.allCases.map { ($0, [UInt8](ascii: $0.rawValue)) }

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func next() -> Token? {
        while true {
            let isIgnored = self.section == .ignored
            guard let token = self.take() else {
                if self.hasStopped, self.literal == nil, self.start >= self.bytes.count { return self.takePendingEnd() }
                continue
            }
            if self.pendingEnd != nil, !token.isTextOrComment {
                self.waiting = token
                return self.takePendingEnd()
            }
            if !isIgnored { return token }
        }
    }

    private mutating func takePendingEnd() -> Token? {
        defer { self.pendingEnd = nil }
        return self.pendingEnd.map { .implied(end: $0) }
    }

    /// One step; nil when it told nothing.
    private mutating func take() -> Token? {
        if let token = self.waiting {
            self.waiting = nil
            return token
        }
        if self.hasStopped { return self.rest() }
        if let literal = self.literal { return self.literalText(literal) }
        if self.section == .raw || self.section == .replaceable { return self.sectionText() }
        if let text = self.plainText() { return text }
        if self.hasStopped { return nil }
        guard self.bytes.count - self.position >= 3 else {
            self.hasStopped = true
            return nil
        }
        return self.markup()
    }

    /// What is left when the search has stopped, if anything.
    private mutating func rest() -> Token? {
        let rest = self.start..<self.bytes.count
        if let literal = self.literal { return self.unclosed(literal.kind, rest) }
        guard !rest.isEmpty else { return nil }
        if self.bytes[rest.lowerBound] == 0x3c {
            if !self.hasShortComments {
                self.hasShortComments = true
                self.readAgain()
                return nil
            }
            if rest.count == 1 || self.beginsMarkup(self.bytes[rest.lowerBound + 1]) {
                self.start = rest.upperBound
                return .comment(rest)
            }
        }
        self.start = rest.upperBound
        return .text(rest, isLiteral: self.isRaw)
    }

    /// An element of raw text without its end.
    private mutating func unclosed(_ kind: Literal, _ rest: Range<Int>) -> Token? {
        self.literal = nil
        switch kind {
        case .script, .style:
            if self.stage == .first {
                self.isRaw = false
                self.start = rest.upperBound
                guard !rest.isEmpty else { return .implied(end: kind) }
                self.waiting = .implied(end: kind)
                return .text(rest, isLiteral: true)
            }
            // Taken for empty, and what should be within it for markup.
            self.readAgain()
            return .implied(end: kind)
        case .title:
            guard !rest.isEmpty else { return nil }
            self.pendingEnd = .title
            self.readAgain()
            return nil
        case .plaintext, .xmp, .iframe, .textarea:
            guard !rest.isEmpty else { return nil }
            self.start = rest.upperBound
            return .text(rest, isLiteral: self.isRaw)
        }
    }

    private mutating func readAgain() {
        self.stage = .last
        self.position = self.start
        self.hasStopped = false
    }

    // MARK: Text

    /// Text up to the next `<`; nil when there is none.
    private mutating func plainText() -> Token? {
        let end = self.bytes.count
        while self.position < end, self.bytes[self.position] != 0x3c {
            if self.section != nil, self.bytes[self.position] == 0x5d {
                if self.has([0x5d, 0x3e], at: self.position + 1) {
                    let text = self.start..<self.position
                    self.position += 3
                    self.start = self.position
                    self.endSection()
                    return .text(text, isLiteral: false)
                }
                // The octet behind `]` or `]]` is not looked at.
                self.position += self.has([0x5d], at: self.position + 1) ? 2 : 1
            }
            self.position += 1
        }
        self.position = min(self.position, end)
        guard self.position != self.start else { return nil }
        if self.position < end {
            defer { self.start = self.position }
            return .text(self.start..<self.position, isLiteral: self.isRaw)
        }
        // The last word, or the white space at the end, is told by itself.
        var last = end - 1
        if !self.bytes[last].isSpace { while last >= self.start, !self.bytes[last].isSpace { last -= 1 } }
        while last >= self.start, self.bytes[last].isSpace { last -= 1 }
        let text = self.start..<(last + 1)
        self.start = last + 1
        self.hasStopped = true
        return text.isEmpty ? nil : .text(text, isLiteral: self.isRaw)
    }

    private mutating func literalText(_ literal: (kind: Literal, name: [UInt8])) -> Token? {
        guard literal.kind != .plaintext, let (end, next) = self.literalEnd(literal.name) else {
            self.hasStopped = true
            return nil
        }
        let text = self.start..<end
        let isRaw = self.isRaw
        self.start = next
        self.position = next
        self.literal = nil
        self.isRaw = false
        let tag = Token.end(name: (end + 2)..<(end + 2 + literal.name.count))
        guard !text.isEmpty else { return tag }
        self.waiting = tag
        return .text(text, isLiteral: isRaw)
    }

    /// Where the end tag of a literal element begins and ends.
    private func literalEnd(_ name: [UInt8]) -> (Int, Int)? {
        var index = self.start
        while let open = self.bytes.firstIndex(of: 0x3c, from: index) {
            index = open + 1
            guard self.has([0x2f], at: index), self.bytes.hasPrefix(name, at: index + 1) else { continue }
            index = self.skipSpace(index + 1 + name.count)
            if self.has([0x3e], at: index) { return (open, index + 1) }
        }
        return nil
    }

    // MARK: Markup

    /// Markup at the position, where `<` stands; nil when it is none.
    private mutating func markup() -> Token? {
        let begin = self.position
        self.position += 1
        let outcome: Outcome
        switch self.bytes[begin + 1] {
        case let first where Self.beginsName(first): outcome = self.startTag(begin)
        case 0x2f: outcome = self.endTag(begin)
        case 0x21: outcome = self.declaration(begin)
        case 0x3f: outcome = self.process(begin)
        default: outcome = .none
        }
        switch outcome {
        case .none:
            return nil
        case .unfinished:
            self.hasStopped = true
            return nil
        case .done(let token, let next):
            self.start = next
            self.position = next
            if case .start(let name) = token { self.enterLiteral(name) }
            return token
        }
    }

    private func beginsMarkup(_ octet: UInt8) -> Bool {
        Self.beginsName(octet) || octet == 0x2f || octet == 0x21 || octet == 0x3f
    }

    private mutating func enterLiteral(_ name: Range<Int>) {
        guard let found = Self.literals.first(where: { self.bytes.matches($0.name, in: name) }) else { return }
        self.literal = found
        self.isRaw = found.kind.isRaw
    }

    private mutating func startTag(_ begin: Int) -> Outcome {
        let end = self.bytes.count
        var index = self.wordEnd(begin + 2)
        let name = (begin + 1)..<index
        self.attributes.removeAll(keepingCapacity: true)
        index = self.skipSpace(index)
        while index < end, self.bytes[index] != 0x3e {
            let attribute = index
            index += 1
            while index < end, self.bytes[index] != 0x3d, self.bytes[index] != 0x3e, !self.bytes[index].isSpace { index += 1 }
            let attributeName = attribute..<index
            index = self.skipSpace(index)
            guard index < end else { return .unfinished }
            guard self.bytes[index] == 0x3d else {
                self.add(attributeName, nil)
                continue
            }
            index = self.skipSpace(index + 1)
            guard index < end else { return .unfinished }
            let octet = self.bytes[index]
            if octet == 0x3e {
                self.add(attributeName, index..<index)
                break
            }
            if octet == 0x22 || octet == 0x27 {
                guard let close = self.bytes.firstIndex(of: octet, from: index + 1) else { return .unfinished }
                self.add(attributeName, (index + 1)..<close)
                index = close + 1
            } else {
                let word = index
                index = self.wordEnd(index)
                self.add(attributeName, word..<index)
            }
            index = self.skipSpace(index)
        }
        guard index < end else { return .unfinished }
        return .done(.start(name: name), next: index + 1)
    }

    private mutating func add(_ name: Range<Int>, _ value: Range<Int>?) {
        guard self.attributes.count < Self.maximumAttributes else { return }
        self.attributes.append(Attribute(name: name, key: HTMLName(self.bytes, name), value: value))
    }

    private func endTag(_ begin: Int) -> Outcome {
        let nameStart = begin + 2
        guard nameStart < self.bytes.count else { return .unfinished }
        let nameEnd = self.wordEnd(nameStart)
        guard let close = self.tagEnd(nameEnd) else { return .unfinished }
        if nameEnd == nameStart { return .done(.comment(begin..<(close + 1)), next: close + 1) }
        return .done(.end(name: nameStart..<nameEnd), next: close + 1)
    }

    /// The next `>` outside of quotes that stand behind white space or `=`.
    private func tagEnd(_ start: Int) -> Int? {
        var quote: UInt8 = 0
        var before: UInt8 = .space
        for index in start..<self.bytes.count {
            let octet = self.bytes[index]
            if quote == 0, octet == 0x3e { return index }
            if octet == 0x22 || octet == 0x27 {
                if octet == quote {
                    quote = 0
                } else if quote == 0, before == .space || before == 0x3d {
                    quote = octet
                }
            }
            before = octet
        }
        return nil
    }

    private func process(_ begin: Int) -> Outcome {
        guard let close = self.bytes.firstIndex(of: 0x3e, from: begin + 2) else { return .unfinished }
        return .done(.section, next: close + 1)
    }

    // MARK: Declarations

    private mutating func declaration(_ begin: Int) -> Outcome {
        let index = begin + 2
        guard index < self.bytes.count else { return .unfinished }
        switch self.bytes[index] {
        case 0x2d:
            guard index + 1 < self.bytes.count else { return .unfinished }
            if self.bytes[index + 1] == 0x2d { return self.comment(begin) }
        case 0x5b:
            if let outcome = self.markedSection(begin) { return outcome }
        case let letter where letter.isLetter:
            if let outcome = self.documentType(begin) { return outcome }
        default:
            break
        }
        guard let close = self.bytes.firstIndex(of: 0x3e, from: index) else { return .unfinished }
        return .done(.comment(begin..<(close + 1)), next: close + 1)
    }

    /// Up to `--`, white space and `>`.
    private func comment(_ begin: Int) -> Outcome {
        var index = begin + 4
        if self.hasShortComments {
            guard let close = self.bytes.firstIndex(of: 0x3e, from: index) else { return .unfinished }
            return .done(.comment(begin..<(close + 1)), next: close + 1)
        }
        while let dash = self.bytes.firstIndex(of: 0x2d, from: index) {
            index = dash + 1
            guard self.has([0x2d], at: index) else { continue }
            let close = self.skipSpace(index + 1)
            if self.has([0x3e], at: close) { return .done(.comment(begin..<(close + 1)), next: close + 1) }
        }
        return .unfinished
    }

    private static let documentTypeName = [UInt8](ascii: "doctype")
    private static let entityName = [UInt8](ascii: "entity")

    /// `<!DOCTYPE …>` with its words, strings and comments; nil when it is none.
    private func documentType(_ begin: Int) -> Outcome? {
        let end = self.bytes.count
        var index = begin + 2
        while index < end, self.isNameOctet(self.bytes[index]) { index += 1 }
        guard index < end else { return .unfinished }
        let name = (begin + 2)..<index
        let isDocumentType = self.bytes.matches(Self.documentTypeName, in: name)
        guard isDocumentType || self.bytes.matches(Self.entityName, in: name) else { return nil }
        while true {
            index = self.skipSpace(index)
            guard index < end else { return .unfinished }
            switch self.bytes[index] {
            case 0x3e:
                return .done(isDocumentType ? .documentType : .section, next: index + 1)
            case let quote where quote == 0x22 || quote == 0x27:
                guard let close = self.bytes.firstIndex(of: quote, from: index + 1) else { return .unfinished }
                index = close + 1
            case 0x2d:
                guard index + 1 < end else { return .unfinished }
                guard self.bytes[index + 1] == 0x2d else { return nil }
                guard let close = self.doubleDash(from: index + 2) else { return .unfinished }
                index = close + 2
            default:
                index = self.wordEnd(index + 1)
                guard index < end else { return .unfinished }
            }
        }
    }

    private func doubleDash(from start: Int) -> Int? {
        var index = start
        while let dash = self.bytes.firstIndex(of: 0x2d, from: index) {
            if self.has([0x2d], at: dash + 1) { return dash }
            // The octet behind a single dash is passed over unlooked at only when it is none.
            index = dash + 1
        }
        return nil
    }

    private static func beginsName(_ octet: UInt8) -> Bool { octet.isLetter || octet == 0x5f || octet == 0x3a }

    private func isNameOctet(_ octet: UInt8) -> Bool {
        octet.isAlphanumeric || octet == 0x2e || octet == 0x3a || octet == 0x5f || octet == 0x2d
    }

    /// `<![CDATA[` and its like; nil when it is none.
    private mutating func markedSection(_ begin: Int) -> Outcome? {
        let end = self.bytes.count
        var index = begin + 3
        var names: [Section?] = []
        while true {
            index = self.skipSpace(index)
            while index < end, Self.beginsName(self.bytes[index]) {
                let name = index
                while index < end, self.isNameOctet(self.bytes[index]) { index += 1 }
                names.append(self.section(named: name..<index))
                index = self.skipSpace(index)
                guard index < end else { return .unfinished }
            }
            guard self.has([0x2d, 0x2d], at: index) else { break }
            guard let close = self.doubleDash(from: index + 2) else { return .unfinished }
            index = close + 2
        }
        guard self.has([0x5b], at: index) else { return nil }
        guard self.sections.count < Self.maximumSections else { return nil }
        self.sections.append(names.isEmpty ? .include : names.compactMap { $0 }.max { $0.rawValue < $1.rawValue })
        self.updateSection()
        return .done(.section, next: index + 1)
    }

    private func section(named name: Range<Int>) -> Section? {
        switch [UInt8](self.bytes[name]).lowercasedASCII().text {
        case "include": .include
        case "rcdata": .replaceable
        case "cdata": .raw
        case "ignore": .ignored
        default: nil
        }
    }

    private mutating func updateSection() {
        self.section = self.sections.compactMap { $0 }.max { $0.rawValue < $1.rawValue }
        self.isRaw = self.section == .raw
    }

    private mutating func endSection() {
        self.sections.removeLast()
        self.updateSection()
    }

    private mutating func sectionText() -> Token? {
        var index = self.start
        while let close = self.bytes.firstIndex(of: 0x5d, from: index) {
            index = close + 1
            guard self.has([0x5d, 0x3e], at: index) else { continue }
            let text = self.start..<close
            let isRaw = self.isRaw
            self.start = close + 3
            self.position = self.start
            self.endSection()
            return text.isEmpty ? nil : .text(text, isLiteral: isRaw)
        }
        self.hasStopped = true
        return nil
    }

    // MARK: Octets

    private func has(_ octets: [UInt8], at index: Int) -> Bool {
        guard index + octets.count <= self.bytes.count else { return false }
        for (offset, octet) in octets.enumerated() where self.bytes[index + offset] != octet { return false }
        return true
    }

    private func wordEnd(_ start: Int) -> Int {
        var index = start
        while index < self.bytes.count, self.bytes[index] != 0x3e, !self.bytes[index].isSpace { index += 1 }
        return index
    }

    private func skipSpace(_ start: Int) -> Int {
        var index = start
        while index < self.bytes.count, self.bytes[index].isSpace { index += 1 }
        return index
    }
}
