import CVectorscan

/// Finds, of many patterns, those that may match a text, in one pass over it (Vectorscan). Whether they do is for PCRE2 to say: a
/// pattern that is not among the candidates does not match.
///
/// `@unchecked Sendable`: Vectorscan documents databases as read-only while scanning, so one may serve all threads; the pointer
/// never changes, and the database is freed once, when the last owner is gone.
package final class PatternPrefilter: @unchecked Sendable {
    let database: OpaquePointer
    /// For each pattern of the database its number among those that were asked for.
    package let numbers: [Int]
    /// Patterns that the library cannot take; they are candidates for every text.
    package let unfiltered: [Int]

    /// Whether the library is there and runs on this processor.
    package static var isAvailable: Bool { vectorscan_is_available() != 0 }

    /// The library's version and what it knows of this processor: a database serves only where both are the same.
    package static var platform: String {
        var tune: UInt32 = 0
        var features: UInt64 = 0
        vectorscan_processor(&tune, &features)
        return "\(String(cString: vectorscan_version())) tune \(tune) features \(features)"
    }

    private init(database: OpaquePointer, numbers: [Int], unfiltered: [Int]) {
        self.database = database
        self.numbers = numbers
        self.unfiltered = unfiltered
    }

    deinit {
        vectorscan_free_database(self.database)
    }

    /// Compiles a database; for hundreds of patterns this takes seconds.
    /// - Returns: nil where the library is missing or can take none of the patterns.
    package static func compile(_ patterns: [Pattern]) -> PatternPrefilter? {
        guard self.isAvailable else { return nil }
        var entries = patterns.enumerated().compactMap { Entry($1, number: $0) }
        while !entries.isEmpty {
            var error = vectorscan_error_t()
            if let database = Entry.compile(entries, &error) {
                let numbers = entries.map(\.number)
                let taken = Set(numbers)
                let unfiltered = patterns.indices.filter { !taken.contains($0) }
                return PatternPrefilter(database: database, numbers: numbers, unfiltered: unfiltered)
            }
            // Some patterns turn out to be too large only when they are put together with others.
            let faulty = Int(error.expression)
            guard entries.indices.contains(faulty) else { return nil }
            if !entries[faulty].weaken() { entries.remove(at: faulty) }
        }
        return nil
    }

    // MARK: - As octets

    /// The database as octets, for `init(octets:…)` on the same platform; nil if there is no memory.
    package func serialized() -> [UInt8]? {
        var octets: UnsafeMutablePointer<CChar>?
        var length = 0
        guard vectorscan_serialize(self.database, &octets, &length) == 0, let octets else { return nil }
        defer { vectorscan_free_octets(octets) }
        return octets.withMemoryRebound(to: UInt8.self, capacity: length) {
            Array(UnsafeBufferPointer(start: $0, count: length))
        }
    }

    /// Takes a database from octets that `serialized` gave. They must be those that were given: the library checks their version,
    /// processor and sum, and trusts them otherwise.
    package init?(octets: ArraySlice<UInt8>, numbers: [Int], unfiltered: [Int]) {
        let database = octets.withUnsafeBytes { buffer -> OpaquePointer? in
            buffer.assumingMemoryBound(to: CChar.self).baseAddress.flatMap { vectorscan_deserialize($0, buffer.count) }
        }
        guard let database else { return nil }
        self.database = database
        self.numbers = numbers
        self.unfiltered = unfiltered
    }
}

/// A pattern as Vectorscan takes it.
private struct Entry {
    let number: Int
    /// Ended by NUL.
    let source: [CChar]
    var flags: UInt32

    /// nil for a pattern that cannot be taken: because the library does not know its constructs, or because it matches everywhere.
    init?(_ pattern: Pattern, number: Int) {
        // Text is matched as octets; a NUL would end the pattern.
        guard !pattern.options.contains(.utf), !pattern.source.contains(0) else { return nil }
        self.number = number
        // The library has no flag for /x, and takes it inside the pattern.
        let prefix: [UInt8] = pattern.options.contains(.extended) ? Array("(?x)".utf8) : []
        // A comment may end the pattern.
        let suffix: [UInt8] = pattern.options.contains(.extended) ? [0x0a] : []
        self.source = (prefix + pattern.source + suffix + [0]).map { CChar(bitPattern: $0) }
        self.flags = UInt32(VECTORSCAN_SINGLEMATCH)
        if pattern.options.contains(.caseless) { self.flags |= UInt32(VECTORSCAN_CASELESS) }
        if pattern.options.contains(.dotAll) { self.flags |= UInt32(VECTORSCAN_DOTALL) }
        if pattern.options.contains(.multiline) { self.flags |= UInt32(VECTORSCAN_MULTILINE) }
        if self.isTaken { return }
        guard self.weaken(), self.isTaken else { return nil }
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
        // The sources one behind the other, so that one buffer holds them all in place.
        let text = entries.flatMap(\.source)
        return text.withUnsafeBufferPointer { buffer in
            var start = 0
            let sources = entries.map { entry -> UnsafePointer<CChar>? in
                defer { start += entry.source.count }
                return buffer.baseAddress.map { $0 + start }
            }
            return vectorscan_compile(sources, flags, UInt32(entries.count), &error)
        }
    }
}
