/// Which certificate is for which name: exact names, and wildcards for exactly one label (RFC 6125 §6.4.3).
struct ServerNames: Hashable, Sendable {
    private var exact: [String: Int] = [:]
    /// Without the `*`: `.example.org`.
    private var wildcards: [String: Int] = [:]

    /// The first certificate that claims a name keeps it.
    mutating func add(_ name: String, index: Int) {
        let name = Self.normalised(name)
        if name.hasPrefix("*.") {
            let suffix = String(name.dropFirst())
            if self.wildcards[suffix] == nil { self.wildcards[suffix] = index }
        } else if self.exact[name] == nil {
            self.exact[name] = index
        }
    }

    func index(for name: String) -> Int? {
        let name = Self.normalised(name)
        if let index = self.exact[name] { return index }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return nil }
        return self.wildcards[String(name[dot...])]
    }

    private static func normalised(_ name: String) -> String {
        let lower = name.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }
}
