/// A piece of a pattern in words.
package struct PatternPhrase: Hashable, Sendable {
    /// How deep the piece stands in others.
    package var depth: Int
    /// As it stands in the pattern.
    package var source: String
    package var meaning: String
}

/// Explains a pattern piece by piece.
struct PatternWords {
    private let source: [UInt8]
    private var phrases: [PatternPhrase] = []

    static func explain(_ node: PatternNode, source: [UInt8]) -> [PatternPhrase] {
        var words = PatternWords(source: source)
        words.add(node, 0)
        return words.phrases
    }

    private init(source: [UInt8]) {
        self.source = source
    }

    private mutating func say(_ node: PatternNode, _ depth: Int, _ meaning: String) {
        self.say(node.range, depth, meaning)
    }

    private mutating func say(_ range: Range<Int>, _ depth: Int, _ meaning: String) {
        self.phrases.append(PatternPhrase(depth: depth, source: readable(self.source[range]), meaning: meaning))
    }

    private mutating func add(_ node: PatternNode, _ depth: Int) {
        switch node.kind {
        case .empty: self.say(node, depth, "nothing")
        case .set(let set): self.say(node, depth, PatternWords.words(for: set))
        case .sequence(let nodes): self.addSequence(nodes, depth)
        case .choice(let nodes): self.addChoice(nodes, node, depth, "")
        case .repetition(let inner, let minimum, let maximum, let greed):
            self.addRepetition(node, inner, PatternWords.times(minimum, maximum) + PatternWords.words(for: greed), depth)
        case .group(let inner, let group):
            self.addInside(node, inner, PatternWords.words(for: group), depth)
        case .assertion(let assertion): self.say(node, depth, PatternWords.words(for: assertion))
        case .look(let inner, let isAhead, let isNegated):
            let place = isAhead ? "what follows" : "what stands before"
            self.addInside(node, inner, "\(place) is \(isNegated ? "not " : "")", depth)
        case .reference(let number): self.say(node, depth, "the same text that group \(number) matched")
        case .keep: self.say(node, depth, "what was matched so far does not count as part of the match")
        }
    }

    /// Letters that stand next to each other are told together.
    private mutating func addSequence(_ nodes: [PatternNode], _ depth: Int) {
        var index = 0
        while index < nodes.count {
            var end = index
            while end < nodes.count, PatternWords.letter(nodes[end]) != nil { end += 1 }
            if end - index > 1 {
                let text = nodes[index..<end].compactMap(PatternWords.letter)
                let range = nodes[index].range.lowerBound..<nodes[end - 1].range.upperBound
                let isFolded = nodes[index..<end].contains { $0.singleSet?.count == 2 }
                self.say(range, depth, quoted(text) + (isFolded ? ", in capitals or not" : ""))
                index = end
            } else {
                self.add(nodes[index], depth)
                index += 1
            }
        }
    }

    private mutating func addChoice(_ nodes: [PatternNode], _ node: PatternNode, _ depth: Int, _ before: String) {
        let texts = nodes.compactMap(PatternWords.text)
        if texts.count == nodes.count {
            let isFolded = nodes.contains { $0.all.contains { $0.singleSet?.count == 2 } }
            let list = texts.map { $0.isEmpty ? "nothing" : quoted($0) }.joined(separator: ", ")
            self.say(node, depth, before + "one of \(list)" + (isFolded ? ", in capitals or not" : ""))
            return
        }
        self.say(node, depth, before + "one of these \(nodes.count):")
        for branch in nodes {
            let phrases = PatternWords.explain(branch, source: self.source)
            if phrases.count == 1 {
                self.say(branch, depth + 1, phrases[0].meaning)
            } else {
                self.say(branch, depth + 1, "in order:")
                self.add(branch, depth + 2)
            }
        }
    }

    private mutating func addRepetition(_ node: PatternNode, _ inner: PatternNode, _ times: String, _ depth: Int) {
        var core = inner
        while case .group(let content, .plain) = core.kind { core = content }
        if let set = core.singleSet {
            self.say(node, depth, PatternWords.words(for: set) + ", " + times)
        } else if let text = PatternWords.text(core), !text.isEmpty {
            self.say(node, depth, quoted(text) + ", " + times)
        } else {
            self.addInside(node, core, times + ": ", depth)
        }
    }

    /// A piece around another: on one line where the inner one is short.
    private mutating func addInside(_ node: PatternNode, _ inner: PatternNode, _ words: String, _ depth: Int) {
        if let set = inner.singleSet, PatternWords.letter(inner) == nil {
            self.say(node, depth, words + PatternWords.words(for: set))
        } else if let text = PatternWords.text(inner) {
            self.say(node, depth, words + (text.isEmpty ? "nothing" : quoted(text)))
        } else if case .choice(let nodes) = inner.kind {
            self.addChoice(nodes, node, depth, words)
        } else {
            self.say(node, depth, words + "in order:")
            self.add(inner, depth + 1)
        }
    }

    // MARK: - Words

