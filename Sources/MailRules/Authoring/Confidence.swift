/// How often something happens, as far as a sample can tell.
package struct Proportion: Hashable, Sendable {
    package var count: Int
    package var total: Int

    package init(_ count: Int, of total: Int) {
        self.count = count
        self.total = total
    }

    /// 0 for an empty sample.
    package var rate: Double { self.total == 0 ? 0 : Double(self.count) / Double(self.total) }

    /// Quantiles of the normal distribution.
    private static let twoSided95 = 1.959964
    private static let oneSided95 = 1.644854

    /// The interval that has the true rate in it with 95% confidence (Wilson 1927).
    package var interval: ClosedRange<Double> {
        let (low, high) = self.bounds(Proportion.twoSided95)
        return low...high
    }

    /// What the true rate stays below with 95% confidence: also for a rule that hit nothing, which proves less than it seems.
    package var upperBound: Double { self.bounds(Proportion.oneSided95).1 }

    private func bounds(_ z: Double) -> (Double, Double) {
        guard self.total > 0 else { return (0, 1) }
        let n = Double(self.total)
        let square = z * z
        let center = (self.rate + square / (2 * n)) / (1 + square / n)
        let spread = z / (1 + square / n) * (self.rate * (1 - self.rate) / n + square / (4 * n * n)).squareRoot()
        let low = self.count == 0 ? 0 : max(0, center - spread)
        let high = self.count == self.total ? 1 : min(1, center + spread)
        return (low, high)
    }
}
