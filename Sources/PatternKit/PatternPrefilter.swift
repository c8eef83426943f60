import CVectorscan

/// Finds, of many patterns, those that may match a text, in few passes over it. Whether they do is for PCRE2 to say: a pattern that
/// is not among the candidates does not match.
///
/// Most patterns are looked for by what all their matches have in them (`PatternOutline`): words, by Vectorscan, which is at its
/// fastest there, and clues that are no words by `ClueScanner`. Where that would tell too little, Vectorscan takes the pattern itself.
///
/// `@unchecked Sendable`: Vectorscan documents databases as read-only while scanning, so one may serve all threads; the pointer
/// never changes, and the database is freed once, when the last owner is gone.
package final class PatternPrefilter: @unchecked Sendable {
    /// What matches are reported by the numbers of the patterns; nil if nothing is left for the library.
    let database: OpaquePointer?
    /// Expressions in the database.
    let expressionCount: Int
    let clues: ClueScanner
    /// Patterns that were asked for.
    let patternCount: Int
    /// Patterns that nothing is known of; they are candidates for every text.
    package let unfiltered: [Int]

    /// An outline that costs more is none, in nanoseconds for each octet.
    private static let maximumCost = 3.0
    /// Steps of all clues that are no words.
    private static let maximumSteps = 4_096

    /// Whether the library is there and runs on this processor.
    package static var isAvailable: Bool { vectorscan_is_available() != 0 }

    /// The library's version and what it knows of this processor: a database serves only where both are the same.
    package static var platform: String {
        // The number is that of our own way to compile patterns: another one makes other databases.
        var tune: UInt32 = 0
        var features: UInt64 = 0
        vectorscan_processor(&tune, &features)
        return "3 \(String(cString: vectorscan_version())) tune \(tune) features \(features)"
    }

    private init(
        database: OpaquePointer?,
        expressionCount: Int,
        clues: ClueScanner,
        patternCount: Int,
        unfiltered: [Int]
    ) {
        self.database = database
        self.expressionCount = expressionCount
        self.clues = clues
        self.patternCount = patternCount
        self.unfiltered = unfiltered
    }

    deinit {
        if let database { vectorscan_free_database(database) }
    }

    /// Compiles a database; for hundreds of patterns this may take seconds.
    /// - Returns: nil where the library is missing or can take none of the patterns.
    package static func compile(_ patterns: [Pattern]) -> PatternPrefilter? {
        guard self.isAvailable else { return nil }
        var entries: [Entry] = []
        var clues: [(clue: Clue, number: Int)] = []
        var steps = 0
        var unfiltered: Set<Int> = []
        for (number, pattern) in patterns.enumerated() {
            if let outline = PatternOutline(pattern), outline.cost <= self.maximumCost,
                steps + outline.stepCount <= self.maximumSteps
            {
                steps += outline.stepCount
                entries += outline.words.map { Entry(word: $0, number: number) }
                clues += outline.others.map { ($0, number) }
            } else if let entry = Entry(pattern, number: number) {
                entries.append(entry)
            } else {
                unfiltered.insert(number)
            }
        }
        var database: OpaquePointer?
        while !entries.isEmpty, database == nil {
            var error = vectorscan_error_t()
            database = Entry.compile(entries, &error)
            if database != nil { break }
            // Some patterns turn out to be too large only when they are put together with others.
            let faulty = Int(error.expression)
            guard entries.indices.contains(faulty) else { return nil }
            if !entries[faulty].weaken() {
                unfiltered.insert(entries[faulty].number)
                entries.remove(at: faulty)
            }
        }
        guard unfiltered.count < patterns.count else { return nil }
        return PatternPrefilter(
            database: database,
            expressionCount: entries.count,
            clues: ClueScanner(clues),
            patternCount: patterns.count,
            unfiltered: unfiltered.sorted()
        )
    }

    // MARK: - As octets

    /// All of it as octets, for `init(encoded:)` on the same platform; nil if there is no memory.
    package func encoded() -> [UInt8]? {
        var result: [UInt8] = []
        let clues = self.clues.encoded()
        for number in [self.patternCount, self.expressionCount, self.unfiltered.count] + self.unfiltered + [clues.count] {
            withUnsafeBytes(of: UInt32(number).littleEndian) { result += $0 }
        }
        result += clues
        guard let database else { return result }
        var octets: UnsafeMutablePointer<CChar>?
        var length = 0
        guard vectorscan_serialize(database, &octets, &length) == 0, let octets else { return nil }
        defer { vectorscan_free_octets(octets) }
        return result + UnsafeRawBufferPointer(start: octets, count: length)
    }

    /// Takes what `encoded` gave. The octets must be just those: the library checks their version, processor and sum, and trusts
    /// them otherwise.
    package convenience init?(encoded octets: [UInt8]) {
        var rest = octets[...]
        func number() -> Int? {
            guard rest.count >= 4 else { return nil }
            defer { rest = rest.dropFirst(4) }
            return rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        guard let patternCount = number(), let expressionCount = number(), let count = number(), count <= rest.count / 4 else {
            return nil
        }
        let unfiltered = (0..<count).compactMap { _ in number() }
        guard let size = number(), size <= rest.count, let clues = ClueScanner(encoded: rest.prefix(size)) else { return nil }
        rest = rest.dropFirst(size)
        var database: OpaquePointer?
        if expressionCount > 0 {
            database = rest.withUnsafeBytes { buffer -> OpaquePointer? in
                buffer.assumingMemoryBound(to: CChar.self).baseAddress.flatMap { vectorscan_deserialize($0, buffer.count) }
            }
            guard database != nil else { return nil }
        }
        self.init(
            database: database,
            expressionCount: expressionCount,
            clues: clues,
            patternCount: patternCount,
            unfiltered: unfiltered
        )
    }
}

/// A pattern, or a word of its outline, as Vectorscan takes it.
private struct Entry {
    let number: Int
    /// Ended by NUL.
    let source: [CChar]
    var flags: UInt32

    /// - Parameter word: an expression of octets and classes of them.
    init(word: [UInt8], number: Int) {
        self.number = number
        self.source = (word + [0]).map { CChar(bitPattern: $0) }
        self.flags = UInt32(VECTORSCAN_SINGLEMATCH)
    }

    /// nil for a pattern that cannot be taken: because the library does not know its constructs, or because it matches everywhere.
    init?(_ pattern: Pattern, number: Int) {
        // Text is matched as octets; a NUL would end the pattern.
        guard !pattern.options.contains(.utf), !pattern.source.contains(0), !Entry.isTooLarge(pattern) else { return nil }
        guard !Entry.asksForEnd(pattern.source), !Entry.isReadOtherwise(pattern) else { return nil }
        self.number = number
        // The library has no flag for /x, and takes it inside the pattern.
        let prefix: [UInt8] = pattern.options.contains(.extended) ? Array("(?x)".utf8) : []
        // A comment may end the pattern.
        let suffix: [UInt8] = pattern.options.contains(.extended) ? [0x0a] : []
        self.source = (prefix + pattern.source + suffix + [0]).map { CChar(bitPattern: $0) }
        // Texts are scanned with line feeds behind them (`PrefilterScanner`), so `$` must match before each, and `^` may as well.
        self.flags = UInt32(VECTORSCAN_SINGLEMATCH | VECTORSCAN_MULTILINE)
        if pattern.options.contains(.caseless) { self.flags |= UInt32(VECTORSCAN_CASELESS) }
        if pattern.options.contains(.dotAll) { self.flags |= UInt32(VECTORSCAN_DOTALL) }
        if self.isTaken { return }
        guard self.weaken(), self.isTaken else { return nil }
    }

    /// Octets of PCRE2's compiled form, and characters with counted repeats written out, from which on the library needs many
    /// seconds for one pattern, which then is too general to leave out any text.
    private static let maximumSize = 40_000
    private static let maximumExpansion = 20_000

    private static func isTooLarge(_ pattern: Pattern) -> Bool {
        pattern.compiledSize > self.maximumSize || self.expansion(of: pattern.source) > self.maximumExpansion
    }

    /// About how many characters a pattern has when its counted repeats are written out.
    private static func expansion(of source: [UInt8]) -> Int {
        var sums = [0]
        var atom = 0
        var index = 0
        while index < source.count {
            switch source[index] {
            case UInt8(ascii: "("):
                sums.append(0)
                atom = 0
            case UInt8(ascii: ")") where sums.count > 1:
                atom = sums.removeLast()
                sums[sums.count - 1] += atom
            case UInt8(ascii: "{"):
                let end = source[index...].firstIndex(of: UInt8(ascii: "}")) ?? index
                let counts = source[index..<end].dropFirst().split(separator: UInt8(ascii: ","))
                let most = counts.last.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 1
                // Bounded so that nested repeats cannot overflow.
                atom = min(atom, maximumExpansion + 1) * min(max(most - 1, 0), 1 << 16)
                sums[sums.count - 1] += atom
                index = end
            case UInt8(ascii: "["):
                index = source[(index + 1)...].dropFirst(2).firstIndex(of: UInt8(ascii: "]")) ?? source.count - 1
                atom = 1
                sums[sums.count - 1] += 1
            case UInt8(ascii: "\\"):
                index += 1
                atom = 1
                sums[sums.count - 1] += 1
            default:
                atom = 1
                sums[sums.count - 1] += 1
            }
            index += 1
        }
        return sums.reduce(0, +)
    }

    /// Whether there is a `\z`, `\Z` or `\G`, which a text with something behind it cannot show.
    private static func asksForEnd(_ source: [UInt8]) -> Bool {
        var isEscaped = false
        for octet in source {
            if isEscaped, [UInt8(ascii: "z"), UInt8(ascii: "Z"), UInt8(ascii: "G")].contains(octet) { return true }
            isEscaped = octet == UInt8(ascii: "\\") && !isEscaped
        }
        return false
    }

    /// Under /x PCRE2 passes over the next-line character of Latin-1, and the library looks for it.
    private static func isReadOtherwise(_ pattern: Pattern) -> Bool {
        let source = pattern.source
        guard source.contains(0x85) else { return false }
        let flags = Array("imsxn^-".utf8)
        let hasFlag = source.indices.contains { index in
            source[index...].starts(with: "(?".utf8)
                && source[(index + 2)...].prefix { flags.contains($0) }.contains(UInt8(ascii: "x"))
        }
        return hasFlag || pattern.options.contains(.extended)
    }

    private var isTaken: Bool {
        var error = vectorscan_error_t()
        var least: UInt32 = 0
        return vectorscan_check(self.source, self.flags, &least, &error) == 0 && least > 0
    }

    /// Lets the library find more than the pattern matches, where it cannot do just that.
    /// - Returns: false if it already may.
    mutating func weaken() -> Bool {
        guard self.flags & UInt32(VECTORSCAN_PREFILTER) == 0 else { return false }
        self.flags |= UInt32(VECTORSCAN_PREFILTER)
        return true
    }

    static func compile(_ entries: [Entry], _ error: inout vectorscan_error_t) -> OpaquePointer? {
        let flags = entries.map(\.flags)
        let numbers = entries.map { UInt32($0.number) }
        // The sources one behind the other, so that one buffer holds them all in place.
        let text = entries.flatMap(\.source)
        return text.withUnsafeBufferPointer { buffer in
            var start = 0
            let sources = entries.map { entry -> UnsafePointer<CChar>? in
                defer { start += entry.source.count }
                return buffer.baseAddress.map { $0 + start }
            }
            return vectorscan_compile(sources, flags, numbers, UInt32(entries.count), &error)
        }
    }
}
