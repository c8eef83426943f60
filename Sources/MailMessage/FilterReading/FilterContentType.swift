/// Content-Type as SpamAssassin reads it: with patterns over the whole value, so that what stands in a comment or a broken
/// parameter counts too.
package struct FilterContentType: Hashable, Sendable {
    /// Lower case, `text/plain` for most of what begins with `text`.
    package var type: [UInt8]
    package var boundary: [UInt8]?
    package var charset: [UInt8]?
    /// `name` or `filename`.
    package var name: [UInt8]?
    /// There was no type to read.
    package var isMissing: Bool

    private static let assumed = [UInt8](ascii: "text/plain; charset=us-ascii")

    /// - Parameter value: unfolded and decoded; nil without a field.
    package init(_ value: [UInt8]?) {
        let isAbsent = value?.isEmpty ?? true
        let text = isAbsent ? Self.assumed : value ?? []
        self.boundary = Self.boundary(text)
        self.charset = Self.parameter(text, names: [[UInt8](ascii: "charset")])
        self.name = Self.parameter(text, names: [[UInt8](ascii: "filename"), [UInt8](ascii: "name")])
        if self.name?.isEmpty ?? true, let joined = Self.continuedName(text) { self.name = joined }
        var type = Self.type(text)
        self.isMissing = isAbsent || type.isEmpty
        if type.isEmpty || (Self.isText(type) && !Self.otherText.contains(type)) { type = [UInt8](ascii: "text/plain") }
        self.type = type.filter { $0 > 0x20 && $0 < 0x7f && !Self.dropped.contains($0) }
    }

    private static let otherText: Set<[UInt8]> = [
        [UInt8](ascii: "text/x-vcard"), [UInt8](ascii: "text/calendar"), [UInt8](ascii: "text/html"),
    ]
    private static let dropped = Set([UInt8](ascii: "\"(),:;<=>?@[\\]"))

    private static func isText(_ type: [UInt8]) -> Bool {
        type.hasPrefix([UInt8](ascii: "text"), at: 0) && (type.count == 4 || !type[4].isWord)
    }

    /// Up to the first semicolon; behind the slash up to white space or another slash.
    private static func type(_ text: [UInt8]) -> [UInt8] {
        let start = text.firstIndex { !$0.isSpace } ?? text.count
        let head = text[start...].prefix { $0 != 0x3b }
        guard let slash = head.firstIndex(of: 0x2f), slash > head.startIndex else { return [UInt8](head).lowercasedASCII() }
        let end = head[(slash + 1)...].firstIndex { $0 == 0x2f || $0.isSpace } ?? head.endIndex
        return [UInt8](head[..<end]).lowercasedASCII()
    }

    /// Behind `boundary=`: what a quote opens, or a word that white space, a semicolon or the end follows.
    private static func boundary(_ text: [UInt8]) -> [UInt8]? {
        var from = 0
        while let start = self.value(of: [[UInt8](ascii: "boundary")], in: text, from: &from) {
            if start < text.count, text[start] == 0x22 {
                let end = text[(start + 1)...].firstIndex(of: 0x22) ?? text.count
                if end > start + 1 { return [UInt8](text[(start + 1)..<end]) }
                continue
            }
            let end = text[start...].firstIndex { $0.isSpace || $0 == 0x22 || $0 == 0x3b } ?? text.count
            if end > start, end == text.count || text[end] != 0x22 { return [UInt8](text[start..<end]) }
        }
        return nil
    }

    /// A value with or without quotes, up to a semicolon or the end.
    private static func parameter(_ text: [UInt8], names: [[UInt8]]) -> [UInt8]? {
        var from = 0
        guard let start = self.value(of: names, in: text, from: &from) else { return nil }
        return self.lazyValue(text, start)
    }

    private static func lazyValue(_ text: [UInt8], _ start: Int) -> [UInt8] {
        let first = start < text.count && text[start].isQuote ? start + 1 : start
        var index = first
        while index < text.count, text[index] != 0x3b {
            let next = index + 1
            if text[index].isQuote, next == text.count || text[next] == 0x3b { break }
            index += 1
        }
        return [UInt8](text[min(first, index)..<index])
    }

    /// `name*0=…; name*1=…` (RFC 2231 §3), read only where a plain section 0 is there.
    private static func continuedName(_ text: [UInt8]) -> [UInt8]? {
        var sections: [Int: [UInt8]] = [:]
        var from = 0
        while let (end, start) = self.word([[UInt8](ascii: "filename*"), [UInt8](ascii: "name*")], in: text, from: from) {
            from = start + 1
            var index = end
            var number = 0
            while index < text.count, text[index].isDigit, index - end < 3 {
                number = number * 10 + Int(text[index] - 0x30)
                index += 1
            }
            guard index > end else { continue }
            while index < text.count, text[index].isSpace { index += 1 }
            guard index < text.count, text[index] == 0x3d else { continue }
            index += 1
            while index < text.count, text[index].isSpace { index += 1 }
            sections[number] = self.lazyValue(text, index)
            from = index
        }
        guard sections[0] != nil else { return nil }
        return sections.sorted { $0.key < $1.key }.flatMap(\.value)
    }

    /// Where the value of a parameter starts: behind `name =` at the edge of a word.
    private static func value(of names: [[UInt8]], in text: [UInt8], from: inout Int) -> Int? {
        while let (end, start) = self.word(names, in: text, from: from) {
            from = start + 1
            var index = end
            while index < text.count, text[index].isSpace { index += 1 }
            guard index < text.count, text[index] == 0x3d else { continue }
            index += 1
            while index < text.count, text[index].isSpace { index += 1 }
            return index
        }
        return nil
    }

    /// The first of the names that stands at the start of a word, longest first.
    private static func word(_ names: [[UInt8]], in text: [UInt8], from: Int) -> (end: Int, start: Int)? {
        var index = from
        while index < text.count {
            if index == 0 || !text[index - 1].isWord {
                for name in names where text.hasPrefix(name, at: index) { return (index + name.count, index) }
            }
            index += 1
        }
        return nil
    }
}

extension UInt8 {
    /// `\w` of ASCII.
    @inline(__always) var isWord: Bool { self.isAlphanumeric || self == 0x5f }
    @inline(__always) fileprivate var isQuote: Bool { self == 0x22 || self == 0x27 }
}
