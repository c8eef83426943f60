import PatternKit

/// A regular expression of Perl in the words of PCRE2.
///
/// SpamAssassin compiles patterns with `/aa` and matches text as octets: each octet is the character of ISO 8859-1 with that
/// number. `\w`, `\d` and `\s` are those of ASCII, but letters above 0x7f have capitals all the same: `/\xe9/i` matches 0xc9.
/// PCRE2 without a locale does not know that, and refuses some things that Perl takes.
struct PerlPattern {
    /// For PCRE2.
    private(set) var bytes: [UInt8] = []
    /// Where in the source each octet of `bytes` comes from; one more for the end.
    private(set) var offsets: [Int] = []
    /// Characters above 0xff, which no octet can be, by their place in the source.
    private(set) var impossible: [(offset: Int, scalar: UInt32)] = []

    private let source: [UInt8]
    private var index = 0
    /// Where the piece starts that is being written.
    private var start = 0
    private var mode: Mode
    /// Modes around the open groups.
    private var modes: [Mode] = []

    /// Flags that can change inside a pattern.
    private struct Mode {
        var isCaseless: Bool
        var isExtended: Bool
    }

    init(_ source: [UInt8], options: PatternOptions) {
        self.source = source
        self.mode = Mode(isCaseless: options.contains(.caseless), isExtended: options.contains(.extended))
        self.bytes.reserveCapacity(source.count + 8)
        self.offsets.reserveCapacity(source.count + 9)
        while self.index < source.count {
            self.start = self.index
            self.translateNext()
        }
        self.offsets.append(source.count)
    }

    // MARK: - Reading and writing

    private func peek(_ distance: Int = 0) -> UInt8? {
        self.index + distance < self.source.count ? self.source[self.index + distance] : nil
    }

    private func starts(with text: String) -> Bool {
        self.source[self.index...].starts(with: text.utf8)
    }

    private mutating func write(_ text: some Sequence<UInt8>) {
        for byte in text {
            self.bytes.append(byte)
            self.offsets.append(self.start)
        }
    }

    /// Takes over `count` octets as they are.
    private mutating func copy(_ count: Int) {
        let end = min(self.index + count, self.source.count)
        while self.index < end {
            self.bytes.append(self.source[self.index])
            self.offsets.append(self.index)
            self.index += 1
        }
    }

    /// Takes over everything up to and with the next `last`.
    private mutating func copy(through last: UInt8) {
        let end = self.source[self.index...].firstIndex(of: last) ?? self.source.count - 1
        self.copy(end - self.index + 1)
    }

    // MARK: - Outside of classes

    private mutating func translateNext() {
        switch self.source[self.index] {
        case UInt8(ascii: "\\"): self.translateEscape()
        case UInt8(ascii: "["): self.translateClass()
        case UInt8(ascii: "("): self.translateGroup()
        case UInt8(ascii: ")"):
            if let outer = self.modes.popLast() { self.mode = outer }
            self.copy(1)
        case UInt8(ascii: "{"): self.translateQuantifier()
        case UInt8(ascii: "^"), UInt8(ascii: "$"): self.translateAnchor(1)
        case UInt8(ascii: "#") where self.mode.isExtended: self.copy(through: 0x0a)
        case let byte where byte >= 0x80 && self.mode.isCaseless:
            self.index += 1
            self.writeCharacter(UInt32(byte))
        default: self.copy(1)
        }
    }

    private mutating func translateEscape() {
        if self.starts(with: "\\Q") {
            while self.index < self.source.count, !self.starts(with: "\\E") { self.copy(1) }
            return self.copy(2)
        }
        guard let (scalar, length) = self.numericEscape() else {
            return "bBAzZG".utf8.contains(self.peek(1) ?? 0) ? self.translateAnchor(2) : self.copy(2)
        }
        guard scalar > 0xff || (scalar >= 0x80 && self.mode.isCaseless) || self.starts(with: "\\N") else {
            return self.copy(length)
        }
        if scalar > 0xff { self.impossible.append((self.index, scalar)) }
        self.index += length
        self.writeCharacter(scalar)
    }

    /// A quantifier may follow an anchor in Perl: `save $?[0-9]`, where a dollar sign was meant.
    private mutating func translateAnchor(_ length: Int) {
        guard let next = self.peek(length), "?*+".utf8.contains(next) else { return self.copy(length) }
        self.write("(?:".utf8)
        self.copy(length)
        self.write(")".utf8)
    }

    /// One character outside of a class, with its other case where that counts.
    private mutating func writeCharacter(_ scalar: UInt32) {
        let octets = self.octets(of: scalar)
        switch octets.count {
        case 0: self.write("[^\\x00-\\xff]".utf8)
        case 1: self.write(PerlPattern.escape(octets[0]))
        default: self.write("[".utf8 + octets.flatMap(PerlPattern.escape) + "]".utf8)
        }
    }

