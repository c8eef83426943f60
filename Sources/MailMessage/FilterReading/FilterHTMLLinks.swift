// Links and the facts of single tags.

extension FilterHTMLRenderer {
    private static let safeRedirect = [UInt8](ascii: "data-saferedirecturl")
    private static let slashHref = [UInt8](ascii: "/href")
    private static let slashSource = [UInt8](ascii: "/src")
    private static let url = [UInt8](ascii: "url")
    private static let refresh = [UInt8](ascii: "refresh")
    private static let contentType = [UInt8](ascii: "content-type")
    private static let charset = [UInt8](ascii: "charset")
    private static let mailto = [UInt8](ascii: "mailto:")
    /// What is no hierarchy and has no target to make whole.
    private static let opaque = ["data:", "mailto:", "file:", "cid:", "tel:"].map { [UInt8](ascii: $0) }
    private static let imageMark = [UInt8](ascii: "<img>\n")

    mutating func collectLinks(_ element: FilterHTMLElement) {
        switch element.kind {
        case .body: self.add("body", self.value(.background))
        case .table: self.add("table", self.value(.background))
        case .tr: self.add("tr", self.value(.background))
        case .td: self.add("td", self.value(.background))
        case .a, .area, .link:
            let type = element.kind == .a ? "a" : element.kind == .area ? "area" : "link"
            self.add(type, self.reference)
            if let safe = self.attributes.first(where: { self.bytes.matches(Self.safeRedirect, in: $0.name) }) {
                self.add(type, self.decoded(safe))
            }
        case .img: self.add("img", self.source)
        case .frame: self.add("frame", self.source)
        case .iframe: self.add("iframe", self.source)
        case .embed: self.add("embed", self.source)
        case .script: self.add("script", self.source)
        case .bgsound: self.add("bgsound", self.source)
        case .form: self.add("form", self.value(.action))
        case .base: self.readBase()
        case .meta: self.readRefresh()
        default: break
        }
    }

    /// `href`, without byte order marks; that of broken tags, `x/href`, comes first.
    private var reference: [UInt8]? {
        guard let value = self.broken(Self.slashHref) ?? self.value(.href) else { return nil }
        return Self.withoutMarks(value)
    }

    private var source: [UInt8]? { self.broken(Self.slashSource) ?? self.value(.src) }

    private func broken(_ ending: [UInt8]) -> [UInt8]? {
        for attribute in self.attributes where attribute.name.count > ending.count {
            for index in (attribute.name.lowerBound + 1)...(attribute.name.upperBound - ending.count)
            where self.bytes[index] == 0x2f && self.bytes[index - 1].isWord && self.bytes.hasPrefix(ending, at: index) {
                return self.decoded(attribute)
            }
        }
        return nil
    }

    private static func withoutMarks(_ value: [UInt8]) -> [UInt8] {
        guard value.contains(0xef) else { return value }
        var result: [UInt8] = []
        var index = 0
        while index < value.count {
            if value[index] == 0xef, value[index...].starts(with: [0xef, 0xbb, 0xbf]) {
                index += 3
            } else {
                result.append(value[index])
                index += 1
            }
        }
        return result
    }

    /// Without white space around it, and not too long.
    private mutating func tidy(_ uri: [UInt8]) -> [UInt8] {
        var lower = 0
        var upper = uri.count
        while lower < upper {
            if uri[lower].isSpace {
                lower += 1
            } else if let length = UnicodeSpace.length(uri, at: lower) {
                lower += length
            } else {
                break
            }
        }
        while upper > lower {
            var start = upper - 1
            while start > lower, uri[start] & 0xc0 == 0x80 { start -= 1 }
            guard uri[start].isSpace || UnicodeSpace.length(uri, at: start) == upper - start else { break }
            upper = start
        }
        if upper - lower > Self.maximumLink, let end = Self.characterEnd(uri, lower..<upper) {
            self.result.areLinksCut = true
            upper = end
        }
        return lower == 0 && upper == uri.count ? uri : [UInt8](uri[lower..<upper])
    }

    /// Behind as many characters as are kept; nil when there are no more.
    private static func characterEnd(_ uri: [UInt8], _ range: Range<Int>) -> Int? {
        var characters = 0
        for index in range where uri[index] & 0xc0 != 0x80 {
            if characters == self.maximumLink { return index }
            characters += 1
        }
        return nil
    }

    private mutating func add(_ type: String, _ uri: [UInt8]?) {
        guard let uri else { return }
        let tidied = self.tidy(uri)
        guard !tidied.isEmpty else { return }
        let isOpaque = Self.opaque.contains { tidied.hasPrefix($0, at: 0) }
        let target = isOpaque ? tidied : FilterReference.resolve(tidied, against: self.base)
        guard !target.isEmpty, let index = self.linkIndex(target) else { return }
        self.result.links[index].types.insert(type)
    }

    private mutating func linkIndex(_ uri: [UInt8]) -> Int? {
        let key = OctetKey(uri)
        if let index = self.linkIndices[key] { return index }
        guard self.result.links.count < Self.maximumLinks else {
            self.result.areLinksCut = true
            return nil
        }
        self.linkIndices[key] = self.result.links.count
        self.result.links.append(FilterHTML.Link(uri: uri))
        return self.result.links.count - 1
    }

    private mutating func readBase() {
        guard let value = self.value(.href), !value.isEmpty, value != [0x30] else { return }
        let uri = self.tidy(value)
        self.add("base", uri)
        if let base = FilterReference.base(uri) { self.base = base }
    }

