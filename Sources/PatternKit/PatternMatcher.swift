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

    private let data: OpaquePointer
    private let context: OpaquePointer
    private let stack: OpaquePointer?
    /// Pairs of the vector that the last match has set.
    private var pairs = 0

    package init(limits: PatternLimits = PatternLimits()) {
        guard
            let data = pcre2_match_data_create_8(PatternMatcher.maximumPairs, nil),
            let context = pcre2_match_context_create_8(nil)
        else {
            preconditionFailure("no memory for a few hundred octets of match data")
        }
        self.data = data
        self.context = context
        self.stack = pcre2_jit_stack_create_8(limits.initialStack, limits.maximumStack, nil)
        pcre2_set_match_limit_8(context, limits.matches)
        pcre2_set_depth_limit_8(context, limits.depth)
        pcre2_set_heap_limit_8(context, limits.heap)
        if let stack = self.stack {
            pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        }
    }

    deinit {
        pcre2_match_data_free_8(self.data)
        pcre2_match_context_free_8(self.context)
        if let stack = self.stack { pcre2_jit_stack_free_8(stack) }
    }

    /// Finds the first match at or behind `offset`; what stands before it is seen by lookbehinds and by `\b`.
    /// - Parameter notEmpty: an empty match at `offset` does not count; for going on behind an empty match.
    package func search(_ pattern: Pattern, in text: [UInt8], from offset: Int = 0, notEmpty: Bool = false) -> MatchResult {
        precondition(offset >= 0 && offset <= text.count, "search starts outside of the text")
        guard text.count - offset >= pattern.minimumLength else { return .noMatch }
        let options = notEmpty ? PCRE2_NOTEMPTY_ATSTART : 0
        let status = text.withUnsafeBufferPointer { buffer -> Int32 in
            // An empty array may have no address, PCRE2 wants one.
            withUnsafePointer(to: 0 as UInt8) { empty in
                pcre2_match_8(pattern.code, buffer.baseAddress ?? empty, buffer.count, offset, options, self.data, self.context)
            }
        }
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
