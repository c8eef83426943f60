import CPCRE2

/// What one match may cost. A pattern that needs more is given up, so that no text can hold up a thread.
package struct PatternLimits: Hashable, Sendable {
    /// Steps of backtracking; ordinary patterns on mail stay far below.
    package var matches: UInt32 = 100_000
    /// Nesting of backtracking points; only the interpreter counts it (the JIT has its stack as limit).
    package var depth: UInt32 = 100_000
    /// KiB that the interpreter may allocate for one match.
    package var heap: UInt32 = 1_024
    /// Octets of the JIT's stack: what it starts with and what it may grow to.
    package var initialStack = 32 * 1_024
    package var maximumStack = 1_024 * 1_024

    package init() {}
}

/// How a search ended.
package enum MatchResult: Hashable, Sendable {
    /// The range of the whole match in the text; the groups are with the matcher.
    case match(Range<Int>)
    case noMatch
    /// The match, depth, heap or stack limit was reached: it is not known whether the pattern matches.
    case limitExceeded
    /// PCRE2's number of an error that is none of these.
    case failed(Int32)
}

/// Searches text with patterns; keeps PCRE2's working memory for the next search. For one thread at a time.
package final class PatternMatcher {
    /// Groups that captures are kept of; a pattern with more still matches.
    private static let maximumPairs: UInt32 = 32
    /// Places of a text that are tried one by one before the rest is searched as a whole, and steps of backtracking at each: so that a
    /// text full of places costs little more than the limit of one search.
    private static let maximumPlaces = 1_000
    private static let placeMatches: UInt32 = 1_000

    private let data: OpaquePointer
    private let context: OpaquePointer
    /// For a try at one place.
    private let placeContext: OpaquePointer
    private let stack: OpaquePointer?
    /// Pairs of the vector that the last match has set.
    private var pairs = 0

    package init(limits: PatternLimits = PatternLimits()) {
        guard
            let data = pcre2_match_data_create_8(PatternMatcher.maximumPairs, nil),
            let context = pcre2_match_context_create_8(nil),
            let placeContext = pcre2_match_context_create_8(nil)
        else {
            preconditionFailure("no memory for a few hundred octets of match data")
        }
        self.data = data
        self.context = context
        self.placeContext = placeContext
        self.stack = pcre2_jit_stack_create_8(limits.initialStack, limits.maximumStack, nil)
        for context in [context, placeContext] {
            pcre2_set_match_limit_8(context, limits.matches)
            pcre2_set_depth_limit_8(context, limits.depth)
            pcre2_set_heap_limit_8(context, limits.heap)
            if let stack = self.stack {
                pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
            }
        }
        pcre2_set_match_limit_8(placeContext, min(limits.matches, PatternMatcher.placeMatches))
    }

    deinit {
        pcre2_match_data_free_8(self.data)
        pcre2_match_context_free_8(self.context)
        pcre2_match_context_free_8(self.placeContext)
        if let stack = self.stack { pcre2_jit_stack_free_8(stack) }
    }

    /// Finds the first match at or behind `offset`; what stands before it is seen by lookbehinds and by `\b`.
    /// - Parameter notEmpty: an empty match at `offset` does not count; for going on behind an empty match.
    package func search(_ pattern: Pattern, in text: [UInt8], from offset: Int = 0, notEmpty: Bool = false) -> MatchResult {
        precondition(offset >= 0 && offset <= text.count, "search starts outside of the text")
        guard text.count - offset >= pattern.minimumLength else { return .noMatch }
        let options = notEmpty ? PCRE2_NOTEMPTY_ATSTART : 0
        let status = text.withUnsafeBufferPointer { self.status(of: pattern, in: $0, from: offset, options) }
        switch status {
        case 0...:
            let vector = pcre2_get_ovector_pointer_8(self.data)
            guard let vector else { return .failed(status) }
            self.pairs = status == 0 ? Int(PatternMatcher.maximumPairs) : Int(status)
            // \K in a lookahead may put the start behind the end.
            return .match(min(vector[0], vector[1])..<vector[1])
        case PCRE2_ERROR_NOMATCH:
            return .noMatch
        case PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_DEPTHLIMIT, PCRE2_ERROR_HEAPLIMIT, PCRE2_ERROR_JIT_STACKLIMIT:
            return .limitExceeded
        default:
            return .failed(status)
        }
    }

    private func status(
        of pattern: Pattern,
        in text: UnsafeBufferPointer<UInt8>,
        from offset: Int,
        _ options: UInt32
    ) -> Int32 {
        // An empty array may have no address, PCRE2 wants one.
        guard let octets = text.baseAddress else {
            return withUnsafePointer(to: 0) { pattern.match(pattern.code, $0, 0, offset, options, self.data, self.context) }
        }
        guard let opening = pattern.opening else {
            return pattern.match(pattern.code, octets, text.count, offset, options, self.data, self.context)
        }
        var place = offset
        // The last of the places that a match at the next one needs.
        var last = offset - 1
        for _ in 1..<opening.count {
            guard let next = opening.next(in: text, from: last + 1, start: offset) else { return PCRE2_ERROR_NOMATCH }
            last = next
        }
        for _ in 0..<PatternMatcher.maximumPlaces {
            guard let next = opening.next(in: text, from: place, start: offset) else { return PCRE2_ERROR_NOMATCH }
            if opening.count > 1 {
                guard let behind = opening.next(in: text, from: last + 1, start: offset) else { return PCRE2_ERROR_NOMATCH }
                last = behind
            }
            pcre2_set_offset_limit_8(self.placeContext, next)
            let options = next == offset ? options : 0
            let status = pattern.match(pattern.code, octets, text.count, next, options, self.data, self.placeContext)
            place = next
            if status >= 0 { return status }
            // Whether that place costs too much, the whole search may say.
            guard status == PCRE2_ERROR_NOMATCH else { break }
            place += 1
        }
        guard place <= text.count else { return PCRE2_ERROR_NOMATCH }
        let rest = place == offset ? options : 0
        return pattern.match(pattern.code, octets, text.count, place, rest, self.data, self.context)
    }

    /// A group of the last match; nil if it took no part, or there is no such group.
    package func capture(_ group: Int) -> Range<Int>? {
        guard group >= 0, group < self.pairs else { return nil }
        guard let vector = pcre2_get_ovector_pointer_8(self.data) else { return nil }
        // PCRE2_UNSET, which Swift does not import, is the largest offset.
        let start = vector[2 * group]
        let end = vector[2 * group + 1]
        guard start != Int(bitPattern: UInt.max), start <= end else { return nil }
        return start..<end
    }
}
