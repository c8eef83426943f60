import PatternKit

/// Reads a pattern into a tree: the part of PCRE2's syntax that rules are written in (pcre2syntax(3)), for text of octets.
///
/// What is not understood is said so (`Unsupported`); it is never read as something else.
struct PatternParser {
    /// A construct that is left to PCRE2 alone.
    struct Unsupported: Error, Hashable {
        var what: String
        var offset: Int
    }

    /// Groups inside each other.
    static let maximumNesting = 100
    /// Octets of a pattern that is still read; longer ones are made by programs.
    static let maximumLength = 16_384

    let source: [UInt8]
    private var options: PatternOptions
    var index = 0
    private var nesting = 0
    private var captures = 0
    private var names: [String: Int] = [:]

    private init(_ source: [UInt8], _ options: PatternOptions) {
        self.source = source
        self.options = options
    }

    static func parse(_ source: [UInt8], options: PatternOptions) throws(Unsupported) -> PatternNode {
        guard !options.contains(.utf) else { throw Unsupported(what: "matching of characters instead of octets", offset: 0) }
        guard source.count <= self.maximumLength else { throw Unsupported(what: "such a long pattern", offset: 0) }
        var parser = PatternParser(source, options)
        let node = try parser.choice()
        guard parser.index == source.count else { throw Unsupported(what: "a ')' without '('", offset: parser.index) }
        return node
    }

    static func parse(_ pattern: Pattern) throws(Unsupported) -> PatternNode {
        try self.parse(pattern.source, options: pattern.options)
    }

    var isCaseless: Bool { self.options.contains(.caseless) }

    // MARK: - Reading

    var current: UInt8? { self.index < self.source.count ? self.source[self.index] : nil }

    func at(_ text: String) -> Bool { self.source[self.index...].starts(with: text.utf8) }

    mutating func take(_ text: String) -> Bool {
        guard self.at(text) else { return false }
        self.index += text.utf8.count
        return true
    }

    func unsupported(_ what: String, at offset: Int? = nil) -> Unsupported {
        Unsupported(what: what, offset: offset ?? self.index)
    }

    // MARK: - Structure

    private mutating func choice() throws(Unsupported) -> PatternNode {
        self.nesting += 1
        defer { self.nesting -= 1 }
        guard self.nesting <= PatternParser.maximumNesting else { throw self.unsupported("such deep nesting") }
        let outer = self.options
        defer { self.options = outer }
        let start = self.index
        var branches = [try self.sequence()]
        while self.take("|") { branches.append(try self.sequence()) }
        guard branches.count > 1 else { return branches[0] }
        return PatternNode(kind: .choice(branches), range: start..<self.index)
    }

