/// Walks the tokens of HTML as SpamAssassin does, and keeps its counts.
struct FilterHTMLRenderer {
    /// Names of tags that are counted each by itself; enough for any honest mail.
    private static let maximumNames = 10_000
    /// Elements within each other whose styles are kept. Styles are read from the last that is.
    private static let maximumDepth = 100_000
    /// Comments, anchors and scripts that are kept.
    static let maximumTexts = 10_000
    /// Links that are kept, and octets of one.
    static let maximumLinks = 10_000
    static let maximumLink = 8_192

    var result = FilterHTML()

    let bytes: [UInt8]
    private let isDecodedInput: Bool
    private var tokenizer: FilterHTMLTokenizer

    // Names of tags.
    private struct Tag {
        var name: [UInt8]
        var element: FilterHTMLElement
        /// `o:p` of office programs.
        var isNamespaced: Bool
        /// Start tags less end tags; nil before the first.
        var open: Int?
        /// Styles on the stack that it has.
        var styles = 0
    }
    private var tags: [Tag] = []
    private var indices: [HTMLName: Int] = [:]
    private var otherIndices: [[UInt8]: Int] = [:]

    // Open elements.
    private var styles: [FilterHTMLStyle] = [FilterHTMLStyle(element: -1)]
    private var baseSize = 3
    private var scriptDepth = 0
    private var styleDepth = 0
    var anchorDepth = 0
    private var titleDepth = 0

    // The last piece of rendered text.
    private enum Piece {
        case none, text, invisible, whiteSpace
    }
    private var last = Piece.none
    private var isLastDecoded = false
    private var lastStart = 0

    // Links.
    var linkIndices: [OctetKey: Int] = [:]
    var base: [UInt8] = []
    /// Of the last `<a>`, in `result.links`.
    var anchorLink: Int?

    init(_ text: FilterCharset.Text) {
        let prepared = Self.prepared(text.bytes)
        self.bytes = prepared
        self.isDecodedInput = text.isDecoded
        self.tokenizer = FilterHTMLTokenizer(prepared)
        self.result.isDecoded = text.isDecoded
        self.result.length = text.bytes.count { $0 & 0xc0 != 0x80 }
        self.result.rendered.reserveCapacity(prepared.count / 2)
    }

    mutating func render() {
        while let token = self.tokenizer.next() {
            switch token {
            case .text(let range, let isLiteral): self.text(range, isLiteral: isLiteral)
            case .start(let name): self.start(self.tagIndex(name))
            case .end(let name): self.end(self.tagIndex(name))
            case .implied(let literal):
                let name = [UInt8](ascii: literal.rawValue)
                self.end(self.tagIndex(HTMLName(name, 0..<name.count), name))
            case .comment(let range):
                if self.result.comments.count < Self.maximumTexts { self.result.comments.append([UInt8](self.bytes[range])) }
            case .documentType:
                self.result.elements = (self.result.elements ?? 0) + 1
                self.result.tags = (self.result.tags ?? 0) + 1
                self.result.open[[UInt8](ascii: "!doctype")] = 0
            case .section: break
            }
        }
        for tag in self.tags { if let open = tag.open { self.result.open[tag.name] = open } }
    }

    // MARK: Preparation

    private static let nbsp = [UInt8](ascii: "&nbsp;")

    /// `&nbsp;` is a space, `<br/>` is `<br>`, and curly quotes are straight ones.
    private static func prepared(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var copied = 0
        var index = 0
        while index < bytes.count {
            guard let (range, octet) = self.replacement(bytes, at: index) else {
                index += 1
                continue
            }
            if result.isEmpty { result.reserveCapacity(bytes.count) }
            result.append(contentsOf: bytes[copied..<range.lowerBound])
            result.append(octet)
            index = range.upperBound
            copied = index
        }
        guard copied > 0 else { return bytes }
        result.append(contentsOf: bytes[copied...])
        return result
    }

    /// What becomes another octet of that which begins at `index`.
    @inline(__always)
    private static func replacement(_ bytes: [UInt8], at index: Int) -> (Range<Int>, UInt8)? {
        let octet = bytes[index]
        // Most are none of the three.
        guard octet == 0x3c || octet == 0x26 || octet == 0xe2 else { return nil }
        if octet == 0x3c { return self.emptyTag(bytes, index).map { (name, end) in (name..<end, 0x3e) } }
        if octet == 0x26 { return bytes[index...].starts(with: self.nbsp) ? (index..<(index + 6), .space) : nil }
        let isQuote = bytes.count - index >= 3 && bytes[index + 1] == 0x80 && bytes[index + 2] & 0xfe == 0x9c
        return isQuote ? (index..<(index + 3), 0x22) : nil
    }

