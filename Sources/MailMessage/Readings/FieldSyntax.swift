/// What is odd about a field with parameters (RFC 2045 §5.1, RFC 2183, RFC 2231): places where readers are known to differ.
/// It judges; `ParameterizedValue` reads.
struct FieldSyntax {
    private(set) var kinds: [StructureAnomaly.Kind] = []
    /// The `boundary` parameters as they are written, without quotes, each once.
    private(set) var boundaries: [[UInt8]] = []

    private let bytes: [UInt8]
    private var position = 0
    /// Sections of a continued parameter (RFC 2231 §3) in the order in which they stand.
    private var sections: [(base: [UInt8], index: Int?, isEncoded: Bool, value: [UInt8])] = []
    private var plain: [(base: [UInt8], value: [UInt8])] = []

    /// - Parameters:
    ///   - bytes: the value, unfolded.
    ///   - isType: it is a Content-Type, whose value is `type/subtype`.
    init(_ bytes: [UInt8], isType: Bool) {
        self.bytes = bytes
        self.readValue(isType: isType)
        var count = 0
        while self.position < bytes.count, count < ParameterizedValue.maximumParameters {
            count += 1
            self.readParameter()
        }
        self.judgeSections()
    }

    private mutating func note(_ kind: StructureAnomaly.Kind) {
        if !self.kinds.contains(kind) { self.kinds.append(kind) }
    }

    /// tspecials, controls and 8-bit text are no part of a token (RFC 2045 §5.1).
    static func isToken(_ octet: UInt8) -> Bool {
        guard octet > 0x20, octet < 0x7f else { return false }
        switch octet {
        case 0x28, 0x29, 0x3c, 0x3e, 0x40, 0x2c, 0x3b, 0x3a, 0x5c, 0x22, 0x2f, 0x5b, 0x5d, 0x3f, 0x3d: return false
        default: return true
        }
    }

    private mutating func readValue(isType: Bool) {
        let start = self.position
        while self.position < self.bytes.count, self.bytes[self.position] != 0x3b { self.position += 1 }
        let value = [UInt8](self.bytes[start..<self.position]).trimmed()
        if value.contains(0x28) {
            self.note(.parameterComment)
        } else if isType {
            let pieces = value.split(separator: 0x2f, omittingEmptySubsequences: false)
            let isOne = pieces.count == 1 && (value.isEmpty || value.lowercasedASCII() == [UInt8](ascii: "text"))
            let isPair = pieces.count == 2 && pieces.allSatisfy { !$0.isEmpty && $0.allSatisfy(Self.isToken) }
            if !isPair, !isOne { self.note(.oddType) }
        } else if !value.allSatisfy(Self.isToken) {
            self.note(.oddType)
        }
        self.position += 1
    }

    private mutating func readParameter() {
        self.skipBlanks()
        guard self.position < self.bytes.count, self.bytes[self.position] != 0x3b else {
            self.position += 1
            return
        }
        let start = self.position
        while self.position < self.bytes.count, self.bytes[self.position] != 0x3d, self.bytes[self.position] != 0x3b {
            self.position += 1
        }
        let written = self.bytes[start..<self.position]
        let name = [UInt8](written).trimmed()
        if name.contains(0x28) {
            self.note(.parameterComment)
        } else if name.contains(0x22) {
            self.note(.parameterQuoting)
        } else if !name.allSatisfy(Self.isToken) || name.count != written.count {
            self.note(.parameterSpace)
        }
        guard self.position < self.bytes.count, self.bytes[self.position] == 0x3d else {
            // A word without a value; an empty place between two semicolons is nothing.
            if !name.isEmpty { self.note(.parameterSpace) }
            self.position += 1
            return
        }
        self.position += 1
        if self.position < self.bytes.count, self.bytes[self.position].isSpace { self.note(.parameterSpace) }
        self.skipBlanks()
        self.add(name.lowercasedASCII().filter { !$0.isSpace }, self.readParameterValue())
    }

    private mutating func readParameterValue() -> [UInt8] {
        guard self.position < self.bytes.count else { return [] }
        var result: [UInt8] = []
        if self.bytes[self.position] == 0x22 {
            self.position += 1
            while self.position < self.bytes.count, self.bytes[self.position] != 0x22 {
                if self.bytes[self.position] == 0x5c, self.position + 1 < self.bytes.count {
                    // Before other characters some take it for a character of its own, as in Windows' paths.
                    self.note(self.bytes[self.position + 1] == 0x22 ? .parameterQuoting : .namesDiffer)
                    self.position += 1
                }
                result.append(self.bytes[self.position])
                self.position += 1
            }
            if self.position >= self.bytes.count { self.note(.parameterQuoting) }
            self.position += 1
            self.skipBlanks()
            if self.position < self.bytes.count, self.bytes[self.position] != 0x3b {
                self.note(self.bytes[self.position] == 0x28 ? .parameterComment : .parameterQuoting)
                self.skipToSemicolon()
            }
        } else {
            if self.bytes[self.position] == 0x27 { self.note(.parameterQuoting) }
            while self.position < self.bytes.count, self.bytes[self.position] != 0x3b {
                result.append(self.bytes[self.position])
                self.position += 1
            }
            result = result.trimmed()
            if result.contains(0x28) { self.note(.parameterComment) }
            if result.contains(where: { $0 == 0x22 || $0 == 0x5c }) { self.note(.parameterQuoting) }
            if result.contains(where: \.isBlank) { self.note(.parameterSpace) }
        }
        self.position += 1
        return result
    }

