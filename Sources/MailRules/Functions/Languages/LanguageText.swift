import MailMessage

/// The part of a message's text that its language is told by: without what is the same in all languages.
struct LanguageText {
    /// Octets, at most `maximumLength`.
    let octets: [UInt8]

    /// More does not make the answer better.
    static let maximumLength = 10_000

    /// - Parameter segments: those of `body`.
    init(_ segments: [TextSegment]) {
        var text = Array(segments.map(\.bytes).joined(separator: [0x0a]))
        text.removeFirst(Self.prefixLength(text))
        self.octets = Array(Self.withoutHosts(Self.withoutAddresses(Self.withoutLinks(text))).prefix(Self.maximumLength))
    }

    // MARK: - Pieces

    /// `Re:`, `AW: Fwd:` and the like at the start of the subject.
    private static func prefixLength(_ text: [UInt8]) -> Int {
        var end = 0
        for _ in 0..<10 {
            let letters = text[end...].prefix { $0.isLetter }
            guard (2...12).contains(letters.count), letters.endIndex < text.count, text[letters.endIndex] == UInt8(ascii: ":")
            else { break }
            end = text[(letters.endIndex + 1)...].firstIndex { !$0.isBlank } ?? text.count
        }
        return end
    }

    private static let http = Array("http".utf8)
    private static let www = Array("www.".utf8)
    /// What follows the scheme, also as HTML and as links within links have it.
    private static let authorityMarks = ["://", ":&#x2F;&#x2F;", "%3A%2F%2F"].map { Array($0.utf8) }

    private static func withoutLinks(_ text: [UInt8]) -> [UInt8] {
        self.blanking(text, first: UInt8(ascii: "h"), longest: 1_024) { index in
            guard text[index...].starts(with: self.http) else { return nil }
            var start = index + self.http.count
            if start < text.count, text[start] == UInt8(ascii: "s") { start += 1 }
            return self.authorityMarks.first { text[start...].starts(with: $0) }.map { start + $0.count }
        }
    }

    private static func withoutHosts(_ text: [UInt8]) -> [UInt8] {
        self.blanking(text, first: UInt8(ascii: "w"), longest: 128) { index in
            guard text[index...].starts(with: self.www), index == 0 || !text[index - 1].isWord else { return nil }
            return index + self.www.count
        }
    }

    /// A space in place of each piece that begins with `first`, and of what follows its beginning up to white space.
    /// - Parameters:
    ///   - longest: octets behind the beginning; there must be one.
    ///   - beginning: where the beginning ends that stands there; nil: none does.
    private static func blanking(
        _ text: [UInt8],
        first: UInt8,
        longest: Int,
        _ beginning: (Int) -> Int?
    ) -> [UInt8] {
        var result: [UInt8] = []
        var copied = 0
        var index = 0
        while let found = text[index...].firstIndex(of: first) {
            index = found + 1
            guard let start = beginning(found) else { continue }
            let rest = text[start...].prefix(longest).prefix { !$0.isBlank }
            guard !rest.isEmpty else { continue }
            result += text[copied..<found]
            result.append(0x20)
            copied = rest.endIndex
            index = copied
        }
        return result + text[copied...]
    }

    /// Octets of an address that are taken for it, before and behind the `@`.
    private static let addressLengths = (before: 64, behind: 129)

    private static func withoutAddresses(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var copied = 0
        var index = 0
        while let sign = text[index...].firstIndex(of: UInt8(ascii: "@")) {
            index = sign + 1
            let domain = text[index...].prefix(self.addressLengths.behind).prefix { !$0.isBlank }
            let user = text[copied..<sign].suffix(self.addressLengths.before).reversed().prefix { !$0.isBlank }.count
            guard domain.count >= 2, domain.first?.isLetter == true, user > 0 else { continue }
            result += text[copied..<(sign - user)]
            result.append(0x20)
            copied = domain.endIndex
            index = copied
        }
        return result + text[copied...]
    }
}
