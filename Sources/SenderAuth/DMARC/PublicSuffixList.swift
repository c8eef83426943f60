import MailTypes

/// The list of names under which anybody can register a domain (publicsuffix.org), for finding the domain that one owner
/// has: `example.co.uk` of `mail.example.co.uk`.
package struct PublicSuffixList: Sendable {
    /// By name; a name can be both a suffix and the parent of a wildcard.
    private var suffixes: Set<DNSName> = []
    private var wildcards: Set<DNSName> = []
    private var exceptions: Set<DNSName> = []

    /// No rules: then the last label alone is a suffix.
    package init() {}

    /// Reads the list as it is published: a rule a line, `//` in front of comments.
    package init(_ text: [UInt8]) {
        for line in text.split(separator: 0x0a) {
            let rule = line.prefix { $0 > 0x20 }
            guard let first = rule.first, !rule.starts(with: "//".utf8) else { continue }
            let isException = first == UInt8(ascii: "!")
            let isWildcard = rule.starts(with: "*.".utf8)
            let name = rule.dropFirst(isException ? 1 : isWildcard ? 2 : 0)
            // Names are listed as people write them, and looked up as the DNS has them.
            guard let domain = DNSName(labels: name.split(separator: UInt8(ascii: ".")).map(Punycode.asciiLabel)) else {
                continue
            }
            if isException {
                self.exceptions.insert(domain)
            } else if isWildcard {
                self.wildcards.insert(domain)
            } else {
                self.suffixes.insert(domain)
            }
        }
    }

    package var isEmpty: Bool { self.suffixes.isEmpty }

    /// The name under a public suffix that holds `name`; nil if `name` is a suffix itself.
    package func organizationalDomain(of name: DNSName) -> DNSName? {
        var below: DNSName?
        var candidate = name
        // From the longest name to the last label: the first rule that fits is the longest.
        while !candidate.labels.isEmpty {
            if self.exceptions.contains(candidate) { return candidate }
            if self.isSuffix(candidate) { return below }
            below = candidate
            guard let parent = candidate.parent else { break }
            candidate = parent
        }
        return below
    }

    private func isSuffix(_ name: DNSName) -> Bool {
        if self.suffixes.contains(name) || name.labels.count == 1 { return true }
        return name.parent.map { self.wildcards.contains($0) } ?? false
    }
}

/// Labels beyond ASCII as the DNS has them (RFC 3492, RFC 5890 §2.3.2.1).
enum Punycode {
    /// A label in UTF-8 as an A-label; one in ASCII stays as it is. What is not UTF-8 stays, too.
    static func asciiLabel(_ label: some Collection<UInt8>) -> [UInt8] {
        let octets = Array(label)
        guard octets.contains(where: { $0 >= 0x80 }), let text = String(validating: octets, as: UTF8.self) else { return octets }
        let scalars = text.lowercased().unicodeScalars.map(\.value)
        return Array("xn--".utf8) + self.encode(scalars)
    }

    private static let base: UInt32 = 36
    private static let minimum: UInt32 = 1
    private static let maximum: UInt32 = 26

    /// RFC 3492 §6.3
    private static func encode(_ scalars: [UInt32]) -> [UInt8] {
        var output = scalars.filter { $0 < 0x80 }.map { UInt8($0) }
        let basic = UInt32(output.count)
        var handled = basic
        if basic > 0 { output.append(UInt8(ascii: "-")) }
        var next: UInt32 = 128
        var delta: UInt32 = 0
        var bias: UInt32 = 72
        while handled < scalars.count {
            guard let smallest = scalars.filter({ $0 >= next }).min() else { break }
            delta += (smallest - next) * (handled + 1)
            next = smallest
            for scalar in scalars {
                if scalar < next { delta += 1 }
                guard scalar == next else { continue }
                var rest = delta
                var step = self.base
                while true {
                    let threshold = step <= bias ? self.minimum : step >= bias + self.maximum ? self.maximum : step - bias
                    guard rest >= threshold else { break }
                    output.append(self.digit(threshold + (rest - threshold) % (self.base - threshold)))
                    rest = (rest - threshold) / (self.base - threshold)
                    step += self.base
                }
                output.append(self.digit(rest))
                bias = self.adapted(delta, handled + 1, isFirst: handled == basic)
                delta = 0
                handled += 1
            }
            delta += 1
            next += 1
        }
        return output
    }

    /// RFC 3492 §6.1
    private static func adapted(_ delta: UInt32, _ count: UInt32, isFirst: Bool) -> UInt32 {
        var delta = isFirst ? delta / 700 : delta / 2
        delta += delta / count
        var result: UInt32 = 0
        while delta > (self.base - self.minimum) * self.maximum / 2 {
            delta /= self.base - self.minimum
            result += self.base
        }
        return result + (self.base - self.minimum + 1) * delta / (delta + 38)
    }

    private static func digit(_ value: UInt32) -> UInt8 {
        UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30)
    }
}
