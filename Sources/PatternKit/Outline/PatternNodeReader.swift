/// Takes a pattern of PCRE2 apart. Whatever it does not know for certain makes it give up: a pattern that is misread would hide
/// matches.
struct PatternNodeReader {
    /// Named groups.
    private(set) var groups: [[UInt8]: PatternNode] = [:]

    private let source: [UInt8]
    private var index = 0
    private var depth = 0
    private var mode: Mode

    /// Flags that can change inside a pattern.
    private struct Mode {
        var isCaseless: Bool
        var isExtended: Bool
    }

    /// There is something that is not known here.
    private struct Unknown: Error {}

    /// Groups inside each other.
    private static let maximumDepth = 100

    private init(_ source: [UInt8], options: PatternOptions) {
        self.source = source
        self.mode = Mode(isCaseless: options.contains(.caseless), isExtended: options.contains(.extended))
    }

    /// nil for a pattern that is not understood.
    static func read(_ source: [UInt8], options: PatternOptions) -> (node: PatternNode, groups: [[UInt8]: PatternNode])? {
        guard !options.contains(.utf) else { return nil }
        var reader = PatternNodeReader(source, options: options)
        guard let node = try? reader.alternatives(), reader.index == reader.source.count else { return nil }
        return (node, reader.groups)
    }

    // MARK: - Reading

    private func peek(_ distance: Int = 0) -> UInt8? {
        self.index + distance < self.source.count ? self.source[self.index + distance] : nil
    }

    private mutating func take(_ text: String) -> Bool {
        guard self.source[self.index...].starts(with: text.utf8) else { return false }
        self.index += text.utf8.count
        return true
    }

    private mutating func next() throws(Unknown) -> UInt8 {
        guard let octet = self.peek() else { throw Unknown() }
        self.index += 1
        return octet
    }

    /// What stands before the next `end`, which is taken, too.
    private mutating func text(to end: UInt8) throws(Unknown) -> [UInt8] {
        guard let place = self.source[self.index...].firstIndex(of: end) else { throw Unknown() }
        defer { self.index = place + 1 }
        return Array(self.source[self.index..<place])
    }

    // MARK: - Groups

