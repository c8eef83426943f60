/// Escapes and classes of characters.
extension PatternParser {
    /// What a backslash begins outside of a class; nil for `\Q\E` around nothing.
    mutating func escape() throws(Unsupported) -> PatternNode? {
        let start = self.index
        guard self.index + 1 < self.source.count else { throw self.unsupported("a backslash at the end") }
        let letter = self.source[self.index + 1]
        if letter == UInt8(ascii: "Q") { return try self.quoted(from: start) }
        if letter == UInt8(ascii: "E") {
            self.index += 2
            return nil
        }
        if let assertion = PatternParser.assertions[letter] {
            self.index += 2
            return self.assertion(assertion, from: start)
        }
        switch letter {
        case UInt8(ascii: "K"):
            self.index += 2
            return PatternNode(kind: .keep, range: start..<self.index)
        case UInt8(ascii: "R"):
            self.index += 2
            return self.anyLineEnd(from: start)
        case UInt8(ascii: "1")...UInt8(ascii: "9"):
            return try self.numberedReference(from: start)
        case UInt8(ascii: "g"), UInt8(ascii: "k"):
            return try self.bracedReference(letter, from: start)
        default: break
        }
        if let set = try self.escapedSet() { return self.node(self.isCaseless ? set.caseFolded : set, from: start) }
        throw self.unsupported("\\" + String(Character(letter)), at: start)
    }

    private static let assertions: [UInt8: PatternNode.Assertion] = [
        UInt8(ascii: "A"): .textStart, UInt8(ascii: "z"): .textEnd, UInt8(ascii: "Z"): .lastLineEnd,
        UInt8(ascii: "b"): .wordEdge, UInt8(ascii: "B"): .noWordEdge, UInt8(ascii: "G"): .searchStart,
    ]

    /// `\Q…\E`: a sequence of what stands there.
    private mutating func quoted(from start: Int) throws(Unsupported) -> PatternNode? {
        self.index += 2
        var nodes: [PatternNode] = []
        while let byte = self.current {
            if self.take("\\E") { break }
            let place = self.index
            self.index += 1
            nodes.append(self.literal(byte, from: place))
        }
        // It would repeat the last letter alone.
        if let byte = self.current, "*+?{".utf8.contains(byte) { throw self.unsupported("a quantifier behind \\E") }
        return nodes.isEmpty ? nil : PatternNode(kind: .sequence(nodes), range: start..<self.index)
    }

    /// `\R`: CRLF, or one octet that ends a line.
    private func anyLineEnd(from start: Int) -> PatternNode {
        let range = start..<self.index
        let pair = PatternNode(
            kind: .sequence([.init(kind: .set(ByteSet(0x0d)), range: range), .init(kind: .set(ByteSet(0x0a)), range: range)]),
            range: range
        )
        return PatternNode(kind: .choice([pair, .init(kind: .set(.verticalSpace), range: range)]), range: range)
    }

    private mutating func numberedReference(from start: Int) throws(Unsupported) -> PatternNode {
        self.index += 1
        let digits = self.index
        guard let number = self.number() else { throw self.unsupported("this reference", at: start) }
        // `\10` is a reference only if there are that many groups, else an octal number; both are rare enough to leave alone.
        guard self.index - digits == 1 else { throw self.unsupported("\\\(number)", at: start) }
        return try self.reference(number, from: start)
    }

    /// `\g1`, `\g{1}`, `\g{-1}` is left alone, `\g{name}`, `\k<name>`, `\k{name}`, `\k'name'`.
    private mutating func bracedReference(_ letter: UInt8, from start: Int) throws(Unsupported) -> PatternNode {
        self.index += 2
        if letter == UInt8(ascii: "g") {
            if let number = self.number() { return try self.reference(number, from: start) }
            guard self.take("{") else { throw self.unsupported("\\g", at: start) }
            if let number = self.number() {
                guard self.take("}") else { throw self.unsupported("\\g", at: start) }
                return try self.reference(number, from: start)
            }
            return try self.namedReference(until: "}", from: start)
        }
        for (open, end) in [("<", ">"), ("{", "}"), ("'", "'")] where self.take(open) {
            return try self.namedReference(until: end, from: start)
        }
        throw self.unsupported("\\k", at: start)
    }

    // MARK: - One octet

    /// The octets an escape stands for, in a class or outside; nil, with nothing read, for an escape that is none of these.
    private mutating func escapedSet() throws(Unsupported) -> ByteSet? {
        let start = self.index
        let letter = self.source[self.index + 1]
        self.index += 2
        switch letter {
        case UInt8(ascii: "d"): return .digits
        case UInt8(ascii: "D"): return ByteSet.digits.inverted
        case UInt8(ascii: "w"): return .word
        case UInt8(ascii: "W"): return ByteSet.word.inverted
        case UInt8(ascii: "s"): return .space
        case UInt8(ascii: "S"): return ByteSet.space.inverted
        case UInt8(ascii: "h"): return .horizontalSpace
        case UInt8(ascii: "H"): return ByteSet.horizontalSpace.inverted
        case UInt8(ascii: "v"): return .verticalSpace
        case UInt8(ascii: "V"): return ByteSet.verticalSpace.inverted
        case UInt8(ascii: "N") where !self.at("{"): return ByteSet.lineFeed.inverted
        case UInt8(ascii: "t"): return ByteSet(0x09)
        case UInt8(ascii: "n"): return ByteSet(0x0a)
        case UInt8(ascii: "r"): return ByteSet(0x0d)
        case UInt8(ascii: "f"): return ByteSet(0x0c)
        case UInt8(ascii: "e"): return ByteSet(0x1b)
        case UInt8(ascii: "a"): return ByteSet(0x07)
        case UInt8(ascii: "x"): return ByteSet(try self.hexadecimal(from: start))
        case UInt8(ascii: "0")...UInt8(ascii: "7"): return ByteSet(self.octal())
        case UInt8(ascii: "c"):
            guard let control = self.current, control < 0x80 else { throw self.unsupported("\\c", at: start) }
            self.index += 1
            let upper = (0x61...0x7a).contains(control) ? control - 0x20 : control
            return ByteSet(upper ^ 0x40)
        default:
            guard !letter.isWord else {
                self.index = start
                return nil
            }
            return ByteSet(letter)
        }
    }