    /// `{,3}` and `{ 1, 3 }` are quantifiers in Perl since 5.34, and plain text in PCRE2.
    private mutating func translateQuantifier() {
        guard let end = self.source[self.index...].firstIndex(of: UInt8(ascii: "}")) else { return self.copy(1) }
        let inner = self.source[(self.index + 1)..<end].filter { $0 != 0x20 && $0 != 0x09 }
        let bounds = inner.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        let isQuantifier =
            bounds.count <= 2 && inner.contains(where: \.isDigit) && bounds.allSatisfy { $0.allSatisfy(\.isDigit) }
        guard isQuantifier else { return self.copy(1) }
        self.write("{".utf8 + (bounds[0].isEmpty ? [UInt8(ascii: "0")] : []) + inner + "}".utf8)
        self.index = end + 1
    }

    private mutating func translateGroup() {
        if self.starts(with: "(?#") { return self.copy(through: UInt8(ascii: ")")) }
        if self.starts(with: "(*") { return self.copy(through: UInt8(ascii: ")")) }
        let outer = self.mode
        guard self.starts(with: "(?"), let flags = self.inlineFlags() else {
            self.modes.append(outer)
            return self.copy(self.starts(with: "(?") ? 2 : 1)
        }
        self.apply(flags.text)
        // The sets of characters are those of ASCII in any case.
        let kept = flags.text.filter { !"audlp".utf8.contains($0) }
        self.index += flags.length
        if flags.opensGroup {
            self.modes.append(outer)
            self.write("(?".utf8 + kept + ":".utf8)
        } else {
            self.write(kept.isEmpty ? Array("(?:)".utf8) : "(?".utf8 + kept + ")".utf8)
        }
    }

    /// `(?i)`, `(?^aai:`, `(?i-s:`; nil for other things behind `(?`.
    private func inlineFlags() -> (text: ArraySlice<UInt8>, length: Int, opensGroup: Bool)? {
        var end = self.index + 2
        while end < self.source.count, self.source[end].isLetter || "^-".utf8.contains(self.source[end]) { end += 1 }
        guard end < self.source.count, end > self.index + 2 else { return nil }
        let closes = self.source[end] == UInt8(ascii: ")")
        guard closes || self.source[end] == UInt8(ascii: ":") else { return nil }
        let text = self.source[(self.index + 2)..<end]
        guard text.first != UInt8(ascii: "P"), text.first != UInt8(ascii: "R") else { return nil }
        return (text, end + 1 - self.index, !closes)
    }

    private mutating func apply(_ flags: ArraySlice<UInt8>) {
        var value = true
        for flag in flags {
            switch flag {
            case UInt8(ascii: "^"): self.mode = Mode(isCaseless: false, isExtended: false)
            case UInt8(ascii: "-"): value = false
            case UInt8(ascii: "i"): self.mode.isCaseless = value
            case UInt8(ascii: "x"): self.mode.isExtended = value
            default: break
            }
        }
    }

    // MARK: - Classes

    private mutating func translateClass() {
        let opening = self.bytes.count
        let isNegated = self.peek(1) == UInt8(ascii: "^")
        self.copy(isNegated ? 2 : 1)
        let contents = self.bytes.count
        var isFirst = true
        while let byte = self.peek(), isFirst || byte != UInt8(ascii: "]") {
            isFirst = false
            self.start = self.index
            self.translateMember()
        }
        self.start = self.index
        guard self.bytes.count == contents, self.peek() != nil else { return self.copy(1) }
        // Nothing is left of it: it matches no octet, or any.
        self.bytes.removeLast(contents - opening)
        self.offsets.removeLast(contents - opening)
        self.index += 1
        self.write((isNegated ? "[\\x00-\\xff]" : "[^\\x00-\\xff]").utf8)
    }

    private mutating func translateMember() {
        if self.starts(with: "[:"), let end = self.endOfPOSIXClass() { return self.copy(end - self.index) }
        guard let (low, length) = self.classCharacter() else { return self.copy(2) }
        let dash = self.index + length
        let hasDash = dash + 1 < self.source.count && self.source[dash] == UInt8(ascii: "-")
        if hasDash, self.source[dash + 1] != UInt8(ascii: "]") {
            let first = self.index
            self.index = dash + 1
            let upper = self.classCharacter()
            self.index = first
            if let (high, highLength) = upper { return self.translateRange(low, high, length + 1 + highLength) }
        }
        guard low > 0xff || (low >= 0x80 && self.mode.isCaseless) || self.starts(with: "\\N") else { return self.copy(length) }
        if low > 0xff { self.impossible.append((self.index, low)) }
        self.index += length
        self.write(self.octets(of: low).flatMap(PerlPattern.escape))
    }

