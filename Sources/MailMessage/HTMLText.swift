/// What an HTML text holds besides its words, for rules. URIs have their character references resolved, are relative where
/// they were, and have no white space around them.
package struct HTMLFacts: Hashable, Sendable {
    package struct Anchor: Hashable, Sendable {
        package var reference: [UInt8]
        /// What is shown for it, white space run together.
        package var text: [UInt8]
    }

    package struct Image: Hashable, Sendable {
        package var source: [UInt8]
        package var alternative: [UInt8]
        /// In pixels, where given as plain numbers.
        package var width: Int?
        package var height: Int?
    }

    /// The attribute of the element that named a URI.
    package enum Origin: String, Hashable, Sendable {
        case anchor, area, link, image, frame, embed, script, form, background, base, sound, refresh
    }

    package struct Link: Hashable, Sendable {
        package var origin: Origin
        package var reference: [UInt8]
    }

    /// Anchors, images and links that are kept of one text.
    package static let maximumEntries = 10_000
    /// Octets of text kept for one anchor.
    package static let maximumAnchorText = 2_048

    package var title: [UInt8] = []
    package var anchors: [Anchor] = []
    package var images: [Image] = []
    package var formActions: [[UInt8]] = []
    /// All of the URIs, in order.
    package var links: [Link] = []
    package var hasScript = false
    package var hasEventHandler = false
    package var hasForm = false
    package var hasFrame = false
    package var baseReference: [UInt8]?
    package var refreshTarget: [UInt8]?
    package var commentCount = 0
}

/// HTML as a person reads it.
package struct HTMLText: Hashable, Sendable {
    /// All text, seen or not, in order; UTF-8; line feeds where blocks and line breaks are, two of them for paragraphs; other
    /// white space run together.
    package let rendered: [UInt8]
    /// What a person sees of it.
    package let visible: [UInt8]
    /// Text that is there and that nobody sees (hidden, tiny, in the colour of the background).
    package let invisible: [UInt8]
    package let facts: HTMLFacts

    /// - Parameter bytes: in UTF-8.
    package init(_ bytes: [UInt8]) {
        var renderer = HTMLRenderer(bytes)
        renderer.render()
        self.rendered = renderer.rendered
        self.visible = renderer.visible
        self.invisible = renderer.invisible
        self.facts = renderer.facts
    }
}

private enum Name {
    static let a = HTMLName("a")
    static let p = HTMLName("p")
    static let br = HTMLName("br")
    static let td = HTMLName("td")
    static let th = HTMLName("th")
    static let tr = HTMLName("tr")
    static let li = HTMLName("li")
    static let table = HTMLName("table")
    static let font = HTMLName("font")
    static let big = HTMLName("big")
    static let small = HTMLName("small")
    static let body = HTMLName("body")
    static let title = HTMLName("title")
    static let script = HTMLName("script")
    static let style = HTMLName("style")
    static let href = HTMLName("href")
    static let src = HTMLName("src")
    static let alt = HTMLName("alt")
    static let width = HTMLName("width")
    static let height = HTMLName("height")
    static let action = HTMLName("action")
    static let background = HTMLName("background")
    static let content = HTMLName("content")
    static let httpEquiv = HTMLName("http-equiv")
    static let color = HTMLName("color")
    static let text = HTMLName("text")
    static let bgcolor = HTMLName("bgcolor")
    static let size = HTMLName("size")
    static let hidden = HTMLName("hidden")
    static let base = HTMLName("base")
    static let meta = HTMLName("meta")
    static let form = HTMLName("form")
    static let img = HTMLName("img")

    static let void = Set(
        [
            "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
            "basefont",
        ]
        .map { HTMLName($0) }
    )
    /// Ended by the next block.
    static let paragraphEnders = Set(
        ["p", "div", "table", "ul", "ol", "dl", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "form", "center"]
            .map { HTMLName($0) }
    )
    static let breaks: [HTMLName: [UInt8]] = {
        var result: [HTMLName: [UInt8]] = [:]
        for name in ["br", "div"] { result[HTMLName(name)] = [.lineFeed] }
        for name in ["li", "td", "th", "dt", "dd", "embed", "h1", "h2", "h3", "h4", "h5", "h6"] {
            result[HTMLName(name)] = [.space]
        }
        for name in ["p", "hr", "blockquote", "pre", "listing", "plaintext", "xmp", "title"] {
            result[HTMLName(name)] = [.lineFeed, .lineFeed]
        }
        return result
    }()
    static let references: [HTMLName: (HTMLName, HTMLFacts.Origin)] = [
        HTMLName("a"): (href, .anchor), HTMLName("area"): (href, .area), HTMLName("link"): (href, .link),
        HTMLName("img"): (src, .image), HTMLName("frame"): (src, .frame), HTMLName("iframe"): (src, .frame),
        HTMLName("embed"): (src, .embed), HTMLName("script"): (src, .script), HTMLName("bgsound"): (src, .sound),
        HTMLName("form"): (action, .form), HTMLName("body"): (background, .background),
        HTMLName("table"): (background, .background),
        HTMLName("tr"): (background, .background), HTMLName("td"): (background, .background), HTMLName("base"): (href, .base),
    ]
}