    /// Where the name of `<name />` ends, and the tag.
    private static func emptyTag(_ bytes: [UInt8], _ start: Int) -> (Int, Int)? {
        var index = start + 1
        while index < bytes.count, bytes[index].isWord { index += 1 }
        guard index > start + 1 else { return nil }
        let name = index
        while index < bytes.count, bytes[index].isSpace { index += 1 }
        guard index + 1 < bytes.count, bytes[index] == 0x2f, bytes[index + 1] == 0x3e else { return nil }
        return (name, index + 2)
    }

    // MARK: Names

    private mutating func tagIndex(_ range: Range<Int>) -> Int {
        let name = HTMLName(self.bytes, range)
        if name.key != 0, let index = self.indices[name] { return index }
        return self.tagIndex(name, [UInt8](self.bytes[range]).lowercasedASCII())
    }

    private mutating func tagIndex(_ name: HTMLName, _ octets: [UInt8]) -> Int {
        if let index = name.key != 0 ? self.indices[name] : self.otherIndices[octets] { return index }
        // Too many: the last one stands for all further ones.
        guard self.tags.count < Self.maximumNames else {
            self.result.areElementsCut = true
            return self.tags.count - 1
        }
        let index = self.tags.count
        self.tags.append(Tag(name: octets, element: .named(name), isNamespaced: Self.isNamespaced(octets)))
        if name.key != 0 { self.indices[name] = index } else { self.otherIndices[octets] = index }
        return index
    }

    /// `o:p`, `st1:place`.
    private static func isNamespaced(_ name: [UInt8]) -> Bool {
        let rest: ArraySlice<UInt8>
        if name.starts(with: [0x6f, 0x3a]) {
            rest = name[2...]
        } else if name.count > 4, name.starts(with: [0x73, 0x74]), name[2].isDigit, name[3] == 0x3a {
            rest = name[4...]
        } else {
            return false
        }
        let word = rest.last == 0x2f ? rest.dropLast() : rest
        return !word.isEmpty && word.allSatisfy { $0.isWord || $0 == 0x2d || $0 >= 0x80 }
    }

    // MARK: Tags

    private mutating func count(_ index: Int, _ change: Int) {
        let tag = self.tags[index]
        let isNew = tag.open == nil
        if tag.element.isKnown || tag.isNamespaced {
            self.result.elements = (self.result.elements ?? 0) + 1
            if isNew { self.result.elementsSeen = (self.result.elementsSeen ?? 0) + 1 }
        }
        self.result.tags = (self.result.tags ?? 0) + 1
        if isNew { self.result.tagsSeen = (self.result.tagsSeen ?? 0) + 1 }
        var open = (tag.open ?? 0) + change
        if open < 0 {
            open = 0
            self.result.extraEnds += 1
        }
        self.tags[index].open = open
        switch tag.element.kind {
        case .script: self.scriptDepth = open
        case .style: self.styleDepth = open
        case .a: self.anchorDepth = open
        case .title: self.titleDepth = open
        default: break
        }
    }

    private mutating func start(_ index: Int) {
        self.count(index, 1)
        let element = self.tags[index].element
        guard element.isHandled, !self.tags[index].isNamespaced else { return }
        if element.isStyled { self.openStyle(index, element) }
        self.whiteSpace(element.breaks)
        self.collectLinks(element)
        self.examine(element)
    }

    private mutating func end(_ index: Int) {
        self.count(index, -1)
        let element = self.tags[index].element
        guard element.isHandled, !self.tags[index].isNamespaced else { return }
        if element.isStyled, element.kind != .body { self.closeStyle(self.cellIndex(index, element)) }
        self.whiteSpace(element.breaks)
    }

    // MARK: Styles

    /// A heading cell is styled as a cell.
    private mutating func cellIndex(_ index: Int, _ element: FilterHTMLElement) -> Int {
        guard element.kind == .th else { return index }
        return self.tagIndex(.td, [UInt8](ascii: "td"))
    }

