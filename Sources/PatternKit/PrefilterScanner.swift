import CVectorscan

/// Scans texts with prefilters; keeps the library's working memory. For one thread at a time.
package final class PrefilterScanner {
    private var scratch: OpaquePointer?
    private var found: [UInt32] = []
    /// The text with line feeds behind it.
    private var padded: [UInt8] = []

    /// Octets behind a text: those of the widest vector. Vectorscan 5.4.9 misses matches that lie in the last vector of a text; no
    /// match of ours does. A line feed is to `\b` and `$` what the end is.
    private static let padding = repeatElement(UInt8(ascii: "\n"), count: 64)

    /// Texts below this size in octets are scanned; the library counts in 32 bits.
    private static let maximumText = Int(UInt32.max) / 2

    package init() {}

    deinit {
        if let scratch { vectorscan_free_scratch(scratch) }
    }

    /// Makes the working memory large enough for a prefilter; once, before it is used.
    /// - Returns: false if there is no memory: the prefilter must not be used.
    package func prepare(for prefilter: PatternPrefilter) -> Bool {
        self.found = Array(repeating: 0, count: max(self.found.count, prefilter.patternCount + prefilter.expressionCount + 16))
        guard let database = prefilter.database else { return true }
        return vectorscan_prepare(database, &self.scratch) == 0
    }

    /// Calls `candidate` with the number of each pattern that may match, for some more than once. The patterns that the prefilter could
    /// not take are not told.
    /// - Returns: false if nothing was found out: any pattern may match.
    package func scan(_ text: [UInt8], with prefilter: PatternPrefilter, candidate: (Int) -> Void) -> Bool {
        if let database = prefilter.database {
            guard let count = self.scan(text, with: database) else { return false }
            for number in self.found[..<count] { candidate(Int(number)) }
        }
        prefilter.clues.scan(text, found: candidate)
        return true
    }

    /// Writes what the library finds to `found`.
    /// - Returns: how much that is; nil if the scan failed.
    private func scan(_ text: [UInt8], with database: OpaquePointer) -> Int? {
        guard let scratch, text.count < PrefilterScanner.maximumText else { return nil }
        self.padded.removeAll(keepingCapacity: true)
        self.padded += text
        self.padded += PrefilterScanner.padding
        let count = self.padded.withUnsafeBytes { buffer in
            vectorscan_scan(
                database,
                buffer.assumingMemoryBound(to: CChar.self).baseAddress,
                UInt32(buffer.count),
                scratch,
                &self.found,
                UInt32(self.found.count)
            )
        }
        return count >= 0 ? Int(count) : nil
    }
}
