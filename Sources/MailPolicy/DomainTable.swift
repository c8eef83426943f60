/// Values by mail domain, with wildcards: `example.com` is that name alone, `*.example.com` everything below it at any
/// depth but not the name itself. The most specific entry wins: the exact name, else the longest wildcard. A look-up costs
/// one hash for each label of the name, however many entries there are.
package struct DomainTable<Value> {
    private var exact: [String: Value] = [:]
    /// By the name behind `*.`.
    private var below: [String: Value] = [:]

    /// Of entries with the same pattern the first counts. Case does not.
    package init(entries: [(pattern: String, value: Value)] = []) {
        for entry in entries { self.insert(entry.pattern, entry.value) }
    }

    private mutating func insert(_ pattern: String, _ value: Value) {
        let pattern = DomainTable.folded(pattern)
        if pattern.hasPrefix("*.") {
            let name = String(pattern.dropFirst(2))
            if self.below[name] == nil { self.below[name] = value }
        } else if self.exact[pattern] == nil {
            self.exact[pattern] = value
        }
    }

    package var isEmpty: Bool { self.exact.isEmpty && self.below.isEmpty }

    /// - Parameter domain: in any case, with or without the final dot of an absolute name.
    package func value(for domain: String) -> Value? {
        let domain = DomainTable.folded(domain)
        if let value = self.exact[domain] { return value }
        guard !self.below.isEmpty, !domain.hasPrefix("[") else { return nil }
        var rest = domain[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if let value = self.below[String(rest)] { return value }
        }
        return nil
    }

    private static func folded(_ domain: String) -> String {
        let lower = domain.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }
}

extension DomainTable: Sendable where Value: Sendable {}
