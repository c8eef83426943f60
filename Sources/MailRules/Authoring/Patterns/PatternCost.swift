import PatternKit

/// A text that makes a pattern run over its limits, tried with PCRE2: nothing here is reckoned only.
///
/// A rule that runs over its limits is left out for that message, so whoever knows such a text can switch the rule off.
package struct PatternCost: Hashable, Sendable {
    package enum Growth: Hashable, Sendable {
        /// Each repetition more multiplies the steps.
        case exponential
        /// Twice the text costs 2 to the power of `degree` times the steps.
        case polynomial(degree: Double)
    }

    package var growth: Growth
    package var prefix: [UInt8]
    package var pump: [UInt8]
    /// The fewest repetitions found to run over the limit.
    package var repetitions: Int
    package var suffix: [UInt8]
    /// Steps that the text is known to take more than.
    package var limit: UInt32

    /// The whole text.
    package var text: [UInt8] { PatternCost.text(self.prefix, self.pump, self.repetitions, self.suffix) }

    private static func text(_ prefix: [UInt8], _ pump: [UInt8], _ count: Int, _ suffix: [UInt8]) -> [UInt8] {
        prefix + (0..<count).flatMap { _ in pump } + suffix
    }

    /// Octets of text that are tried: what one paragraph or one field may well have.
    private static let maximumText = 4_096
    /// Repetitions that an exponential pattern must blow up within.
    private static let maximumRepetitions = 96

    /// Looks for a text that costs too much, and tries it.
    /// - Parameters:
    ///   - shape: what the text can be.
    ///   - limits: those that the text must run over.
    /// - Returns: nil when none was found; it may be that there is one all the same.
    static func find(
        _ pattern: Pattern,
        _ node: PatternNode,
        shape: TextShape,
        limits: PatternLimits = PatternLimits()
    ) -> PatternCost? {
        guard let automaton = try? PatternAutomaton(node) else { return nil }
        let allowed = shape.isOneLine ? shape.bytes.subtracting(.lineFeed) : shape.bytes
        for pump in PatternLoops.pumps(in: automaton, allowed: allowed) {
            if let cost = PatternTrial(pattern: pattern, pump: pump, limits: limits).run() { return cost }
        }
        return nil
    }

    /// Tries one suspicion.
    private struct PatternTrial {
        var pattern: Pattern
        var pump: PatternPump
        var limits: PatternLimits

        /// What may stand behind the pumps so that the pattern fails there and all ways are tried.
        private static let breaks: [[UInt8]] = ["", "!", " ", "x", "0", "\u{1}", "\n", "~!"].map { Array($0.utf8) }

        func run() -> PatternCost? {
            let probe = self.pump.growth == .exponential ? 8 : 32
            let suffixes = Self.breaks + Self.breaks.filter { !$0.isEmpty }.map { $0 + self.pump.tail }
            let candidates = suffixes.map { (suffix: $0, steps: self.steps(probe, $0) ?? .max) }
            guard let best = candidates.max(by: { $0.steps < $1.steps }), best.steps > 2 * probe else { return nil }
            switch self.pump.growth {
            case .exponential: return self.exponential(best.suffix) ?? self.polynomial(best.suffix)
            case .polynomial: return self.polynomial(best.suffix)
            }
        }

        private func exponential(_ suffix: [UInt8]) -> PatternCost? {
            guard let count = (1...PatternCost.maximumRepetitions).first(where: { self.exceeds(self.limits.matches, $0, suffix) })
            else { return nil }
            // Twice the repetitions would square the steps; of a polynomial they only take a fixed factor.
            guard count >= 8, let quarter = self.steps(count / 4, suffix), let half = self.steps(count / 2, suffix),
                let most = self.steps(count - 1, suffix)
            else { return count < 8 ? self.cost(.exponential, count, suffix) : nil }
            let early = Double(half) / Double(max(quarter, 1))
            let late = Double(most) / Double(max(half, 1))
            guard late > 3 * early else { return nil }
            return self.cost(.exponential, count, suffix)
        }

        private func polynomial(_ suffix: [UInt8]) -> PatternCost? {
            var count = 8
            while self.length(count) <= PatternCost.maximumText {
                if self.exceeds(self.limits.matches, count, suffix) {
                    guard let quarter = self.steps(count / 4, suffix), let half = self.steps(count / 2, suffix), half > quarter
                    else { return nil }
                    let degree = PatternTrial.binaryLogarithm(Double(half) / Double(max(quarter, 1)))
                    guard degree > 1.5 else { return nil }
                    return self.cost(.polynomial(degree: degree), self.least(from: count / 2, to: count, suffix), suffix)
                }
                count *= 2
            }
            return nil
        }

        private func cost(_ growth: PatternCost.Growth, _ count: Int, _ suffix: [UInt8]) -> PatternCost {
            PatternCost(
                growth: growth,
                prefix: self.pump.prefix,
                pump: self.pump.pump,
                repetitions: count,
                suffix: suffix,
                limit: self.limits.matches
            )
        }

        private func length(_ count: Int) -> Int { self.pump.prefix.count + count * self.pump.pump.count }

        private func text(_ count: Int, _ suffix: [UInt8]) -> [UInt8] {
            PatternCost.text(self.pump.prefix, self.pump.pump, count, suffix)
        }

        private func exceeds(_ steps: UInt32, _ count: Int, _ suffix: [UInt8]) -> Bool {
            var limits = self.limits
            limits.matches = steps
            return PatternMatcher(limits: limits).search(self.pattern, in: self.text(count, suffix)) == .limitExceeded
        }

        /// The fewest repetitions that run over the limit.
        private func least(from low: Int, to high: Int, _ suffix: [UInt8]) -> Int {
            var (low, high) = (low, high)
            while high - low > 1 {
                let middle = (low + high) / 2
                if self.exceeds(self.limits.matches, middle, suffix) { high = middle } else { low = middle }
            }
            return high
        }

        /// The steps that the text takes, found by halving the limit; nil when they are over the limit.
        private func steps(_ count: Int, _ suffix: [UInt8]) -> Int? {
            guard !self.exceeds(self.limits.matches, count, suffix) else { return nil }
            var (low, high) = (0, Int(self.limits.matches))
            while high - low > max(1, high / 64) {
                let middle = (low + high) / 2
                if self.exceeds(UInt32(middle), count, suffix) { low = middle } else { high = middle }
            }
            return high
        }

        private static func binaryLogarithm(_ value: Double) -> Double {
            // Without Foundation's log2: the exponent, and the rest by repeated squaring.
            guard value >= 1 else { return 0 }
            var result = Double(value.exponent)
            var rest = value.significand
            var weight = 0.5
            for _ in 0..<12 {
                rest *= rest
                if rest >= 2 {
                    result += weight
                    rest /= 2
                }
                weight /= 2
            }
            return result
        }
    }
}