    private mutating func sequence() throws(Unsupported) -> PatternNode {
        let start = self.index
        var nodes: [PatternNode] = []
        while let byte = self.current, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            if self.skipExtended() { continue }
            guard let atom = try self.atom() else { continue }
            self.skipAllExtended()
            nodes.append(try self.quantified(atom))
        }
        switch nodes.count {
        case 0: return PatternNode(kind: .empty, range: start..<start)
        case 1: return nodes[0]
        default: return PatternNode(kind: .sequence(nodes), range: start..<self.index)
        }
    }

    /// White space and comments under /x, and `(?#…)` always.
    private mutating func skipExtended() -> Bool {
        if self.at("(?#") {
            while let byte = self.current, byte != UInt8(ascii: ")") { self.index += 1 }
            self.index = min(self.index + 1, self.source.count)
            return true
        }
        guard self.options.contains(.extended), let byte = self.current else { return false }
        if byte.isBlank {
            self.index += 1
            return true
        }
        guard byte == UInt8(ascii: "#") else { return false }
        while let byte = self.current, byte != 0x0a { self.index += 1 }
        return true
    }

    private mutating func skipAllExtended() { while self.skipExtended() {} }

    /// Quantifiers behind a piece.
    private mutating func quantified(_ atom: PatternNode) throws(Unsupported) -> PatternNode {
        var node = atom
        while let (minimum, maximum) = self.quantifier() {
            var greed = PatternNode.Greed.greedy
            if self.take("?") { greed = .lazy } else if self.take("+") { greed = .possessive }
            node = PatternNode(
                kind: .repetition(node, minimum: minimum, maximum: maximum, greed),
                range: atom.range.lowerBound..<self.index
            )
            self.skipAllExtended()
        }
        return node
    }

    private mutating func quantifier() -> (Int, Int?)? {
        if self.take("*") { return (0, nil) }
        if self.take("+") { return (1, nil) }
        if self.take("?") { return (0, 1) }
        guard self.current == UInt8(ascii: "{") else { return nil }
        let start = self.index
        self.index += 1
        if let minimum = self.number() {
            if self.take("}") { return (minimum, minimum) }
            if self.take(",") {
                if self.take("}") { return (minimum, nil) }
                if let maximum = self.number(), self.take("}") { return (minimum, maximum) }
            }
        }
        // `{` that starts no quantifier stands for itself.
        self.index = start
        return nil
    }

    mutating func number() -> Int? {
        let start = self.index
        var value = 0
        while let byte = self.current, byte.isDigit, self.index - start < 6 {
            value = value * 10 + Int(byte - 0x30)
            self.index += 1
        }
        return self.index > start ? value : nil
    }

    /// One piece; nil for something that only changes how the rest is read.
    private mutating func atom() throws(Unsupported) -> PatternNode? {
        let start = self.index
        guard let byte = self.current else { return nil }
        switch byte {
        case UInt8(ascii: "("): return try self.group()
        case UInt8(ascii: "["):
            let set = try self.characterClass()
            return self.node(set, from: start)
        case UInt8(ascii: "\\"): return try self.escape()
        default: break
        }
        self.index += 1
        switch byte {
        case UInt8(ascii: "."):
            return self.node(self.options.contains(.dotAll) ? .all : ByteSet.lineFeed.inverted, from: start)
        case UInt8(ascii: "^"):
            return self.assertion(self.options.contains(.multiline) ? .lineStart : .textStart, from: start)
        case UInt8(ascii: "$"):
            return self.assertion(self.options.contains(.multiline) ? .lineEnd : .lastLineEnd, from: start)
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
            throw self.unsupported("a quantifier with nothing before it", at: start)
        default:
            return self.literal(byte, from: start)
        }
    }

    func node(_ set: ByteSet, from start: Int) -> PatternNode {
        PatternNode(kind: .set(set), range: start..<self.index)
    }

    func literal(_ byte: UInt8, from start: Int) -> PatternNode {
        self.node(self.isCaseless ? ByteSet(byte).caseFolded : ByteSet(byte), from: start)
    }

    func assertion(_ assertion: PatternNode.Assertion, from start: Int) -> PatternNode {
        PatternNode(kind: .assertion(assertion), range: start..<self.index)
    }

    // MARK: - Groups

    private mutating func group() throws(Unsupported) -> PatternNode? {
        let start = self.index
        self.index += 1
        if self.at("*") { throw self.unsupported("(*VERB)", at: start) }
        guard self.take("?") else {
            guard !self.options.contains(.noCapture) else { return try self.close(.plain, from: start) }
            return try self.capture(nil, from: start)
        }
        if self.take(":") { return try self.close(.plain, from: start) }
        if self.take(">") { return try self.close(.atomic, from: start) }
        if self.take("=") { return try self.look(isAhead: true, isNegated: false, from: start) }
        if self.take("!") { return try self.look(isAhead: true, isNegated: true, from: start) }
        if self.take("<=") { return try self.look(isAhead: false, isNegated: false, from: start) }
        if self.take("<!") { return try self.look(isAhead: false, isNegated: true, from: start) }
        if self.take("P=") { return try self.namedReference(until: ")", from: start) }
        for (open, end) in [("P<", ">"), ("<", ">"), ("'", "'")] where self.take(open) {
            return try self.capture(try self.name(until: end), from: start)
        }
        return try self.optionGroup(from: start)
    }

    private mutating func capture(_ name: String?, from start: Int) throws(Unsupported) -> PatternNode {
        self.captures += 1
        let number = self.captures
        if let name { self.names[name] = number }
        return try self.close(.capture(number, name: name), from: start)
    }

    private mutating func close(_ group: PatternNode.Group, from start: Int) throws(Unsupported) -> PatternNode {
        let inner = try self.choice()
        guard self.take(")") else { throw self.unsupported("a group without an end", at: start) }
        return PatternNode(kind: .group(inner, group), range: start..<self.index)
    }

    private mutating func look(isAhead: Bool, isNegated: Bool, from start: Int) throws(Unsupported) -> PatternNode {
        let inner = try self.choice()
        guard self.take(")") else { throw self.unsupported("a group without an end", at: start) }
        return PatternNode(kind: .look(inner, isAhead: isAhead, isNegated: isNegated), range: start..<self.index)
    }

    mutating func name(until end: String) throws(Unsupported) -> String {
        let start = self.index
        while let byte = self.current, byte.isWord { self.index += 1 }
        let name = String(decoding: self.source[start..<self.index], as: UTF8.self)
        guard !name.isEmpty, self.take(end) else { throw self.unsupported("this group", at: start) }
        return name
    }

    mutating func namedReference(until end: String, from start: Int) throws(Unsupported) -> PatternNode {
        let name = try self.name(until: end)
        guard let number = self.names[name] else { throw self.unsupported("a reference to a later group", at: start) }
        return PatternNode(kind: .reference(number), range: start..<self.index)
    }

    mutating func reference(_ number: Int, from start: Int) throws(Unsupported) -> PatternNode {
        guard number >= 1, number <= self.captures else {
            throw self.unsupported("a reference to a later group", at: start)
        }
        return PatternNode(kind: .reference(number), range: start..<self.index)
    }

    /// `(?i)`, `(?i-s:…)`, `(?^x:…)`.
    private mutating func optionGroup(from start: Int) throws(Unsupported) -> PatternNode? {
        var options = self.options
        if self.take("^") { options.subtract([.caseless, .multiline, .dotAll, .extended, .noCapture]) }
        var isOff = false
        while let byte = self.current {
            self.index += 1
            let option: PatternOptions
            switch byte {
            case UInt8(ascii: "i"): option = .caseless
            case UInt8(ascii: "m"): option = .multiline
            case UInt8(ascii: "s"): option = .dotAll
            case UInt8(ascii: "x"): option = .extended
            case UInt8(ascii: "n"): option = .noCapture
            case UInt8(ascii: "-"):
                isOff = true
                continue
            case UInt8(ascii: ")"):
                // For the rest of the group around it, also for the branches that follow.
                self.options = options
                return nil
            case UInt8(ascii: ":"):
                let outer = self.options
                self.options = options
                defer { self.options = outer }
                return try self.close(.plain, from: start)
            default: throw self.unsupported("this kind of group", at: start)
            }
            if isOff { options.remove(option) } else { options.insert(option) }
        }
        throw self.unsupported("a group without an end", at: start)
    }
}
