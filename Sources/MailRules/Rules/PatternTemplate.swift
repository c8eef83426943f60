import PatternKit

/// A pattern with `%{TAG}` in it, each of which stands for what another rule has captured in the same message
/// (Mail::SpamAssassin::Conf, "Capturing tags using regex named capture groups").
struct PatternTemplate: Sendable {
    enum Piece: Hashable, Sendable {
        case source([UInt8])
        case tag(String)
    }

    let pieces: [Piece]
    let options: PatternOptions
    /// Every match has a value of each tag in it, as it stands there or in other letters.
    let needsValues: Bool

    /// Octets that all values of a tag may add to a pattern: a message must not make patterns of any size.
    private static let maximumTagLength = 16 * 1_024

    /// nil for a pattern without tags.
    init?(_ literal: PatternLiteral) {
        var pieces: [Piece] = []
        var text: [UInt8] = []
        var index = 0
        let source = literal.source
        while index < source.count {
            if source[index] == UInt8(ascii: "%"), index == 0 || source[index - 1] != UInt8(ascii: "\\"),
                let (tag, end) = PatternTemplate.tag(in: source, at: index)
            {
                if !text.isEmpty { pieces.append(.source(text)) }
                pieces.append(.tag(tag))
                text = []
                index = end
            } else {
                text.append(source[index])
                index += 1
            }
        }
        if !text.isEmpty { pieces.append(.source(text)) }
        self.pieces = pieces
        self.options = literal.options
        self.needsValues = PatternTemplate.needsValues(pieces, literal.options)
        if self.tags.isEmpty { return nil }
    }

    var tags: [String] {
        self.pieces.compactMap {
            guard case .tag(let tag) = $0 else { return nil }
            return tag
        }
    }

    /// Whether the tags stand where nothing can leave them out: in no group, in no alternative, without a quantifier. False where that
    /// is not seen at a glance.
    private static func needsValues(_ pieces: [Piece], _ options: PatternOptions) -> Bool {
        guard options.isDisjoint(with: [.extended, .utf]) else { return false }
        var depth = 0
        var isTag = false
        for piece in pieces {
            guard case .source(let text) = piece else {
                if depth > 0 { return false }
                isTag = true
                continue
            }
            if isTag, let first = text.first, "?*{".utf8.contains(first) { return false }
            isTag = false
            var index = 0
            while index < text.count {
                switch text[index] {
                case UInt8(ascii: "\\"):
                    if text[(index + 1)...].first == UInt8(ascii: "Q") { return false }
                    index += 1
                case UInt8(ascii: "["): return false
                case UInt8(ascii: "|") where depth == 0: return false
                case UInt8(ascii: "("):
                    guard PatternTemplate.isPlainGroup(text[(index + 1)...]) else { return false }
                    depth += 1
                case UInt8(ascii: ")"): depth -= 1
                default: break
                }
                index += 1
            }
        }
        return true
    }

    /// Whether a group captures, does not, or looks around: no comment, no flags, no verb.
    private static func isPlainGroup(_ text: ArraySlice<UInt8>) -> Bool {
        guard let first = text.first, first != UInt8(ascii: "*") else { return false }
        return first != UInt8(ascii: "?") || ["?:", "?=", "?!", "?<=", "?<!"].contains { text.starts(with: $0.utf8) }
    }

    /// `%{NAME}` or `%{NAME(argument)}`, and where it ends.
    private static func tag(in source: [UInt8], at start: Int) -> (String, Int)? {
        guard source[start...].starts(with: "%{".utf8), let end = source[start...].firstIndex(of: UInt8(ascii: "}")) else {
            return nil
        }
        let tag = source[(start + 2)..<end]
        let name = tag.prefix { $0 != UInt8(ascii: "(") }
        let argument = tag.dropFirst(name.count)
        guard isTagName(name), argument.isEmpty || argument.last == UInt8(ascii: ")") else { return nil }
        return (String(decoding: tag, as: UTF8.self), end + 1)
    }

    /// The pattern with the tags' values in it, any of which may stand in the tag's place; nil if a tag has none, or what
    /// comes out is no pattern.
    func pattern(_ values: (String) -> [[UInt8]]) -> Pattern? {
        var source: [UInt8] = []
        for piece in self.pieces {
            switch piece {
            case .source(let text): source += text
            case .tag(let tag):
                let alternatives = PatternTemplate.quoted(values(tag))
                guard !alternatives.isEmpty else { return nil }
                source += Array("(?:".utf8) + alternatives.joined(separator: "|".utf8) + Array(")".utf8)
            }
        }
        let perl = PerlPattern(source, options: self.options)
        return try? Pattern(perl.bytes, options: self.options, isUsedOnce: true)
    }

    private static func quoted(_ values: [[UInt8]]) -> [[UInt8]] {
        var length = 0
        return values.filter { !$0.isEmpty }.map { $0.flatMap(self.quoted) }.filter {
            length += $0.count
            return length <= PatternTemplate.maximumTagLength
        }
    }

    private static func quoted(_ byte: UInt8) -> [UInt8] {
        byte.isWord ? [byte] : PerlPattern.escape(byte)
    }
}

/// Names of tags are of capitals and digits, in words joined by `_`.
func isTagName(_ name: some Collection<UInt8>) -> Bool {
    guard let first = name.first, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) else { return false }
    let words = name.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
    return words.allSatisfy { word in
        !word.isEmpty && word.allSatisfy { $0.isDigit || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }
}
