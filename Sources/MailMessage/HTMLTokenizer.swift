/// A name of an element or attribute in one word: up to ten letters, digits and hyphens, six bits each, case folded; 0 for
/// any other name. Comparing names is then comparing numbers.
struct HTMLName: Hashable {
    let key: UInt64

    /// One word is hashed, not its parts: tables of names are asked for every tag.
    func hash(into hasher: inout Hasher) {
        hasher.combine(self.key)
    }

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        guard range.count <= 10 else {
            self.key = 0
            return
        }
        var key: UInt64 = 0
        for index in range {
            let code: UInt64
            switch bytes[index].lowercased {
            case let letter where letter >= 0x61 && letter <= 0x7a: code = UInt64(letter) - 0x60
            case let digit where digit.isDigit: code = UInt64(digit) - 0x30 + 27
            case 0x2d: code = 37
            default:
                self.key = 0
                return
            }
            key = key << 6 | code
        }
        self.key = key
    }

    init(_ name: String) {
        let bytes = [UInt8](ascii: name)
        self.init(bytes, 0..<bytes.count)
    }
}

struct HTMLAttribute {
    var name: HTMLName
    /// Range of the value in the text, quotes excluded.
    var value: Range<Int>
    /// A name that begins with `on`.
    var isEventHandler: Bool
}

enum HTMLToken {
    case text(Range<Int>)
    case startTag(HTMLName, [HTMLAttribute])
    case endTag(HTMLName)
    case comment
}

/// Splits HTML into tags and text as browsers do (HTML Living Standard §13.2.5), never failing, in one pass.
struct HTMLTokenizer {
    /// Attributes of one tag that are looked at.
    private static let maximumAttributes = 128

    private let bytes: [UInt8]
    private var position = 0
    /// Known once none was found: no later one is there.
    private var hasNoCommentEnd = false
    private var hasNoDoubleQuote = false
    private var hasNoSingleQuote = false
    private var rawTextEnd: [UInt8]?

    private static let commentEnd = [UInt8](ascii: "-->")
    private static let brokenCommentEnd = [UInt8](ascii: "--!>")
    private static let rawTextElements: [HTMLName: [UInt8]] = {
        var result: [HTMLName: [UInt8]] = [:]
        for name in ["script", "style", "title", "textarea", "xmp"] { result[HTMLName(name)] = [UInt8](ascii: "</" + name) }
        return result
    }()

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func next() -> HTMLToken? {
        guard self.position < self.bytes.count else { return nil }
        if let end = self.rawTextEnd {
            self.rawTextEnd = nil
            let text = self.position..<self.find(end, from: self.position)
            self.position = text.upperBound
            if !text.isEmpty { return .text(text) }
            guard self.position < self.bytes.count else { return nil }
        }
        if self.bytes[self.position] == 0x3c, let token = self.markup() { return token }
        return self.text()
    }

    /// Text up to what looks like markup.
    private mutating func text() -> HTMLToken {
        let start = self.position
        self.position += 1
        while self.position < self.bytes.count {
            if self.bytes[self.position] == 0x3c, self.beginsMarkup(self.position) { break }
            self.position += 1
        }
        return .text(start..<self.position)
    }

    private func beginsMarkup(_ index: Int) -> Bool {
        guard index + 1 < self.bytes.count else { return false }
        let next = self.bytes[index + 1]
        if next == 0x2f {
            return index + 2 < self.bytes.count && (self.bytes[index + 2].isLetter || self.bytes[index + 2] == 0x3e)
        }
        return next.isLetter || next == 0x21 || next == 0x3f
    }

    private mutating func markup() -> HTMLToken? {
        guard self.beginsMarkup(self.position) else { return nil }
        switch self.bytes[self.position + 1] {
        case 0x21: return self.declaration()
        case 0x3f:
            self.skipPast(0x3e)
            return .comment
        case 0x2f: return self.endTag()
        default: return self.startTag()
        }
    }