    /// To the end of the group, or of the pattern.
    private mutating func alternatives() throws(Unknown) -> PatternNode {
        self.depth += 1
        defer { self.depth -= 1 }
        guard self.depth <= PatternNodeReader.maximumDepth else { throw Unknown() }
        var branches: [PatternNode] = []
        var items: [PatternNode] = []
        while let octet = self.peek(), octet != UInt8(ascii: ")") {
            if octet == UInt8(ascii: "|") {
                self.index += 1
                branches.append(.sequence(items))
                items = []
            } else if let atom = try self.atom() {
                items.append(try self.quantified(atom))
            }
        }
        branches.append(.sequence(items))
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    /// The next thing that a quantifier may follow; nil for one that stands for nothing.
    private mutating func atom() throws(Unknown) -> PatternNode? {
        let octet = try self.next()
        switch octet {
        case UInt8(ascii: "("): return try self.group()
        case UInt8(ascii: "["): return .octet(try self.octetClass())
        case UInt8(ascii: "\\"): return try self.escape()
        case UInt8(ascii: "."): return .octet(.all)
        case UInt8(ascii: "^"), UInt8(ascii: "$"): return .nothing
        // Behind a comment a quantifier still belongs to what stands before that, which has been read already.
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw Unknown()
        case UInt8(ascii: "{") where self.braces(at: self.index - 1) != nil: throw Unknown()
        case UInt8(ascii: "#") where self.mode.isExtended:
            self.index = self.source[self.index...].firstIndex(of: 0x0a).map { $0 + 1 } ?? self.source.count
            return nil
        case _ where self.mode.isExtended && OctetSet.spaces.contains(octet): return nil
        // To PCRE2 the next-line character of Latin-1 is white space here, or an octet of text: that depends on how it was built.
        case 0x85 where self.mode.isExtended: throw Unknown()
        default: return self.literal(octet)
        }
    }

    private func literal(_ octet: UInt8) -> PatternNode {
        let set = OctetSet(octet...octet)
        return .octet(self.mode.isCaseless ? set.caseless : set)
    }

    /// Behind `(`.
    private mutating func group() throws(Unknown) -> PatternNode? {
        if self.peek() == UInt8(ascii: "*") { throw Unknown() }
        guard self.take("?") else { return try self.body() }
        if self.take("#") {
            _ = try self.text(to: UInt8(ascii: ")"))
            return nil
        }
        if self.take("=") || self.take("<=") { return .besides(try self.body()) }
        if self.take("!") || self.take("<!") {
            _ = try self.body()
            return .nothing
        }
        if self.take(":") || self.take(">") || self.take("|") { return try self.body() }
        if self.take("P<") || self.take("<") { return try self.namedGroup(to: UInt8(ascii: ">")) }
        if self.take("'") { return try self.namedGroup(to: UInt8(ascii: "'")) }
        if self.take("&") || self.take("P>") { return .call(try self.text(to: UInt8(ascii: ")"))) }
        if self.take("P=") || self.peek() == UInt8(ascii: "R") || self.peek()?.isOctalOrDecimalDigit == true {
            _ = try self.text(to: UInt8(ascii: ")"))
            return .anything
        }
        if self.take("(DEFINE)") {
            _ = try self.body()
            return .nothing
        }
        return try self.flags()
    }

    /// To the group's `)`. Flags that change within it are as before behind it.
    private mutating func body() throws(Unknown) -> PatternNode {
        let outer = self.mode
        let node = try self.alternatives()
        guard try self.next() == UInt8(ascii: ")") else { throw Unknown() }
        self.mode = outer
        return node
    }

    private mutating func namedGroup(to end: UInt8) throws(Unknown) -> PatternNode {
        let name = try self.text(to: end)
        let node = try self.body()
        // Groups may share a name, which one is called then is not for here to tell.
        self.groups[name] = self.groups[name] == nil ? node : .anything
        return node
    }

    /// `(?i)`, `(?^i-s:…)`.
    private mutating func flags() throws(Unknown) -> PatternNode? {
        let outer = self.mode
        var isOn = true
        while true {
            switch try self.next() {
            case UInt8(ascii: "^"): self.mode = Mode(isCaseless: false, isExtended: false)
            case UInt8(ascii: "-"): isOn = false
            case UInt8(ascii: "i"): self.mode.isCaseless = isOn
            case UInt8(ascii: "x"):
                // `xx` is another flag, which no one needs.
                if self.peek() == UInt8(ascii: "x") { throw Unknown() }
                self.mode.isExtended = isOn
            case UInt8(ascii: "m"), UInt8(ascii: "s"), UInt8(ascii: "n"), UInt8(ascii: "J"): break
            case UInt8(ascii: ")"): return nil
            case UInt8(ascii: ":"):
                let node = try self.alternatives()
                guard try self.next() == UInt8(ascii: ")") else { throw Unknown() }
                self.mode = outer
                return node
            default: throw Unknown()
            }
        }
    }

    // MARK: - Quantifiers

    private mutating func quantified(_ atom: PatternNode) throws(Unknown) -> PatternNode {
        self.skipIgnored()
        let counts: (least: Int, most: Int?)
        switch self.peek() {
        case UInt8(ascii: "*"): counts = (0, nil)
        case UInt8(ascii: "+"): counts = (1, nil)
        case UInt8(ascii: "?"): counts = (0, 1)
        case UInt8(ascii: "{"):
            guard let (braces, length) = self.braces(at: self.index) else { return atom }
            counts = braces
            self.index += length - 1
        default: return atom
        }
        self.index += 1
        // Lazy or possessive: what is matched is made of the same.
        if self.peek() == UInt8(ascii: "?") || self.peek() == UInt8(ascii: "+") { self.index += 1 }
        return try self.quantified(.repeated(atom, least: counts.least, most: counts.most))
    }

    /// White space of `/x` between a thing and its quantifier.
    private mutating func skipIgnored() {
        guard self.mode.isExtended else { return }
        while let octet = self.peek(), OctetSet.spaces.contains(octet) { self.index += 1 }
    }

    /// `{3}`, `{3,}`, `{3,5}`, and how long it is; anything else is plain text.
    private func braces(at start: Int) -> (counts: (least: Int, most: Int?), length: Int)? {
        guard let end = self.source[start...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
        let parts = self.source[(start + 1)..<end].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        let numbers = parts.map { $0.allSatisfy(OctetSet.digits.contains) ? Int(String(decoding: $0, as: UTF8.self)) : nil }
        guard parts.count <= 2, let first = numbers.first, let least = first else { return nil }
        if parts.count == 1 { return ((least, least), end + 1 - start) }
        if parts[1].isEmpty { return ((least, nil), end + 1 - start) }
        guard let most = numbers[1] else { return nil }
        return ((least, most), end + 1 - start)
    }

    // MARK: - Escapes

    /// Behind a backslash outside of a class.
    private mutating func escape() throws(Unknown) -> PatternNode? {
        let octet = try self.next()
        if let set = self.escapedSet(octet) { return .octet(set) }
        switch octet {
        case UInt8(ascii: "b"), UInt8(ascii: "B"), UInt8(ascii: "A"), UInt8(ascii: "Z"), UInt8(ascii: "z"), UInt8(ascii: "G"),
            UInt8(ascii: "K"):
            return .nothing
        case UInt8(ascii: "E"): return nil
        case UInt8(ascii: "Q"):
            let end = self.source.indices.first { $0 >= self.index && self.source[$0...].starts(with: "\\E".utf8) }
            let text = self.source[self.index..<(end ?? self.source.count)]
            self.index = end.map { $0 + 2 } ?? self.source.count
            // A quantifier behind it would be for the last octet alone.
            self.skipIgnored()
            if let next = self.peek(), "*+?{".utf8.contains(next) { throw Unknown() }
            return .sequence(text.map(self.literal))
        case UInt8(ascii: "N") where self.peek() != UInt8(ascii: "{"): return .octet(.all)
        case UInt8(ascii: "R"):
            return .sequence([.octet(.verticalSpaces), .repeated(.octet(.verticalSpaces), least: 0, most: 1)])
        case UInt8(ascii: "1")...UInt8(ascii: "9"):
            // More digits may be a character in octal.
            if self.peek()?.isOctalOrDecimalDigit == true { throw Unknown() }
            return .anything
        case UInt8(ascii: "g"), UInt8(ascii: "k"):
            let ends = [
                UInt8(ascii: "{"): UInt8(ascii: "}"), UInt8(ascii: "<"): UInt8(ascii: ">"), UInt8(ascii: "'"): UInt8(ascii: "'"),
            ]
            guard let end = ends[try self.next()] else { throw Unknown() }
            _ = try self.text(to: end)
            return .anything
        default:
            return self.literal(try self.character(octet))
        }
    }

    /// `\d`, in a class or outside of one.
    private func escapedSet(_ letter: UInt8) -> OctetSet? {
        switch letter {
        case UInt8(ascii: "d"): .digits
        case UInt8(ascii: "D"): ~.digits
        case UInt8(ascii: "s"): .spaces
        case UInt8(ascii: "S"): ~.spaces
        case UInt8(ascii: "w"): .words
        case UInt8(ascii: "W"): ~.words
        case UInt8(ascii: "h"): .horizontalSpaces
        case UInt8(ascii: "H"): ~.horizontalSpaces
        case UInt8(ascii: "v"): .verticalSpaces
        case UInt8(ascii: "V"): ~.verticalSpaces
        default: nil
        }
    }

    /// The character that an escape stands for, in a class or outside of one; its letter was taken.
    private mutating func character(_ letter: UInt8) throws(Unknown) -> UInt8 {
        switch letter {
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "e"): return 0x1b
        case UInt8(ascii: "f"): return 0x0c
        case UInt8(ascii: "n"): return 0x0a
        case UInt8(ascii: "r"): return 0x0d
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "0"): return try self.number(radix: 8, self.digits(radix: 8, atMost: 2))
        case UInt8(ascii: "x"):
            guard self.take("{") else { return try self.number(radix: 16, self.digits(radix: 16, atMost: 2)) }
            return try self.number(radix: 16, try self.text(to: UInt8(ascii: "}")))
        case _ where OctetSet.letters.contains(letter) || OctetSet.digits.contains(letter): throw Unknown()
        default: return letter
        }
    }

