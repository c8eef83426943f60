/// Pieces of patterns that rules share (Mail::SpamAssassin::Plugin::ReplaceTags): `<A>` in a pattern stands for the expression
/// that `replace_tag A …` gives.
struct ReplacementTags {
    enum Kind: String {
        /// Stands for the tag itself.
        case tag = "replace_tag"
        /// Stands before every tag of a pattern that has `<pre NAME>`.
        case before = "replace_pre"
        /// Stands between tags that follow each other directly, in a pattern with `<inter NAME>`.
        case between = "replace_inter"
        /// Stands behind every tag of a pattern that has `<post NAME>`.
        case behind = "replace_post"
    }

    private var expressions: [Kind: [[UInt8]: [UInt8]]] = [:]
    /// Rules in whose patterns tags are replaced, each with the place that says so.
    private(set) var rules: [String: RulePlace] = [:]
    /// What tags start and end with.
    var start = Array("<".utf8)
    var end = Array(">".utf8)

    /// Expressions may name tags themselves; what is nested deeper stays as it is.
    private static let maximumPasses = 6
    /// Octets of a pattern: tags of tags must not grow without bound.
    private static let maximumLength = 64 * 1_024

    mutating func set(_ kind: Kind, _ name: ArraySlice<UInt8>, _ expression: ArraySlice<UInt8>) {
        self.expressions[kind, default: [:]][Array(name)] = Array(expression)
    }

    mutating func add(rule: String, _ place: RulePlace) {
        self.rules[rule] = self.rules[rule] ?? place
    }

    /// The pattern with its tags replaced; nil if it would grow beyond all use.
    /// - Parameter sharing: long expressions stand once, at the end, and are called from where their tags were (`(?(DEFINE)…)`,
    ///   pcre2pattern(3)): for patterns that are too large for PCRE2 otherwise. What matches is the same.
    func expanding(_ pattern: [UInt8], sharing: Bool = false) -> [UInt8]? {
        var shared = SharedExpressions()
        guard let body = self.expanding(pattern, &shared, isSharing: sharing) else { return nil }
        return body + shared.definitions
    }

    /// Expressions that are called by name, in the order in which they were met.
    private struct SharedExpressions {
        /// Octets below which a call would save nothing.
        static let minimumLength = 32
        /// Names that rules give to groups are in capitals.
        static let prefix = "shared"

        private var numbers: [[UInt8]: Int] = [:]
        private(set) var definitions: [UInt8] = []

        /// What to write in place of an expression; nil if it must stand where it is.
        mutating func call(_ expression: [UInt8]) -> [UInt8]? {
            guard expression.count >= Self.minimumLength, Self.isOneGroup(expression) else { return nil }
            let number = self.numbers[expression] ?? self.numbers.count
            if self.numbers.updateValue(number, forKey: expression) == nil {
                self.definitions += Array("(?(DEFINE)(?<\(Self.prefix)\(number)>".utf8) + expression + Array("))".utf8)
            }
            return Array("(?&\(Self.prefix)\(number))".utf8)
        }

        /// `(?:…)` and nothing else, so that it means the same wherever it stands.
        private static func isOneGroup(_ expression: [UInt8]) -> Bool {
            guard expression.starts(with: "(?:".utf8), expression.last == UInt8(ascii: ")") else { return false }
            var depth = 0
            var inClass = false
            var index = 0
            while index < expression.count {
                switch expression[index] {
                case UInt8(ascii: "\\"): index += 1
                case UInt8(ascii: "["): inClass = true
                case UInt8(ascii: "]"): inClass = false
                case UInt8(ascii: "(") where !inClass: depth += 1
                case UInt8(ascii: ")") where !inClass:
                    depth -= 1
                    if depth == 0, index < expression.count - 1 { return false }
                default: break
                }
                index += 1
            }
            return depth == 0
        }
    }

    private func expanding(_ pattern: [UInt8], _ shared: inout SharedExpressions, isSharing: Bool) -> [UInt8]? {
        var pattern = pattern
        for _ in 0..<ReplacementTags.maximumPasses {
            let before = self.takeModifier("pre", .before, from: &pattern)
            let behind = self.takeModifier("post", .behind, from: &pattern)
            let between = self.takeModifier("inter", .between, from: &pattern)
            var goesOn = false
            var result: [UInt8] = []
            for piece in ReplacementTags.pieces(of: pattern) {
                switch piece {
                case .text(let text): result += text
                case .gap: result += between ?? []
                case .tag(let tag):
                    // What stands around the tag may name tags itself; then the first of all is the one that counts.
                    let piece = (before ?? []) + tag + (behind ?? [])
                    let (text, hasTags) = self.replacingTag(in: piece) { isSharing ? shared.call($0) : nil }
                    result += text
                    goesOn = goesOn || hasTags
                }
                guard result.count <= ReplacementTags.maximumLength else { return nil }
            }
            pattern = result
            if !goesOn { break }
        }
        return pattern
    }

    /// Takes `<pre NAME>` out of the pattern, the first that is there.
    private func takeModifier(_ word: String, _ kind: Kind, from pattern: inout [UInt8]) -> [UInt8]? {
        let opening = self.start + Array((word + " ").utf8)
        guard let start = pattern.firstIndex(of: opening, from: 0) else { return nil }
        let nameStart = start + opening.count
        // A name has one octet at least.
        guard let nameEnd = pattern.firstIndex(of: self.end, from: nameStart + 1) else { return nil }
        let name = Array(pattern[nameStart..<nameEnd])
        pattern.removeSubrange(start..<(nameEnd + self.end.count))
        return self.expressions[kind]?[name]
    }

    private func replacingTag(in piece: [UInt8], call: ([UInt8]) -> [UInt8]?) -> (text: [UInt8], hasTags: Bool) {
        guard let start = piece.firstIndex(of: self.start, from: 0),
            let end = piece.firstIndex(of: self.end, from: start + self.start.count + 1),
            let expression = self.expressions[.tag]?[Array(piece[(start + self.start.count)..<end])],
            !expression.isEmpty
        else { return (piece, false) }
        let tag = Array(piece[start..<(end + self.end.count)])
        let hasTags = ReplacementTags.pieces(of: expression).contains(where: \.isTag)
        let text = (hasTags ? nil : call(expression)) ?? expression
        var result: [UInt8] = []
        var index = 0
        while let next = piece.firstIndex(of: tag, from: index) {
            result += piece[index..<next] + text
            index = next + tag.count
        }
        return (result + piece[index...], hasTags)
    }

    private enum Piece {
        case text(ArraySlice<UInt8>)
        /// `<…>`; angle brackets whatever `replace_start` says, as in SpamAssassin.
        case tag(ArraySlice<UInt8>)
        /// Between two tags with nothing between them.
        case gap

        var isTag: Bool {
            if case .tag = self { return true }
            return false
        }
    }

    private static func pieces(of pattern: [UInt8]) -> [Piece] {
        var pieces: [Piece] = []
        var textStart = 0
        var opening: Int?
        for (index, byte) in pattern.enumerated() {
            if byte == UInt8(ascii: "<") {
                opening = index
            } else if byte == UInt8(ascii: ">"), let start = opening {
                opening = nil
                guard index > start + 1 else { continue }
                if start > textStart {
                    pieces.append(.text(pattern[textStart..<start]))
                } else if pieces.last?.isTag ?? false {
                    pieces.append(.gap)
                }
                pieces.append(.tag(pattern[start...index]))
                textStart = index + 1
            }
        }
        if textStart < pattern.count { pieces.append(.text(pattern[textStart...])) }
        return pieces
    }
}