    private mutating func declaration() -> HTMLToken {
        guard self.bytes.hasPrefix([0x21, 0x2d, 0x2d], at: self.position + 1) else {
            self.skipPast(0x3e)
            return .comment
        }
        // `<!-->` and `<!--->` are whole comments.
        let start = self.position + 4
        for shortEnd in [[0x3e], [0x2d, 0x3e]] as [[UInt8]] where self.bytes.hasPrefix(shortEnd, at: start) {
            self.position = start + shortEnd.count
            return .comment
        }
        var index = start
        while !self.hasNoCommentEnd, index < self.bytes.count {
            if self.bytes[index] == 0x2d {
                for end in [Self.commentEnd, Self.brokenCommentEnd] where self.bytes.hasPrefix(end, at: index) {
                    self.position = index + end.count
                    return .comment
                }
            }
            index += 1
        }
        self.hasNoCommentEnd = true
        self.position = self.bytes.count
        return .comment
    }

    private mutating func endTag() -> HTMLToken {
        let start = self.position + 2
        self.position = start
        while self.position < self.bytes.count, !self.endsName(self.bytes[self.position]) { self.position += 1 }
        let name = HTMLName(self.bytes, start..<self.position)
        self.skipPast(0x3e)
        return .endTag(name)
    }

    private mutating func startTag() -> HTMLToken {
        let start = self.position + 1
        self.position = start
        while self.position < self.bytes.count, !self.endsName(self.bytes[self.position]) { self.position += 1 }
        let name = HTMLName(self.bytes, start..<self.position)
        var attributes: [HTMLAttribute] = []
        while let attribute = self.attribute() {
            if attributes.count < Self.maximumAttributes { attributes.append(attribute) }
        }
        self.rawTextEnd = Self.rawTextElements[name]
        return .startTag(name, attributes)
    }

    private func endsName(_ octet: UInt8) -> Bool { octet.isSpace || octet == 0x2f || octet == 0x3e }

    /// The next attribute; nil when the tag is closed, which is then passed.
    private mutating func attribute() -> HTMLAttribute? {
        while self.position < self.bytes.count, self.bytes[self.position].isSpace || self.bytes[self.position] == 0x2f {
            self.position += 1
        }
        guard self.position < self.bytes.count else { return nil }
        if self.bytes[self.position] == 0x3e {
            self.position += 1
            return nil
        }
        let start = self.position
        self.position += 1
        while self.position < self.bytes.count, !self.endsName(self.bytes[self.position]), self.bytes[self.position] != 0x3d {
            self.position += 1
        }
        let end = self.position
        while self.position < self.bytes.count, self.bytes[self.position].isSpace { self.position += 1 }
        var value = end..<end
        if self.position < self.bytes.count, self.bytes[self.position] == 0x3d {
            self.position += 1
            value = self.attributeValue()
        }
        return HTMLAttribute(
            name: HTMLName(self.bytes, start..<end),
            value: value,
            isEventHandler: end - start > 3 && self.bytes[start].lowercased == 0x6f && self.bytes[start + 1].lowercased == 0x6e
        )
    }

    private mutating func attributeValue() -> Range<Int> {
        while self.position < self.bytes.count, self.bytes[self.position].isSpace { self.position += 1 }
        guard self.position < self.bytes.count else { return self.position..<self.position }
        let quote = self.bytes[self.position]
        if quote == 0x22 || quote == 0x27, let end = self.closingQuote(quote) {
            let value = (self.position + 1)..<end
            self.position = end + 1
            return value
        }
        if quote == 0x22 || quote == 0x27 { self.position += 1 }
        let start = self.position
        while self.position < self.bytes.count, !self.bytes[self.position].isSpace, self.bytes[self.position] != 0x3e {
            self.position += 1
        }
        return start..<self.position
    }

    private mutating func closingQuote(_ quote: UInt8) -> Int? {
        if quote == 0x22 ? self.hasNoDoubleQuote : self.hasNoSingleQuote { return nil }
        if let end = self.bytes.firstIndex(of: quote, from: self.position + 1) { return end }
        if quote == 0x22 { self.hasNoDoubleQuote = true } else { self.hasNoSingleQuote = true }
        return nil
    }

    private mutating func skipPast(_ octet: UInt8) {
        self.position = self.bytes.firstIndex(of: octet, from: self.position).map { $0 + 1 } ?? self.bytes.count
    }

    private func find(_ lowercase: [UInt8], from start: Int) -> Int {
        var index = start
        while index < self.bytes.count {
            if self.bytes[index] == 0x3c, self.bytes.hasPrefix(lowercase, at: index) { return index }
            index += 1
        }
        return self.bytes.count
    }
}