    /// `<meta http-equiv=refresh content="5; url=…">`
    private mutating func readRefresh() {
        guard let equivalent = self.value(.httpEquiv), let content = self.value(.content) else { return }
        guard Self.contains(Self.refresh, equivalent) else { return }
        var target: Int?
        for index in content.indices where content.hasPrefix(Self.url, at: index) && (index == 0 || !content[index - 1].isWord) {
            var end = index + Self.url.count
            while end < content.count, content[end].isSpace { end += 1 }
            if end < content.count, content[end] == 0x3d { target = end + 1 }
        }
        guard var start = target else { return }
        while start < content.count, content[start].isSpace { start += 1 }
        var end = content[start...].firstIndex(of: 0x3b) ?? content.count
        if end < content.count { while end > start, content[end - 1].isSpace { end -= 1 } }
        self.add("meta", [UInt8](content[start..<end]))
    }

    private static func contains(_ word: [UInt8], _ text: [UInt8]) -> Bool {
        text.indices.contains { text.hasPrefix(word, at: $0) }
    }

    // MARK: Anchors

    mutating func appendToAnchor(_ text: [UInt8]) {
        if !self.result.anchors.isEmpty {
            self.result.anchors[self.result.anchors.count - 1].append(contentsOf: text)
        }
        guard let link = self.anchorLink, !self.result.links[link].anchorTexts.isEmpty else { return }
        self.result.links[link].anchorTexts[self.result.links[link].anchorTexts.count - 1].append(contentsOf: text)
    }

    private mutating func openAnchor() {
        let uri = self.tidy(self.reference ?? [])
        self.anchorLink = self.linkIndex(uri)
        guard self.result.anchors.count < Self.maximumTexts else {
            self.anchorLink = nil
            return
        }
        if let link = self.anchorLink { self.result.links[link].anchorTexts.append([]) }
        self.result.anchors.append([])
    }

    // MARK: Facts

    mutating func examine(_ element: FilterHTMLElement) {
        switch element.kind {
        case .font:
            if self.has(.face), !FontFace.isPlain(self.value(.face) ?? []) { self.result.hasBadFontFace = true }
        case .img:
            if self.anchorDepth > 0 { self.appendToAnchor(Self.imageMark) }
            if self.has(.width), self.has(.height) {
                let width = Self.pixels(self.value(.width) ?? [], ofPercent: 8)
                let height = Self.pixels(self.value(.height) ?? [], ofPercent: 6)
                self.result.imageArea = min(self.result.imageArea + width * height, 1 << 60)
            }
        case .form:
            if let action = self.value(.action), Self.contains(Self.mailto, action) { self.result.hasMailtoForm = true }
        case .object, .embed:
            self.result.hasEmbedded = true
        case .a:
            self.openAnchor()
        case .title:
            if self.result.titles.count < Self.maximumTexts { self.result.titles.append([]) }
        case .meta:
            self.readCharset()
        default:
            break
        }
    }

    /// A number of pixels, or of percents of a screen of 800 by 600; 200 where it is neither.
    private static func pixels(_ value: [UInt8], ofPercent factor: Int) -> Int {
        let isPercent = value.last == 0x25
        let digits = isPercent ? value.dropLast() : value[...]
        guard !digits.isEmpty, digits.allSatisfy(\.isDigit) else { return 200 }
        let number = digits.reduce(0) { min($0 * 10 + Int($1 - 0x30), 1_000_000) } * (isPercent ? factor : 1)
        return number > 0 ? number : 200
    }

    private mutating func readCharset() {
        guard let equivalent = self.value(.httpEquiv), let content = self.value(.content) else { return }
        guard Self.contains(Self.contentType, equivalent) else { return }
        for index in content.indices
        where content.hasPrefix(Self.charset, at: index) && (index == 0 || !content[index - 1].isWord) {
            var start = index + Self.charset.count
            while start < content.count, content[start].isSpace { start += 1 }
            guard start < content.count, content[start] == 0x3d else { continue }
            start += 1
            while start < content.count, content[start].isSpace { start += 1 }
            if start < content.count, content[start] == 0x22 || content[start] == 0x27 { start += 1 }
            let name = content[start...].prefix { $0 != 0x22 && $0 != 0x27 }
            guard !name.isEmpty else { continue }
            self.result.charsets = self.result.charsets.map { $0 + [.space] + name } ?? [UInt8](name)
            return
        }
    }
}

/// The value of `<font face>`.
private enum FontFace {
    /// Names of Latin letters, spaces and hyphens apart by commas, each in quotes or not, a digit at the end at most.
    static func isPlain(_ value: [UInt8]) -> Bool {
        var index = 0
        var isFirst = true
        func skip() { while index < value.count, value[index].isSpace { index += 1 } }
        while true {
            skip()
            if index < value.count, value[index] == 0x22 || value[index] == 0x27 || (isFirst && value[index] == 0x2e) {
                index += 1
            }
            // Leading white space was passed; for the first name a space may count as its first letter.
            let start = index
            while index < value.count, value[index].isLetter || value[index] == .space || value[index] == 0x2d { index += 1 }
            var end = index
            var hasDigit = false
            if index < value.count, value[index].isDigit {
                hasDigit = true
                index += 1
            }
            let canBorrow = isFirst && start > 0 && value[start - 1] == .space
            guard end > start, value[end - 1].isLetter else { return false }
            guard value[start].isLetter || (isFirst && value[start] == .space) else { return false }
            if end - start == 1, !canBorrow { return false }
            end = hasDigit ? end + 1 : end
            if index < value.count, value[index] == 0x22 || value[index] == 0x27 { index += 1 }
            isFirst = false
            if index < value.count, value[index] == 0x2c {
                index += 1
                continue
            }
            if index < value.count, value[index] == 0x3b { index += 1 }
            return index == value.count || (index == value.count - 1 && value[index] == .lineFeed)
        }
    }
}