    /// The letter that a piece stands for, in small where /i takes both.
    private static func letter(_ node: PatternNode) -> UInt8? {
        guard case .set(let set) = node.kind else { return nil }
        if let byte = set.single { return byte }
        guard set.count == 2, let byte = set.bytes.last, byte.isLetter, set == ByteSet(byte).caseFolded else { return nil }
        return byte
    }

    /// The text that a piece stands for, if it is only one.
    private static func text(_ node: PatternNode) -> [UInt8]? {
        switch node.kind {
        case .empty: return []
        case .set: return self.letter(node).map { [$0] }
        case .sequence(let nodes):
            var text: [UInt8] = []
            for node in nodes {
                guard case .set = node.kind, let letter = self.letter(node) else { return nil }
                text.append(letter)
            }
            return text
        case .group(let inner, .plain): return self.text(inner)
        case .group, .choice, .repetition, .assertion, .look, .reference, .keep: return nil
        }
    }

    static func times(_ minimum: Int, _ maximum: Int?) -> String {
        switch (minimum, maximum) {
        case (0, nil): "any number of times, also none"
        case (1, nil): "once or more"
        case (0, 1): "once or not at all"
        case (let minimum, nil): "\(minimum) times or more"
        case (let minimum, let maximum?) where minimum == maximum: minimum == 1 ? "once" : "\(minimum) times"
        case (let minimum, let maximum?): "\(minimum) to \(maximum) times"
        }
    }

    private static func words(for greed: PatternNode.Greed) -> String {
        switch greed {
        case .greedy: ""
        case .lazy: ", as few as possible"
        case .possessive: ", and what was taken is kept"
        }
    }

    private static func words(for group: PatternNode.Group) -> String {
        switch group {
        case .plain: ""
        case .capture(let number, let name): "group \(number)" + (name.map { " “\($0)”" } ?? "") + ": "
        case .atomic: "as a whole, no second try: "
        }
    }

    private static func words(for assertion: PatternNode.Assertion) -> String {
        switch assertion {
        case .textStart: "the start of the text"
        case .lineStart: "the start of a line"
        case .textEnd: "the end of the text"
        case .lastLineEnd: "the end of the text, or before the line feed that ends it"
        case .lineEnd: "the end of a line"
        case .wordEdge: "the edge of a word"
        case .noWordEdge: "not at the edge of a word"
        case .searchStart: "where the search began"
        }
    }

    private static let named: [(ByteSet, String)] = [
        (.all, "any octet"), (ByteSet.lineFeed.inverted, "any octet but a line feed"),
        (.digits, "a digit"), (ByteSet.digits.inverted, "anything but a digit"),
        (.word, "a letter, digit or _"), (ByteSet.word.inverted, "anything but a letter, digit or _"),
        (.space, "white space"), (ByteSet.space.inverted, "anything but white space"),
        (.letters, "a letter"), (.lowerCase, "a small letter"), (.upperCase, "a capital letter"),
        (ByteSet.letters.union(.digits), "a letter or digit"),
    ]

    static func words(for set: ByteSet) -> String {
        if let known = self.named.first(where: { $0.0 == set }) { return known.1 }
        if set.isEmpty { return "nothing: no octet is in this class" }
        if let byte = set.single { return self.name(byte) }
        if set.count == 2, let byte = set.bytes.last, set == ByteSet(byte).caseFolded {
            return self.name(byte) + ", in capitals or not"
        }
        if set.count > 128 { return "anything but " + self.list(set.inverted) }
        return "one of " + self.list(set)
    }

    private static func list(_ set: ByteSet) -> String {
        set.ranges.map { range in
            switch range.count {
            case 1: self.name(range.lowerBound)
            case 2: self.name(range.lowerBound) + " " + self.name(range.upperBound)
            default: self.name(range.lowerBound) + "-" + self.name(range.upperBound)
            }
        }.joined(separator: " ")
    }

    private static func name(_ byte: UInt8) -> String {
        switch byte {
        case 0x20: "space"
        case 0x09: "tab"
        case 0x0a: "line feed"
        case 0x0d: "carriage return"
        case 0x21...0x7e: String(Character(byte))
        default: readable([byte][...])
        }
    }
}

private func quoted(_ text: [UInt8]) -> String { "“\(readable(text[...]))”" }

/// Octets for a reader: valid UTF-8 that can be printed as it is, the rest as `\x…`.
package func readable(_ bytes: ArraySlice<UInt8>) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    // Where something is no UTF-8, all that is not ASCII is told as octets.
    guard text.utf8.elementsEqual(bytes) else { return bytes.map(escaped).joined() }
    var result = ""
    for scalar in text.unicodeScalars {
        result += scalar.value < 0x80 ? escaped(UInt8(scalar.value)) : printed(scalar)
    }
    return result
}

private func printed(_ scalar: Unicode.Scalar) -> String {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
        String(scalar).utf8.map(escaped).joined()
    default: String(scalar)
    }
}

private func escaped(_ byte: UInt8) -> String {
    switch byte {
    case 0x20...0x7e: String(Character(byte))
    case 0x0a: "\\n"
    case 0x0d: "\\r"
    case 0x09: "\\t"
    default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