    private mutating func openStyle(_ index: Int, _ element: FilterHTMLElement) {
        if element.kind == .basefont, let size = self.value(.size), let number = Self.number(size.trimmed()[...]) {
            self.baseSize = number
            return
        }
        let index = self.cellIndex(index, element)
        let kind: FilterHTMLElement.Kind = element.kind == .th ? .td : element.kind
        if kind == .td || kind == .tr { self.closeCells(index, isRow: kind == .tr) }
        let parent = self.styles[self.styles.count - 1]
        var style = parent
        style.element = index
        switch kind {
        case .big: style.size += 1
        case .small: style.size -= 1
        default: self.applyAttributes(kind, parent, &style)
        }
        guard self.styles.count < Self.maximumDepth else {
            self.result.areElementsCut = true
            return
        }
        self.styles.append(style)
        self.tags[index].styles += 1
    }

    private mutating func applyAttributes(
        _ kind: FilterHTMLElement.Kind,
        _ parent: FilterHTMLStyle,
        _ style: inout FilterHTMLStyle
    ) {
        // The first of a name counts; there are few names.
        var names: [HTMLName] = []
        for attribute in self.tokenizer.attributes where Self.isStyling(attribute.key, kind) && !names.contains(attribute.key) {
            names.append(attribute.key)
            let value = self.decoded(attribute)
            switch attribute.key {
            case .text, .color: style.foreground = FilterHTMLColor(name: value)
            case .size: style.size = self.size(value) ?? style.size
            case .style: style.apply(declarations: value, parent: parent)
            default: break
            }
            if style.size > self.result.largestFont {
                self.result.largestFont = style.size
            } else if style.size < self.result.smallestFont {
                self.result.smallestFont = style.size
            }
        }
    }

    private static func isStyling(_ name: HTMLName, _ kind: FilterHTMLElement.Kind) -> Bool {
        switch kind {
        case .basefont, .font: name == .color || name == .face || name == .size
        case .body: [.text, .bgcolor, .link, .alink, .vlink, .background].contains(name)
        case .table, .td, .tr: name == .bgcolor || name == .style
        case .span, .p, .div, .a: name == .style
        default: false
        }
    }

    /// `4`, or relative to the base: `+1`.
    private func size(_ value: [UInt8]) -> Int? {
        let text = value.trimmed()[...]
        switch text.first {
        case 0x2b: return Self.number(text.dropFirst()).map { self.baseSize + $0 }
        case 0x2d: return Self.number(text.dropFirst()).map { self.baseSize - $0 }
        default: return Self.number(text)
        }
    }

    /// The digits that it begins with.
    private static func number(_ text: ArraySlice<UInt8>) -> Int? {
        let digits = text.prefix { $0.isDigit }
        return digits.isEmpty ? nil : digits.reduce(0) { min($0 * 10 + Int($1 - 0x30), 1_000_000_000) }
    }

    /// A cell ends an open cell, a row open cells and rows, as far as nothing but fonts is in between.
    private mutating func closeCells(_ index: Int, isRow: Bool) {
        guard self.tags[index].styles > 0 else { return }
        while let top = self.styles.last, top.element >= 0 {
            let kind = self.tags[top.element].element.kind
            guard kind == .font || kind == .td || (isRow && kind == .tr) else { return }
            self.popStyle()
        }
    }

    private mutating func closeStyle(_ index: Int) {
        guard self.tags[index].styles > 0 else { return }
        while let top = self.styles.last, top.element >= 0 {
            self.popStyle()
            if top.element == index { return }
        }
    }

    private mutating func popStyle() {
        let style = self.styles.removeLast()
        self.tags[style.element].styles -= 1
    }

    // MARK: Text

    private mutating func text(_ range: Range<Int>, isLiteral: Bool) {
        if self.styleDepth > 0, self.scriptDepth == 0 { return }
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        var isDecoded = self.isDecodedInput
        if isLiteral {
            text.append(contentsOf: self.bytes[range])
        } else if FilterEntities.decode(self.bytes, range, inAttribute: false, into: &text) {
            isDecoded = true
        }
        if self.scriptDepth > 0 {
            if self.result.scripts.count < Self.maximumTexts { self.result.scripts.append(text) }
            return
        }
        if self.anchorDepth > 0 { self.appendToAnchor(text) }
        if self.titleDepth > 0, !self.result.titles.isEmpty {
            self.result.titles[self.result.titles.count - 1].append(contentsOf: text)
        }
        let isInvisible = !Self.isBlank(text) && self.isInvisible()
        if isDecoded { self.result.isDecoded = true }
        self.noteSplitWord(text, isDecoded: isDecoded)
        self.display(text, isInvisible: isInvisible)
        self.isLastDecoded = isDecoded
    }

