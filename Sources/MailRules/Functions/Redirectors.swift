import PatternKit

/// Patterns whose first group is where a redirector leads (`redirector_pattern`).
struct Redirectors: Sendable {
    private let patterns: [Pattern]
    /// Matches wherever one of them does: one search tells of most URIs that they are no redirector. nil where there is none.
    private let any: Pattern?

    init(_ patterns: [Pattern] = []) {
        self.patterns = patterns
        self.any = Self.union(patterns)
    }

    private static func union(_ patterns: [Pattern]) -> Pattern? {
        // In /x a comment may reach to the end of the pattern.
        guard patterns.count > 1, let options = patterns.first?.options, !options.contains(.extended) else { return nil }
        guard patterns.allSatisfy({ $0.options == options }) else { return nil }
        // The groups of each are counted from one.
        let branches = patterns.map { Array("(?:".utf8) + $0.source + Array(")".utf8) }.joined(separator: Array("|".utf8))
        return try? Pattern(Array("(?|".utf8) + branches + Array(")".utf8), options: options)
    }

    /// Finds where a URI leads; nil where there are no patterns.
    func target(_ matcher: PatternMatcher) -> ((_ uri: [UInt8]) -> [UInt8]?)? {
        guard !self.patterns.isEmpty else { return nil }
        return { uri in
            if let any, matcher.search(any, in: uri) == .noMatch { return nil }
            for pattern in self.patterns {
                guard case .match = matcher.search(pattern, in: uri), let target = matcher.capture(1) else { continue }
                // What has no dot is no host.
                if uri[target].contains(UInt8(ascii: ".")) { return Array(uri[target]) }
            }
            return nil
        }
    }
}