    private mutating func digits(radix: Int, atMost count: Int) -> [UInt8] {
        let digits = self.source[self.index...].prefix(count).prefix {
            Character(UnicodeScalar($0)).hexDigitValue.map { $0 < radix } ?? false
        }
        self.index += digits.count
        return Array(digits)
    }

    private func number(radix: Int, _ digits: [UInt8]) throws(Unknown) -> UInt8 {
        guard !digits.isEmpty else { return 0 }
        guard let number = UInt8(String(decoding: digits, as: UTF8.self), radix: radix) else { throw Unknown() }
        return number
    }

    // MARK: - Classes

    /// Behind `[`.
    private mutating func octetClass() throws(Unknown) -> OctetSet {
        let isNegated = self.take("^")
        var set = OctetSet()
        var isFirst = true
        while isFirst || self.peek() != UInt8(ascii: "]") {
            isFirst = false
            try self.member(of: &set)
        }
        self.index += 1
        if self.mode.isCaseless { set = set.caseless }
        return isNegated ? ~set : set
    }

    /// One character, range or named set.
    private mutating func member(of set: inout OctetSet) throws(Unknown) {
        if self.take("[:") {
            let isNegated = self.take("^")
            let name = try self.text(to: UInt8(ascii: ":"))
            guard var named = OctetSet(posixClass: name), self.take("]") else { throw Unknown() }
            if self.mode.isCaseless { named = named.caseless }
            set.formUnion(isNegated ? ~named : named)
            return
        }
        guard let low = try self.classCharacter(into: &set) else { return }
        guard self.peek() == UInt8(ascii: "-"), let behind = self.peek(1), behind != UInt8(ascii: "]") else {
            set.insert(low)
            return
        }
        self.index += 1
        if self.source[self.index...].starts(with: "[:".utf8) { throw Unknown() }
        guard let high = try self.classCharacter(into: &set) else {
            // A set cannot end a range: the dash is one of the characters.
            set.insert(low)
            set.insert(UInt8(ascii: "-"))
            return
        }
        guard low <= high else { throw Unknown() }
        set.formUnion(OctetSet(low...high))
    }

    /// The next character of a class; nil for a set, which is added.
    private mutating func classCharacter(into set: inout OctetSet) throws(Unknown) -> UInt8? {
        let octet = try self.next()
        guard octet == UInt8(ascii: "\\") else { return octet }
        let letter = try self.next()
        if let escaped = self.escapedSet(letter) {
            set.formUnion(escaped)
            return nil
        }
        if letter == UInt8(ascii: "b") { return 0x08 }
        if OctetSet.digits.contains(letter) {
            self.index -= 1
            let digits = self.digits(radix: 8, atMost: 3)
            guard !digits.isEmpty else { throw Unknown() }
            return try self.number(radix: 8, digits)
        }
        return try self.character(letter)
    }
}

extension UInt8 {
    fileprivate var isOctalOrDecimalDigit: Bool { OctetSet.digits.contains(self) }
}