    private mutating func skipBlanks() {
        while self.position < self.bytes.count, self.bytes[self.position].isSpace { self.position += 1 }
    }

    private mutating func skipToSemicolon() {
        while self.position < self.bytes.count, self.bytes[self.position] != 0x3b { self.position += 1 }
    }

    private static let boundary = [UInt8](ascii: "boundary")

    private mutating func add(_ name: [UInt8], _ value: [UInt8]) {
        let parts = name.split(separator: 0x2a, omittingEmptySubsequences: false).map { [UInt8]($0) }
        guard let base = parts.first else { return }
        if parts.count == 1 {
            self.plain.append((base, value))
            if Self.hasWideWord(value) { self.note(.parameterContinuation) }
            if base == Self.boundary {
                if !self.boundaries.contains(value) { self.boundaries.append(value) }
                if Self.isOddBoundary(value) { self.note(.oddBoundary) }
            }
            return
        }
        let isEncoded = parts.last?.isEmpty == true
        let number = parts[1].isEmpty ? nil : Int(parts[1].text) ?? -1
        if base == Self.boundary, !self.boundaries.contains(value) { self.boundaries.append(value) }
        self.sections.append((base, number, isEncoded, value))
    }

    /// Characters that `bchars` lacks, none at all, more than 70 (RFC 2046 §5.1.1).
    private static func isOddBoundary(_ value: [UInt8]) -> Bool {
        guard !value.isEmpty, value.count <= 70, value.last?.isSpace == false, value.first?.isSpace == false else { return true }
        // `=?` begins an encoded word, which some readers decode.
        if value.range(of: [0x3d, 0x3f]) != nil { return true }
        return !value.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c && $0 != 0x3b }
    }

    private static let wideCharsets = ["utf-16", "utf-32", "utf-7", "ucs-2", "utf16", "utf7"].map { [UInt8](ascii: $0) }

    /// An encoded word (RFC 2047) of wide characters.
    private static func hasWideWord(_ value: [UInt8]) -> Bool {
        guard let start = value.range(of: [0x3d, 0x3f])?.upperBound else { return false }
        let charset = value[start...].prefix(10).map(\.lowercased)
        return self.wideCharsets.contains { charset.starts(with: $0) }
    }

    /// What stands behind the last dot, letters taken in either case; names that are encoded otherwise cannot be compared
    /// and pass as alike if one is an encoded word.
    static func haveSameExtension(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        if left.starts(with: [0x3d, 0x3f]) || right.starts(with: [0x3d, 0x3f]) { return true }
        let last = { (name: [UInt8]) in name.lastIndex(of: 0x2e).map { name[($0 + 1)...].map(\.lowercased) } ?? [] }
        return last(left) == last(right)
    }

    /// Continued and encoded parameters in use are numbered from 0 in order, or stand alone with `*`.
    private mutating func judgeSections() {
        var bases: [[UInt8]] = []
        for section in self.sections where !bases.contains(section.base) { bases.append(section.base) }
        for base in bases {
            let own = self.sections.filter { $0.base == base }
            let isSingle = own.count == 1 && own[0].index == nil
            let isCounted = own.enumerated().allSatisfy { $0.element.index == $0.offset }
            if !isSingle, !isCounted { self.note(.parameterContinuation) }
            // Without its star a section is not decoded, whatever it looks like.
            if own.contains(where: { !$0.isEncoded && $0.value.contains(0x25) }) { self.note(.parameterContinuation) }
            if let first = own.first, first.isEncoded {
                let charset = first.value.prefix { $0 != 0x27 }.map(\.lowercased)
                if !first.value.contains(0x27) { self.note(.parameterContinuation) }
                if Self.wideCharsets.contains(where: { charset.starts(with: $0) }) { self.note(.parameterContinuation) }
            }
            if base == Self.boundary {
                self.note(self.plain.contains { $0.base == base } ? .twoBoundaries : .oddBoundary)
            } else if let other = self.plain.first(where: { $0.base == base }) {
                let joined = own.flatMap { $0.isEncoded ? PercentCoding.decode($0.value) : $0.value }
                self.note(Self.haveSameExtension(joined, other.value) ? .namesDiffer : .twoNames)
            }
        }
        if self.plain.filter({ $0.base == Self.boundary }).count > 1, self.boundaries.count > 1 { self.note(.twoBoundaries) }
    }
}