/// Walks the tokens, keeping the style of the text at hand. White space is put where SpamAssassin puts it, because its rules
/// are written against that.
private struct HTMLRenderer {
    /// Elements within each other whose styles are kept; deeper ones have the style of the last that is.
    private static let maximumDepth = 128

    private let bytes: [UInt8]
    private var tokenizer: HTMLTokenizer
    private(set) var rendered: [UInt8] = []
    private(set) var visible: [UInt8] = []
    private(set) var invisible: [UInt8] = []
    private(set) var facts = HTMLFacts()

    private var stack: [(name: HTMLName, style: HTMLStyle)] = []
    private var style = HTMLStyle()
    private var depthBeyond = 0

    private enum Piece {
        case none
        case text(endsWithSpace: Bool)
        case invisibleText
        case whiteSpace
    }
    private var last = Piece.none
    private var discarding: HTMLName?
    private var inTitle = false
    private var anchor: HTMLFacts.Anchor?

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.tokenizer = HTMLTokenizer(bytes)
        self.rendered.reserveCapacity(bytes.count / 2)
        self.visible.reserveCapacity(bytes.count / 2)
    }

    mutating func render() {
        while let token = self.tokenizer.next() {
            switch token {
            case .text(let range): self.text(range)
            case .startTag(let name, let attributes): self.open(name, attributes)
            case .endTag(let name): self.close(name)
            case .comment: self.facts.commentCount += 1
            }
        }
        self.endAnchor()
    }

    // MARK: Text

    private mutating func text(_ range: Range<Int>) {
        guard self.discarding == nil else { return }
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        HTMLEntities.decode(self.bytes, range, inAttribute: false, into: &text)
        let collapsed = Self.collapse(text)
        if self.inTitle, self.facts.title.isEmpty { self.facts.title = collapsed.trimmed() }
        if self.anchor != nil { self.extendAnchor(collapsed) }
        let isBlank = collapsed.isEmpty || collapsed == [.space]
        if !isBlank, self.style.isInvisible {
            self.rendered.append(contentsOf: collapsed)
            self.invisible.append(contentsOf: collapsed)
            self.last = .invisibleText
            return
        }
        var shown = collapsed[...]
        if case .whiteSpace = self.last, shown.first == .space { shown.removeFirst() }
        self.rendered.append(contentsOf: shown)
        self.visible.append(contentsOf: shown)
        self.last = .text(endsWithSpace: shown.last == .space)
    }

    private mutating func extendAnchor(_ text: [UInt8]) {
        let room = HTMLFacts.maximumAnchorText - (self.anchor?.text.count ?? 0)
        if room > 0 { self.anchor?.text.append(contentsOf: text.prefix(room)) }
    }

    /// Runs of white space become one space.
    private static func collapse(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for octet in text {
            if !octet.isSpace {
                result.append(octet)
            } else if result.last != .space {
                result.append(.space)
            }
        }
        return result
    }

    private mutating func whiteSpace(_ bytes: [UInt8]) {
        if case .text(endsWithSpace: true) = self.last {
            self.rendered.removeLast()
            self.visible.removeLast()
        }
        self.rendered.append(contentsOf: bytes)
        self.visible.append(contentsOf: bytes)
        if !self.invisible.isEmpty, self.invisible.last != .lineFeed { self.invisible.append(.lineFeed) }
        self.last = .whiteSpace
    }

    // MARK: Elements

    private mutating func open(_ name: HTMLName, _ attributes: [HTMLAttribute]) {
        if let space = Name.breaks[name] { self.whiteSpace(space) }
        self.closeImplied(by: name)
        let style = self.styled(name, attributes)
        if !Name.void.contains(name) {
            if self.stack.count < Self.maximumDepth {
                self.stack.append((name, self.style))
                self.style = style
            } else {
                self.depthBeyond += 1
            }
        }
        self.collectFacts(name, attributes)
        if name == Name.script || name == Name.style { self.discarding = name }
        if name == Name.title { self.inTitle = true }
    }

    private mutating func close(_ name: HTMLName) {
        if name == self.discarding { self.discarding = nil }
        if name == Name.title { self.inTitle = false }
        if name == Name.a { self.endAnchor() }
        if let space = Name.breaks[name] { self.whiteSpace(space) }
        // Browsers show text behind `</body>` as if it were before it.
        guard name != Name.body else { return }
        if self.depthBeyond > 0 {
            self.depthBeyond -= 1
            return
        }
        guard let level = self.stack.lastIndex(where: { $0.name == name }) else { return }
        self.pop(to: level)
    }

    private mutating func pop(to level: Int) {
        self.style = self.stack[level].style
        self.stack.removeSubrange(level...)
    }

    /// Ends elements whose end tags may be left out (HTML §13.1.2.4).
    private mutating func closeImplied(by name: HTMLName) {
        if Name.paragraphEnders.contains(name), self.stack.last?.name == Name.p { self.pop(to: self.stack.count - 1) }
        let isCell = name == Name.td || name == Name.th
        guard isCell || name == Name.tr || name == Name.li else { return }
        for level in self.stack.indices.reversed() {
            let open = self.stack[level].name
            if open == Name.table { return }
            if isCell ? open == Name.td || open == Name.th : open == name {
                self.pop(to: level)
                return
            }
            if isCell, open == Name.tr { return }
        }
    }

    private func styled(_ name: HTMLName, _ attributes: [HTMLAttribute]) -> HTMLStyle {
        var style = self.style
        if name == Name.big { style.fontSize += 1 }
        if name == Name.small { style.fontSize -= 1 }
        for attribute in attributes {
            switch attribute.name {
            case Name.style:
                style.apply(declarations: self.value(attribute))
            case Name.color where name == Name.font, Name.text where name == Name.body:
                if let color = HTMLColor(self.value(attribute).trimmed().lowercasedASCII()) { style.foreground = color }
            case Name.bgcolor:
                if let color = HTMLColor(self.value(attribute).trimmed().lowercasedASCII()) { style.background = color }
            case Name.size where name == Name.font:
                style.fontSize = Self.fontSize(self.value(attribute).trimmed())
            case Name.hidden:
                style.isHidden = true
            default:
                break
            }
        }
        return style
    }

    /// `4`, `+1`, `-2`: relative to 3, the size of text without any.
    private static func fontSize(_ value: [UInt8]) -> Int {
        let digits = value.drop { $0 == 0x2b || $0 == 0x2d }.prefix { $0.isDigit }.prefix(3)
        guard !digits.isEmpty else { return 3 }
        let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        switch value.first {
        case 0x2b: return 3 + number
        case 0x2d: return 3 - number
        default: return number
        }
    }

    private func value(_ attribute: HTMLAttribute) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(attribute.value.count)
        HTMLEntities.decode(self.bytes, attribute.value, inAttribute: true, into: &result)
        return result
    }
}

