import PatternKit

/// A regular expression as rule files write it: `/…/i`, `m{…}x`, `m,…,`.
struct PatternLiteral {
    var source: [UInt8]
    /// Octets from the start of the literal to the start of `source`.
    var start: Int
    var options: PatternOptions

    /// What is wrong with a literal, where, and what helps.
    struct Failure: Error {
        var offset: Int
        var message: String
        var hint: String?
    }

    init(_ bytes: ArraySlice<UInt8>) throws(Failure) {
        let text = Array(bytes)
        let (open, start) = try PatternLiteral.opening(of: text)
        let close = PatternLiteral.closing(of: open)
        guard let end = text.lastIndex(of: close), end >= start else {
            throw Failure(
                offset: text.count,
                message: "the pattern has no end",
                hint: "it must end in \(Character(close)); a # inside is written \\#"
            )
        }
        let flags = text[(end + 1)...]
        guard flags.allSatisfy({ $0.isLetter }) else {
            throw Failure(
                offset: end + 1,
                message: "'\(String(decoding: flags, as: UTF8.self))' behind the pattern",
                hint: "only the flags i, m, s, x, n and g may follow it; a # that is part of the pattern is written \\#"
            )
        }
        let source = Array(text[start..<end])
        if close == open, let stray = PatternLiteral.unescaped(close, in: source) {
            throw Failure(
                offset: start + stray,
                message: "'\(Character(close))' inside the pattern ends it",
                hint: "write \\\(Character(close)), or choose other delimiters as in m{…}"
            )
        }
        guard !source.isEmpty else {
            throw Failure(offset: start, message: "the pattern is empty", hint: "an empty pattern matches everything")
        }
        self.source = source
        self.start = start
        self.options = try PatternLiteral.options(flags, at: end + 1)
    }

    /// The opening delimiter, and where the pattern starts.
    private static func opening(of text: [UInt8]) throws(Failure) -> (UInt8, Int) {
        if text.first == UInt8(ascii: "/") { return (text[0], 1) }
        for prefix in ["m", "qr"] where text.starts(with: prefix.utf8) && text.count > prefix.utf8.count {
            let delimiter = text[prefix.utf8.count]
            if !delimiter.isWord, !delimiter.isBlank, delimiter != UInt8(ascii: "\\") {
                return (delimiter, prefix.utf8.count + 1)
            }
        }
        throw Failure(offset: 0, message: "a pattern is expected here", hint: "write it as /…/ or m{…}")
    }

    /// The octets that a literal takes at the start of a text in which more follows: to the first white space behind its
    /// closing delimiter and flags. All of the text when it has no such end, so that an error tells what is wrong with it.
    static func length(of text: [UInt8]) -> Int {
        guard let (open, start) = try? self.opening(of: text) else { return text.count }
        let close = self.closing(of: open)
        var index = start
        while index < text.count {
            if text[index] == UInt8(ascii: "\\") {
                index += 1
            } else if text[index] == close {
                let end = text[(index + 1)...].firstIndex { !$0.isLetter } ?? text.count
                if end == text.count || text[end].isBlank { return end }
            }
            index += 1
        }
        return text.count
    }

    /// Has a group named in capitals, whose text other rules can ask for: `(?<TAG>…)`.
    var capturesTags: Bool {
        self.source.indices.contains { index in
            ["(?<", "(?P<", "(?'"].contains { opening in
                let name = index + opening.utf8.count
                return name < self.source.count && self.source[index...].starts(with: opening.utf8)
                    && (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self.source[name])
            }
        }
    }

    private static func closing(of open: UInt8) -> UInt8 {
        switch open {
        case UInt8(ascii: "{"): UInt8(ascii: "}")
        case UInt8(ascii: "("): UInt8(ascii: ")")
        case UInt8(ascii: "["): UInt8(ascii: "]")
        case UInt8(ascii: "<"): UInt8(ascii: ">")
        default: open
        }
    }

    private static func unescaped(_ delimiter: UInt8, in source: [UInt8]) -> Int? {
        var index = 0
        while index < source.count {
            if source[index] == UInt8(ascii: "\\") {
                index += 1
            } else if source[index] == delimiter {
                return index
            }
            index += 1
        }
        return nil
    }

    private static func options(_ flags: ArraySlice<UInt8>, at offset: Int) throws(Failure) -> PatternOptions {
        var options: PatternOptions = []
        for (index, flag) in flags.enumerated() {
            switch flag {
            case UInt8(ascii: "i"): options.insert(.caseless)
            case UInt8(ascii: "s"): options.insert(.dotAll)
            case UInt8(ascii: "m"): options.insert(.multiline)
            case UInt8(ascii: "x"): options.insert(.extended)
            case UInt8(ascii: "n"): options.insert(.noCapture)
            // How often to match is said by tflags; character classes are those of ASCII in any case.
            case UInt8(ascii: "g"), UInt8(ascii: "o"), UInt8(ascii: "p"), UInt8(ascii: "a"), UInt8(ascii: "u"): break
            default:
                throw Failure(
                    offset: offset + index,
                    message: "unknown flag '\(Character(Unicode.Scalar(flag)))' behind the pattern",
                    hint: "known are i, m, s, x, n and g"
                )
            }
        }
        return options
    }

    /// Compiles the pattern; the failure's offset counts from the start of the literal.
    func compile() throws(Failure) -> CompiledLiteral {
        let perl = PerlPattern(self.source, options: self.options)
        do {
            let pattern = try Pattern(perl.bytes, options: self.options)
            return CompiledLiteral(
                pattern: pattern,
                impossible: perl.impossible.map { (self.start + $0.offset, String($0.scalar, radix: 16)) }
            )
        } catch {
            throw Failure(
                offset: self.start + perl.offsets[min(error.offset, perl.bytes.count)],
                message: "the pattern cannot be compiled: \(error.message)",
                hint: PatternLiteral.hint(for: self.source, error: error)
            )
        }
    }

    /// What to write instead of constructs that only Perl knows.
    private static func hint(for source: [UInt8], error: PatternError) -> String? {
        let text = String(decoding: source, as: UTF8.self)
        let before = String(decoding: source.prefix(error.offset).suffix(3), as: UTF8.self)
        if text.contains("(?{") || text.contains("(??{") { return "Perl code inside a pattern is not run" }
        if text.contains("\\N{") { return "text is matched as UTF-8 bytes: write the bytes instead of \\N{…}" }
        if error.message.contains("lookbehind") { return "what a lookbehind looks for must have a fixed length" }
        if before.hasSuffix("\\") || error.message.contains("follows \\") { return "an unknown escape; drop the backslash" }
        if error.message.contains("parenthes") { return "a ( or ) that is meant literally is written \\( or \\)" }
        if error.message.contains("quantifier") { return "a *, + or ? that is meant literally is written with a backslash" }
        return nil
    }
}

/// A pattern ready for use, and what is odd about it.
struct CompiledLiteral {
    var pattern: Pattern
    /// Characters that no octet of a text can be: where in the literal they stand, and their numbers.
    var impossible: [(offset: Int, scalar: String)]
}

extension Character {
    init(_ byte: UInt8) {
        self.init(Unicode.Scalar(byte))
    }
}