    private mutating func hexadecimal(from start: Int) throws(Unsupported) -> UInt8 {
        func digit(_ byte: UInt8?) -> Int? { byte.flatMap { Character($0).hexDigitValue } }
        var value = 0
        if self.take("{") {
            while let next = digit(self.current), value <= 0xff {
                value = value * 16 + next
                self.index += 1
            }
            guard self.take("}"), value <= 0xff else { throw self.unsupported("\\x{…} of several octets", at: start) }
            return UInt8(value)
        }
        for _ in 0..<2 {
            guard let next = digit(self.current) else { break }
            value = value * 16 + next
            self.index += 1
        }
        return UInt8(value)
    }

    /// Up to three octal digits, the first of which was read.
    private mutating func octal() -> UInt8 {
        var value = Int(self.source[self.index - 1] - 0x30)
        for _ in 0..<2 {
            guard let byte = self.current, (0x30...0x37).contains(byte), value * 8 + Int(byte - 0x30) <= 0xff else { break }
            value = value * 8 + Int(byte - 0x30)
            self.index += 1
        }
        return UInt8(value)
    }

    // MARK: - Classes

    /// `[…]`
    mutating func characterClass() throws(Unsupported) -> ByteSet {
        let start = self.index
        self.index += 1
        let isNegated = self.take("^")
        var set = ByteSet()
        var isFirst = true
        while true {
            guard let byte = self.current else { throw self.unsupported("a class without an end", at: start) }
            if byte == UInt8(ascii: "]"), !isFirst { break }
            isFirst = false
            if self.at("[:"), let posix = try self.posixClass() {
                set.formUnion(posix)
                continue
            }
            if self.at("[=") || self.at("[.") { throw self.unsupported("[[= and [[.", at: self.index) }
            guard let low = try self.classMember() else { continue }
            guard self.at("-"), self.index + 1 < self.source.count, self.source[self.index + 1] != UInt8(ascii: "]"),
                let lower = low.single
            else {
                set.formUnion(low)
                continue
            }
            self.index += 1
            guard let high = try self.classMember(), let upper = high.single, lower <= upper else {
                throw self.unsupported("this range in a class", at: start)
            }
            set.formUnion(ByteSet(lower...upper))
        }
        self.index += 1
        if self.isCaseless { set = set.caseFolded }
        return isNegated ? set.inverted : set
    }

    private mutating func classMember() throws(Unsupported) -> ByteSet? {
        guard let byte = self.current else { return nil }
        guard byte == UInt8(ascii: "\\") else {
            self.index += 1
            return ByteSet(byte)
        }
        guard self.index + 1 < self.source.count else { throw self.unsupported("a backslash at the end") }
        let letter = self.source[self.index + 1]
        if letter == UInt8(ascii: "b") {
            self.index += 2
            return ByteSet(0x08)
        }
        if letter == UInt8(ascii: "E") {
            self.index += 2
            return nil
        }
        if let set = try self.escapedSet() { return set }
        throw self.unsupported("\\" + String(Character(letter)) + " in a class")
    }

    /// `[:alpha:]`; nil, with nothing read, when it is none.
    private mutating func posixClass() throws(Unsupported) -> ByteSet? {
        let rest = self.source[(self.index + 2)...]
        guard let colon = rest.firstIndex(of: UInt8(ascii: ":")), colon + 1 < self.source.count,
            self.source[colon + 1] == UInt8(ascii: "]")
        else { return nil }
        var name = String(decoding: rest[..<colon], as: UTF8.self)
        let isNegated = name.hasPrefix("^")
        if isNegated { name.removeFirst() }
        guard name.utf8.allSatisfy(\.isLetter) else { return nil }
        guard let set = PatternParser.posixClasses[name] else { throw self.unsupported("[:\(name):]") }
        self.index = colon + 2
        return isNegated ? set.inverted : set
    }

    private static let posixClasses: [String: ByteSet] = [
        "alpha": .letters, "digit": .digits, "alnum": .letters.union(.digits), "word": .word, "space": .space,
        "upper": .upperCase, "lower": .lowerCase, "blank": ByteSet([0x09, 0x20]), "ascii": ByteSet(0...0x7f),
        "cntrl": ByteSet(0...0x1f).union(ByteSet(0x7f)), "print": ByteSet(0x20...0x7e), "graph": ByteSet(0x21...0x7e),
        "punct": ByteSet(0x21...0x7e).subtracting(.letters).subtracting(.digits),
        "xdigit": .digits.union(ByteSet(0x41...0x46)).union(ByteSet(0x61...0x66)),
    ]
}