// MARK: - Facts

extension HTMLRenderer {
    private mutating func endAnchor() {
        guard var anchor = self.anchor else { return }
        self.anchor = nil
        anchor.text = anchor.text.trimmed()
        if self.facts.anchors.count < HTMLFacts.maximumEntries { self.facts.anchors.append(anchor) }
    }

    private func attribute(_ name: HTMLName, in attributes: [HTMLAttribute]) -> [UInt8]? {
        attributes.first { $0.name == name }.map { self.value($0).trimmed() }
    }

    private mutating func collectFacts(_ name: HTMLName, _ attributes: [HTMLAttribute]) {
        if name == Name.script { self.facts.hasScript = true }
        if name == Name.form { self.facts.hasForm = true }
        if attributes.contains(where: \.isEventHandler) { self.facts.hasEventHandler = true }
        if name == Name.meta { self.collectRefresh(attributes) }
        if name == Name.img { self.collectImage(attributes) }
        guard let (key, origin) = Name.references[name] else { return }
        if origin == .frame { self.facts.hasFrame = true }
        guard let reference = self.attribute(key, in: attributes) else { return }
        if origin == .anchor {
            self.endAnchor()
            self.anchor = HTMLFacts.Anchor(reference: reference, text: [])
        }
        if origin == .form, self.facts.formActions.count < HTMLFacts.maximumEntries { self.facts.formActions.append(reference) }
        if origin == .base, self.facts.baseReference == nil { self.facts.baseReference = reference }
        self.add(origin, reference)
    }

    private mutating func add(_ origin: HTMLFacts.Origin, _ reference: [UInt8]) {
        guard !reference.isEmpty, self.facts.links.count < HTMLFacts.maximumEntries else { return }
        self.facts.links.append(HTMLFacts.Link(origin: origin, reference: reference))
    }

    private mutating func collectImage(_ attributes: [HTMLAttribute]) {
        guard self.facts.images.count < HTMLFacts.maximumEntries else { return }
        self.facts.images.append(
            HTMLFacts.Image(
                source: self.attribute(Name.src, in: attributes) ?? [],
                alternative: self.attribute(Name.alt, in: attributes) ?? [],
                width: self.attribute(Name.width, in: attributes).flatMap { Int($0.text) },
                height: self.attribute(Name.height, in: attributes).flatMap { Int($0.text) }
            )
        )
    }

    /// `<meta http-equiv=refresh content="5; url=…">`
    private mutating func collectRefresh(_ attributes: [HTMLAttribute]) {
        guard let equivalent = self.attribute(Name.httpEquiv, in: attributes)?.lowercasedASCII(),
            equivalent == [UInt8](ascii: "refresh"), let content = self.attribute(Name.content, in: attributes)
        else { return }
        let key = [UInt8](ascii: "url")
        for start in content.indices where content.hasPrefix(key, at: start) {
            var index = start + key.count
            while index < content.count, content[index].isSpace { index += 1 }
            guard index < content.count, content[index] == 0x3d else { continue }
            let target = [UInt8](content[(index + 1)...]).trimmed().filter { $0 != 0x22 && $0 != 0x27 }
            self.facts.refreshTarget = target
            self.add(.refresh, target)
            return
        }
    }
}
