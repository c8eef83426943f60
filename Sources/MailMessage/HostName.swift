/// Host names in URIs and addresses, judged as SpamAssassin does: what no resolver could look up is no link.
enum HostName {
    private static let maximumLength = 253
    private static let maximumLabelLength = 63

    /// Whether it is a domain name below a known top-level domain: letters, digits and inner hyphens, underscores only in
    /// the third label and further down; octets of UTF-8 count as letters.
    static func isDomain(_ host: ArraySlice<UInt8>) -> Bool {
        var host = host
        while host.last == 0x2e { host.removeLast() }
        guard !host.isEmpty, host.count <= self.maximumLength else { return false }
        let labels = host.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard labels.count > 1, let top = labels.last else { return false }
        for (index, label) in labels.enumerated() where !self.isLabel(label, mayHaveUnderscore: index < labels.count - 2) {
            return false
        }
        return TopLevelDomains.contains(top) || top.contains { $0 >= 0x80 }
    }

    private static func isLabel(_ label: ArraySlice<UInt8>, mayHaveUnderscore: Bool) -> Bool {
        guard (1...self.maximumLabelLength).contains(label.count), label.first != 0x2d, label.last != 0x2d else { return false }
        return label.allSatisfy { $0.isAlphanumeric || $0 == 0x2d || $0 >= 0x80 || (mayHaveUnderscore && $0 == 0x5f) }
    }

    /// Four decimal numbers up to 255.
    static func isIPv4(_ host: ArraySlice<UInt8>) -> Bool {
        let parts = host.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return false }
        return parts.allSatisfy { part in
            (1...3).contains(part.count) && part.allSatisfy(\.isDigit) && part.reduce(0) { $0 * 10 + Int($1 - 0x30) } < 256
        }
    }
}
