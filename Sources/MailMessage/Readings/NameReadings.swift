/// The names that readers may show for one part's file: `filename` of Content-Disposition and `name` of Content-Type, under
/// every way of reading quotes, comments, escapes, continuations (RFC 2231) and encoded words (RFC 2047) that is in use. Made
/// for parts whose fields are odd; what is too much is better than what is too little here.
struct NameReadings {
    private(set) var names: [String] = []
    private let limit: Int

    /// - Parameter values: the values of the part's fields, unfolded.
    init(_ values: [[UInt8]], limit: Int) {
        self.limit = limit
        for lexer in Lexer.allCases {
            // Sections of a name may stand in different fields: what joins fields sees them together.
            let parameters = values.flatMap { Self.parameters($0, lexer) }
            for base in Self.bases { self.read(parameters.filter { $0.base == base }) }
        }
    }

    /// Octets of a value that are looked at: no system has longer names.
    private static let maximumValue = 1_024
    /// Values that may go to the end of the field: more would each be nearly the same.
    private static let openValues = 4

    private static let bases = [[UInt8](ascii: "filename"), [UInt8](ascii: "name")]

    /// How a value is cut into parameters.
    private enum Lexer: CaseIterable {
        /// Quotes protect semicolons; comments go.
        case strict
        /// As above, comments stay.
        case withComments
        /// Every semicolon separates; comments go, quotes are text.
        case bare
        /// Every semicolon separates; all is text.
        case literal
        /// A value goes to the end of the field.
        case toTheEnd
    }

    private struct Parameter {
        var base: [UInt8]
        /// What stands behind `*`; nil without one.
        var index: Int?
        var hasStar = false
        var value: [UInt8]
    }

    private static func parameters(_ value: [UInt8], _ lexer: Lexer) -> [Parameter] {
        let text = lexer == .strict || lexer == .bare ? self.withoutComments(value) : value
        var found: [Parameter] = []
        for piece in self.pieces(text, keepingQuotes: lexer == .strict || lexer == .withComments) {
            guard let equals = piece.firstIndex(of: 0x3d) else { continue }
            let name = self.withoutComments([UInt8](piece[..<equals])).filter { !$0.isSpace && $0 != 0x22 }.lowercasedASCII()
            let rest = lexer == .toTheEnd ? text[(equals + 1)...] : piece[(equals + 1)...]
            let parts = name.split(separator: 0x2a, omittingEmptySubsequences: false).map { [UInt8]($0) }
            guard let base = parts.first, self.bases.contains(base) else { continue }
            found.append(
                Parameter(
                    base: base,
                    index: parts.count > 1 ? Int(parts[1].text) : nil,
                    hasStar: parts.count > 1,
                    value: [UInt8](rest.prefix(self.maximumValue)).trimmed()
                )
            )
            if found.count >= (lexer == .toTheEnd ? self.openValues : ParameterizedValue.maximumParameters) { break }
        }
        return found
    }

    private static func pieces(_ text: [UInt8], keepingQuotes: Bool) -> [ArraySlice<UInt8>] {
        var result: [ArraySlice<UInt8>] = []
        var start = 0
        var isQuoted = false
        var index = 0
        while index < text.count {
            let octet = text[index]
            if keepingQuotes, octet == 0x5c {
                index += 2
                continue
            }
            if keepingQuotes, octet == 0x22 { isQuoted.toggle() }
            if octet == 0x3b, !isQuoted {
                result.append(text[start..<index])
                start = index + 1
            }
            index += 1
        }
        result.append(text[min(start, text.count)...])
        return result
    }

    private static func withoutComments(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(0x28) else { return text }
        var result: [UInt8] = []
        var depth = 0
        for octet in text {
            if octet == 0x28 {
                depth += 1
            } else if octet == 0x29, depth > 0 {
                depth -= 1
            } else if depth == 0 {
                result.append(octet)
            }
        }
        return result
    }

    private mutating func read(_ parameters: [Parameter]) {
        for parameter in parameters where !parameter.hasStar { self.addForms(parameter.value) }
        let sections = parameters.filter(\.hasStar)
        guard !sections.isEmpty else { return }
        self.join(sections)
        self.join(sections.sorted { ($0.index ?? 0) < ($1.index ?? 0) })
        for section in sections { self.join([section]) }
        // A plain value and sections of the same name are one text for readers that take the name up to the star.
        if sections.count < parameters.count { self.join(parameters) }
    }

    private mutating func join(_ sections: [Parameter]) {
        let whole = [UInt8](sections.flatMap { Self.unquoted($0.value) }.prefix(Self.maximumValue))
        self.addForms(whole)
        var charset: String?
        var text = whole[...]
        if let first = whole.firstIndex(of: 0x27), let second = whole[(first + 1)...].firstIndex(of: 0x27) {
            charset = [UInt8](whole[..<first]).text
            text = whole[(second + 1)...]
        }
        let decoded = PercentCoding.decode([UInt8](text))
        self.add(Charset.toUTF8(decoded, named: charset).text)
        self.addWide(decoded)
    }

    private static func unquoted(_ value: [UInt8]) -> [UInt8] {
        guard value.count >= 2, value.first == 0x22, value.last == 0x22 else { return value }
        return [UInt8](value[1..<(value.count - 1)])
    }

    /// One value under each way of taking its quotes, escapes and comments.
    private mutating func addForms(_ value: [UInt8]) {
        var forms = [value, Self.unquoted(value)]
        if let open = value.firstIndex(of: 0x22) {
            // Up to the quote, what is within, and without any.
            forms.append([UInt8](value[..<open]))
            if let close = value[(open + 1)...].firstIndex(of: 0x22) {
                forms.append([UInt8](value[(open + 1)..<close]))
            } else {
                forms.append([UInt8](value[(open + 1)...]))
            }
            forms.append(value.filter { $0 != 0x22 })
        }
        if value.contains(0x5c) {
            for form in forms { forms.append(form.filter { $0 != 0x5c }) }
            for form in forms { forms.append(form.filter { $0 != 0x5c && $0 != 0x22 }) }
        }
        if value.first == 0x27 { forms.append(value.filter { $0 != 0x27 }) }
        if let open = value.firstIndex(of: 0x28) { forms.append([UInt8](value[..<open])) }
        if let semicolon = value.firstIndex(of: 0x3b) { forms.append([UInt8](value[..<semicolon])) }
        for form in forms {
            let form = form.trimmed()
            self.add(Charset.toUTF8(form, named: nil).text)
            var words: [UInt8] = []
            let decoded = EncodedWord.decode(form) { text, charset in
                words += text
                return Charset.toUTF8(text, named: charset.text)
            }
            guard !words.isEmpty else { continue }
            self.add(Charset.toUTF8(decoded, named: nil).text)
            self.addWide(words)
        }
    }

    /// UTF-16 says by its first octets in which order it comes; without them readers guess. Of names in ASCII the other half
    /// is zeros.
    private mutating func addWide(_ bytes: [UInt8]) {
        guard bytes.contains(0) else { return }
        self.add(Charset.toUTF8(bytes, named: "utf-16be").text)
        self.add(Charset.toUTF8(bytes, named: "utf-16le").text)
        self.add(bytes.filter { $0 != 0 }.text)
    }

    private mutating func add(_ name: String) {
        guard !name.isEmpty, self.names.count < self.limit, !self.names.contains(name) else { return }
        self.names.append(name)
    }
}