    /// White space of ASCII alone, or with the two characters that NBSP is when it was decoded twice.
    private static func isBlank(_ text: [UInt8]) -> Bool {
        var index = 0
        while index < text.count {
            if text[index].isSpace {
                index += 1
            } else if self.isDoubleNBSP(text, at: index) {
                index += 4
            } else {
                return false
            }
        }
        return true
    }

    /// U+00C2 U+00A0
    @inline(__always)
    private static func isDoubleNBSP(_ text: [UInt8], at index: Int) -> Bool {
        text[index] == 0xc3 && index + 3 < text.count && text[index + 1] == 0x82 && text[index + 2] == 0xc2
            && text[index + 3] == 0xa0
    }

    private mutating func isInvisible() -> Bool {
        let style = self.styles[self.styles.count - 1]
        if style.foreground == style.background {
            self.result.hasLowContrast = true
            return true
        }
        // Below it text is very hard to read.
        if let distance = style.foreground.distance(to: style.background), distance < 12 {
            self.result.hasLowContrast = true
            return true
        }
        if style.foreground == .invalid || style.background == .invalid {
            self.result.hasInvalidColor = true
            return true
        }
        return style.size <= 1 || style.isDisplayNone || style.isVisibilityHidden
    }

    private mutating func display(_ text: [UInt8], isInvisible: Bool) {
        let start = self.result.rendered.count
        var mayBeginWithSpace = self.last != .whiteSpace || isInvisible
        var index = 0
        while index < text.count {
            let octet = text[index]
            if octet.isSpace {
                while index < text.count, text[index].isSpace { index += 1 }
            } else if octet == 0xc3, Self.isDoubleNBSP(text, at: index) {
                index += 4
            } else {
                let words = index
                index = Self.wordsEnd(text, from: index + 1)
                self.result.rendered.append(contentsOf: text[words..<index])
                mayBeginWithSpace = true
                continue
            }
            if mayBeginWithSpace { self.result.rendered.append(.space) }
            mayBeginWithSpace = true
        }
        self.lastStart = start
        self.last = isInvisible ? .invisible : .text
    }

    /// Where words end that have single spaces between them: they are shown as they are written.
    private static func wordsEnd(_ text: [UInt8], from start: Int) -> Int {
        func isPlain(_ octet: UInt8) -> Bool { octet > 0x20 && octet != 0xc3 }
        var index = start
        while index < text.count {
            if isPlain(text[index]) {
                index += 1
            } else if text[index] == .space, index + 1 < text.count, isPlain(text[index + 1]) {
                index += 2
            } else {
                break
            }
        }
        return index
    }

    private mutating func whiteSpace(_ breaks: FilterHTMLElement.Break) {
        if breaks == .none { return }
        if self.last == .text, self.result.rendered.count > self.lastStart, self.result.rendered.last == .space {
            self.result.rendered.removeLast()
        }
        self.lastStart = self.result.rendered.count
        switch breaks {
        case .none: return
        case .space: self.result.rendered.append(.space)
        case .line: self.result.rendered.append(.lineFeed)
        case .paragraph: self.result.rendered.append(contentsOf: [.lineFeed, .lineFeed])
        }
        self.last = .whiteSpace
    }

    // MARK: Words

    /// A tag between two letters.
    private mutating func noteSplitWord(_ text: [UInt8], isDecoded: Bool) {
        guard self.last != .none, !text.isEmpty else { return }
        let before = WordEdge.before(self.result.rendered, from: self.lastStart, isDecoded: self.isLastDecoded)
        guard before.isLetter else { return }
        let behind = WordEdge.behind(text, isDecoded: isDecoded)
        guard behind.isLetter else { return }
        self.result.obfuscations = (self.result.obfuscations ?? 0) + 1
        guard let left = before.length, let right = behind.length else { return }
        self.result.wordSplits.insert(left << 8 | right)
    }

