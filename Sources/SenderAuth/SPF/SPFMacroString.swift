/// Text with macros (RFC 7208 §7), taken apart.
struct SPFMacroString: Hashable, Sendable {
    enum Letter: UInt8, Hashable, Sendable {
        case sender = 0x73
        case localPart = 0x6c
        case senderDomain = 0x6f
        case domain = 0x64
        case address = 0x69
        case validatedName = 0x70
        case family = 0x76
        case helo = 0x68
        case readableAddress = 0x63
        case receiver = 0x72
        case time = 0x74

        /// Only `exp=` text may have these (§7.2).
        var isForExplanations: Bool { self == .readableAddress || self == .receiver || self == .time }
    }

    struct Macro: Hashable, Sendable {
        var letter: Letter
        /// A capital letter: what comes out is escaped as in a URL (§7.3).
        var isEscaped: Bool
        /// How many parts from the right are taken; nil: all.
        var count: Int?
        var isReversed: Bool
        var delimiters: [UInt8]
    }

    enum Piece: Hashable, Sendable {
        case literal([UInt8])
        case macro(Macro)
    }

    private(set) var pieces: [Piece] = []
    /// Whether it ends as a domain-spec must (§7.1): in a macro, or in a dot and a label that is no number.
    let isDomainSpec: Bool

    /// nil if a macro is wrong or an octet is none of those that may stand for themselves.
    /// - Parameter allowsAllMacros: `c`, `r` and `t`, too; and spaces.
    init?(_ text: [UInt8], allowsAllMacros: Bool) {
        var index = 0
        var literal: [UInt8] = []
        var pieces: [Piece] = []
        func flush() {
            if !literal.isEmpty { pieces.append(.literal(literal)) }
            literal = []
        }
        while index < text.count {
            let octet = text[index]
            guard octet == UInt8(ascii: "%") else {
                guard (0x21...0x7e).contains(octet) || (allowsAllMacros && octet == 0x20) else { return nil }
                literal.append(octet)
                index += 1
                continue
            }
            guard index + 1 < text.count else { return nil }
            switch text[index + 1] {
            case UInt8(ascii: "%"): literal.append(UInt8(ascii: "%"))
            case UInt8(ascii: "_"): literal.append(0x20)
            case UInt8(ascii: "-"): literal += Array("%20".utf8)
            case UInt8(ascii: "{"):
                guard let close = text[index...].firstIndex(of: UInt8(ascii: "}")),
                    let macro = Macro(text[(index + 2)..<close]), allowsAllMacros || !macro.letter.isForExplanations
                else { return nil }
                flush()
                pieces.append(.macro(macro))
                index = close + 1
                continue
            default: return nil
            }
            index += 2
        }
        flush()
        self.pieces = pieces
        self.isDomainSpec = Self.isDomainSpec(
            text,
            endsInMacro: pieces.last.map { if case .macro = $0 { true } else { false } } ?? false
        )
    }

    private static func isDomainSpec(_ text: [UInt8], endsInMacro: Bool) -> Bool {
        guard !text.isEmpty else { return false }
        if endsInMacro { return true }
        var text = text[...]
        if text.last == UInt8(ascii: ".") { text = text.dropLast() }
        guard let dot = text.lastIndex(of: UInt8(ascii: ".")) else { return false }
        let label = text[(dot + 1)...]
        guard let first = label.first, let last = label.last, first.isLetterOrDigit, last.isLetterOrDigit else { return false }
        return label.allSatisfy { $0.isLetterOrDigit || $0 == 0x2d } && !label.allSatisfy(\.isASCIIDigit)
    }
}

extension SPFMacroString.Macro {
    /// - Parameter text: between the braces: letter, digits, `r`, delimiters.
    init?(_ text: ArraySlice<UInt8>) {
        guard let first = text.first else { return nil }
        let isUpper = (0x41...0x5a).contains(first)
        guard let letter = SPFMacroString.Letter(rawValue: isUpper ? first + 0x20 : first) else { return nil }
        var rest = text.dropFirst()
        let digits = rest.prefix(while: \.isASCIIDigit)
        rest = rest.dropFirst(digits.count)
        var count: Int?
        if !digits.isEmpty {
            // A name has at most 127 labels; more parts are all parts.
            let value = digits.reduce(0) { min($0 * 10 + Int($1 - 0x30), 1_000) }
            guard value > 0 else { return nil }
            count = value
        }
        let isReversed = rest.first.map { $0 | 0x20 == UInt8(ascii: "r") } ?? false
        if isReversed { rest = rest.dropFirst() }
        guard rest.allSatisfy({ ".-+,/_=".utf8.contains($0) }) else { return nil }
        self.letter = letter
        self.isEscaped = isUpper
        self.count = count
        self.isReversed = isReversed
        self.delimiters = rest.isEmpty ? [UInt8(ascii: ".")] : Array(rest)
    }

    /// Splits, turns round, cuts, and joins with dots (§7.3).
    func transformed(_ value: [UInt8]) -> [UInt8] {
        var parts = value.split(omittingEmptySubsequences: false) { self.delimiters.contains($0) }
        if self.isReversed { parts.reverse() }
        if let count = self.count { parts = Array(parts.suffix(count)) }
        let joined = Array(parts.joined(separator: [UInt8(ascii: ".")]))
        return self.isEscaped ? joined.flatMap(Self.escaped) : joined
    }

    /// RFC 3986 §2.3: all but unreserved characters.
    private static func escaped(_ octet: UInt8) -> [UInt8] {
        if octet.isLetterOrDigit || "-._~".utf8.contains(octet) { return [octet] }
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "%"), digits[Int(octet >> 4)], digits[Int(octet & 15)]]
    }
}