    private mutating func translateRange(_ low: UInt32, _ high: UInt32, _ length: Int) {
        guard high > 0xff || (high >= 0x80 && self.mode.isCaseless) else { return self.copy(length) }
        if high > 0xff { self.impossible.append((self.index, high)) }
        self.index += length
        guard low <= 0xff, low <= high else { return }
        let last = min(high, 0xff)
        self.write(PerlPattern.escape(UInt8(low)) + "-".utf8 + PerlPattern.escape(UInt8(last)))
        guard self.mode.isCaseless, last >= 0x80 else { return }
        for scalar in max(low, 0x80)...last {
            for octet in self.octets(of: scalar) where !(low...last).contains(UInt32(octet)) {
                self.write(PerlPattern.escape(octet))
            }
        }
    }

    /// The character that the class goes on with and the octets it takes; nil for a set such as `\w`.
    private func classCharacter() -> (scalar: UInt32, length: Int)? {
        guard let byte = self.peek() else { return nil }
        guard byte == UInt8(ascii: "\\") else { return (UInt32(byte), 1) }
        if let escape = self.numericEscape() { return escape }
        guard let letter = self.peek(1) else { return (UInt32(byte), 1) }
        switch letter {
        case UInt8(ascii: "a"), UInt8(ascii: "b"), UInt8(ascii: "e"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"),
            UInt8(ascii: "t"):
            // Control characters: all that counts here is that each is below 0x80.
            return (0x0a, 2)
        case _ where letter.isLetter || letter.isDigit: return nil
        default: return (UInt32(letter), 2)
        }
    }

    private func endOfPOSIXClass() -> Int? {
        var end = self.index + 2
        while end < self.source.count, self.source[end].isLetter || self.source[end] == UInt8(ascii: "^") { end += 1 }
        guard self.source[end...].starts(with: ":]".utf8) else { return nil }
        return end + 2
    }

    // MARK: - Characters

    /// `\x41`, `\x{2019}`, `\o{101}`, `\N{U+2019}`, and three octal digits; the octets it takes.
    private func numericEscape() -> (scalar: UInt32, length: Int)? {
        guard let letter = self.peek(1) else { return nil }
        if letter == UInt8(ascii: "x"), self.peek(2) != UInt8(ascii: "{") {
            let digits = self.source[(self.index + 2)...].prefix(2).prefix { PerlPattern.digit($0, radix: 16) != nil }
            return (PerlPattern.number(digits, radix: 16), 2 + digits.count)
        }
        if letter.isDigit, letter < UInt8(ascii: "8") {
            let digits = self.source[(self.index + 1)...].prefix(3).prefix { PerlPattern.digit($0, radix: 8) != nil }
            // Fewer are a reference to a group, which is not for here to tell.
            guard digits.count == 3 || letter == UInt8(ascii: "0") else { return nil }
            return (PerlPattern.number(digits, radix: 8), 1 + digits.count)
        }
        let (opening, radix): (String, UInt32)
        switch letter {
        case UInt8(ascii: "x"): (opening, radix) = ("\\x{", 16)
        case UInt8(ascii: "o"): (opening, radix) = ("\\o{", 8)
        case UInt8(ascii: "N"): (opening, radix) = ("\\N{U+", 16)
        default: return nil
        }
        guard self.starts(with: opening) else { return nil }
        let start = self.index + opening.utf8.count
        guard let end = self.source[start...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
        let digits = self.source[start..<end].filter { !$0.isBlank && $0 != UInt8(ascii: "_") }
        guard digits.allSatisfy({ PerlPattern.digit($0, radix: radix) != nil }) else { return nil }
        return (PerlPattern.number(digits[...], radix: radix), end + 1 - self.index)
    }

    private static func digit(_ byte: UInt8, radix: UInt32) -> UInt32? {
        Character(byte).hexDigitValue.map(UInt32.init).flatMap { $0 < radix ? $0 : nil }
    }

    /// More than Unicode has is as good as anything above 0xff.
    private static func number(_ digits: ArraySlice<UInt8>, radix: UInt32) -> UInt32 {
        digits.reduce(0) { min($0 * radix + (self.digit($1, radix: radix) ?? 0), 0x11_0000) }
    }

    /// The octets that match a character: itself, and without regard to case its other form.
    private func octets(of scalar: UInt32) -> [UInt8] {
        guard self.mode.isCaseless else { return scalar <= 0xff ? [UInt8(scalar)] : [] }
        switch scalar {
        // Letters with a form beyond ISO 8859-1.
        case 0x178: return [0xff]
        case 0x39c, 0x3bc: return [0xb5]
        case 0x1e9e: return [0xdf]
        case 0x212b: return [0xc5, 0xe5]
        case 0xd7, 0xf7, 0xdf, 0xff: return [UInt8(scalar)]
        case 0xc0...0xfe: return [UInt8(scalar), UInt8(scalar) ^ 0x20]
        case 0...0xff: return [UInt8(scalar)]
        default: return []
        }
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// `\xhh`
    static func escape(_ octet: UInt8) -> [UInt8] {
        [UInt8(ascii: "\\"), UInt8(ascii: "x"), self.hexadecimal[Int(octet >> 4)], self.hexadecimal[Int(octet & 15)]]
    }
}