    // MARK: Attributes

    func value(_ name: HTMLName) -> [UInt8]? {
        guard let attribute = self.tokenizer.attributes.first(where: { $0.key == name }) else { return nil }
        return self.decoded(attribute)
    }

    func has(_ name: HTMLName) -> Bool {
        self.tokenizer.attributes.contains { $0.key == name }
    }

    var attributes: [FilterHTMLTokenizer.Attribute] { self.tokenizer.attributes }

    func decoded(_ attribute: FilterHTMLTokenizer.Attribute) -> [UInt8] {
        // One without a value has its name for it.
        guard let range = attribute.value else { return [UInt8](self.bytes[attribute.name]) }
        var value: [UInt8] = []
        value.reserveCapacity(range.count)
        FilterEntities.decode(self.bytes, range, inAttribute: true, into: &value)
        return value
    }
}

/// The letters at the edge of a text, as far as they tell that a tag splits a word: neither white space nor ASCII punctuation.
private struct WordEdge {
    /// Letters that are counted.
    private static let maximum = 7

    var isLetter = false
    /// Of the one to seven letters up to where a word begins or ends; nil when it does not within seven.
    var length: Int?

    static func before(_ text: [UInt8], from start: Int, isDecoded: Bool) -> WordEdge {
        var kinds: [Kind] = []
        var end = text.count
        // Where no letter is nothing more is asked.
        while end > start, kinds.count <= self.maximum, kinds.first?.isLetter ?? true {
            var index = end - 1
            while index > start, text[index] & 0xc0 == 0x80 { index -= 1 }
            kinds.append(self.kind(text, index, isDecoded))
            end = index
        }
        return WordEdge(kinds)
    }

    static func behind(_ text: [UInt8], isDecoded: Bool) -> WordEdge {
        var kinds: [Kind] = []
        var index = 0
        while index < text.count, kinds.count <= self.maximum, kinds.first?.isLetter ?? true {
            kinds.append(self.kind(text, index, isDecoded))
            index += 1
            while index < text.count, text[index] & 0xc0 == 0x80 { index += 1 }
        }
        return WordEdge(kinds)
    }

    private struct Kind {
        var isLetter: Bool
        var isWord: Bool
    }

    private static func kind(_ text: [UInt8], _ index: Int, _ isDecoded: Bool) -> Kind {
        let octet = text[index]
        guard octet >= 0x80 else {
            return Kind(isLetter: octet.isAlphanumeric || (octet < 0x20 && !octet.isSpace) || octet == 0x7f, isWord: octet.isWord)
        }
        // Of octets it is not known what they are.
        guard isDecoded else { return Kind(isLetter: true, isWord: false) }
        if UnicodeSpace.length(text, at: index) != nil { return Kind(isLetter: false, isWord: false) }
        var end = index + 1
        while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
        let properties = String(decoding: text[index..<end], as: UTF8.self).unicodeScalars.first?.properties
        return Kind(isLetter: true, isWord: properties.map { $0.isAlphabetic || $0.numericType == .decimal } ?? false)
    }

    /// - Parameter kinds: from the edge inwards, up to one more than are counted.
    private init(_ kinds: [Kind]) {
        let run = kinds.prefix { $0.isLetter }.prefix(Self.maximum)
        guard !run.isEmpty else { return }
        self.isLetter = true
        for count in stride(from: run.count, to: 0, by: -1) {
            let isWordBeyond = count < kinds.count && kinds[count].isWord
            if kinds[count - 1].isWord != isWordBeyond {
                self.length = count
                return
            }
        }
    }
}

extension HTMLName {
    static let td = HTMLName("td")
    static let size = HTMLName("size")
    static let color = HTMLName("color")
    static let text = HTMLName("text")
    static let face = HTMLName("face")
    static let style = HTMLName("style")
    static let bgcolor = HTMLName("bgcolor")
    static let background = HTMLName("background")
    static let link = HTMLName("link")
    static let alink = HTMLName("alink")
    static let vlink = HTMLName("vlink")
    static let href = HTMLName("href")
    static let src = HTMLName("src")
    static let action = HTMLName("action")
    static let width = HTMLName("width")
    static let height = HTMLName("height")
    static let content = HTMLName("content")
    static let httpEquiv = HTMLName("http-equiv")
}
