import PatternKit

/// What can be told of a pattern without any message: what it says, what it can match, what it may cost.
package struct PatternAnalysis: Sendable {
    /// Why a pattern is left to PCRE2 alone.
    package struct Unsupported: Error, Hashable, Sendable {
        /// The construct: `a (*VERB)`.
        package var what: String
        /// Octets from the start of the pattern.
        package var offset: Int
    }

    /// Why a pattern can never match.
    package struct Impossibility: Hashable, Sendable {
        package var reason: String
        /// Octets from the start of the pattern; nil for the pattern as a whole.
        package var offset: Int?
        package var hint: String?
    }

    private let pattern: Pattern
    private let node: PatternNode

    package init(_ pattern: Pattern) throws(Unsupported) {
        self.pattern = pattern
        do {
            self.node = try PatternParser.parse(pattern)
        } catch {
            throw Unsupported(what: error.what, offset: error.offset)
        }
    }

    package var phrases: [PatternPhrase] { PatternWords.explain(self.node, source: self.pattern.source) }

    /// What the text is that a kind of rule looks at.
    private static func shape(of kind: RuleKind) -> TextShape {
        kind == .body ? .oneLine : .any
    }

    /// Why the pattern can never match; nil when it can, or when it cannot be told.
    package func impossibility(in kind: RuleKind) -> Impossibility? {
        guard let found = PatternImpossibility.find(in: self.node, shape: Self.shape(of: kind)) else { return nil }
        switch found {
        case .shape:
            return Impossibility(
                reason: "a line feed would have to stand inside the text, and \(kind.rawValue) rules see one paragraph at a time",
                hint: "a rawbody or full rule sees several lines"
            )
        case .contradiction:
            return Impossibility(reason: "its pieces contradict each other")
        case .piece(let piece):
            let text = readable(self.pattern.source[piece.range])
            return Impossibility(
                reason: "‘\(text)’ cannot hold where it stands",
                offset: piece.range.lowerBound,
                hint: self.hint(for: piece)
            )
        }
    }

    private func hint(for piece: PatternNode) -> String? {
        switch piece.kind {
        case .assertion(.textStart) where !self.pattern.options.contains(.multiline):
            "^ is the start of the whole text; with the flag m it is the start of every line"
        case .assertion(.lastLineEnd):
            "$ is the end of the whole text; a dollar sign is written \\$, and with the flag m it is the end of every line"
        case .assertion(.lineEnd): "a dollar sign is written \\$"
        default: nil
        }
    }

    /// A text that makes the pattern run over its limits.
    package func cost(in kind: RuleKind, limits: PatternLimits = PatternLimits()) -> PatternCost? {
        PatternCost.find(self.pattern, self.node, shape: Self.shape(of: kind), limits: limits)
    }
}
