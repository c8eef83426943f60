/// A domain name as the DNS has it (RFC 1035 §3.1): labels of octets, without the root's empty one.
package struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// Octets of a label (RFC 1035 §2.3.4).
    package static let maximumLabel = 63
    /// Octets of a name as text, without a dot at the end: 255 on the wire less the lengths at both ends (RFC 1035 §2.3.4).
    package static let maximumLength = 253

    /// In lower case: names that differ in case alone are one name (RFC 4343).
    package let labels: [[UInt8]]

    /// The root.
    package static let root = DNSName(unchecked: [])

    private init(unchecked labels: [[UInt8]]) {
        self.labels = labels
    }

    /// nil if a label is empty or too long, or the whole is.
    package init?(labels: [[UInt8]]) {
        var length = -1
        for label in labels {
            guard !label.isEmpty, label.count <= Self.maximumLabel else { return nil }
            length += label.count + 1
        }
        guard length <= Self.maximumLength else { return nil }
        self.labels = labels.map { $0.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 } }
    }

    /// Reads a name with dots between the labels and perhaps one at the end. There are no escapes: every octet but the dot
    /// stands for itself.
    package init?(_ text: some Collection<UInt8>) {
        var octets = Array(text)
        if octets.last == UInt8(ascii: ".") { octets.removeLast() }
        guard !octets.isEmpty else { return nil }
        self.init(labels: octets.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Array($0) })
    }

    package init?(_ text: some StringProtocol) {
        self.init(Array(text.utf8))
    }

    /// Under which a host name is looked up for an address: `4.3.2.1.in-addr.arpa` (RFC 1035 §3.5, RFC 3596 §2.5).
    package init(reverseOf address: IPAddress) {
        let octets = address.octets
        if address.isIPv4 {
            let labels = octets.reversed().map { Array(String($0).utf8) }
            self.labels = labels + [Array("in-addr".utf8), Array("arpa".utf8)]
        } else {
            let digits = Array("0123456789abcdef".utf8)
            let labels = octets.reversed().flatMap { [[digits[Int($0 & 15)]], [digits[Int($0 >> 4)]]] }
            self.labels = labels + [Array("ip6".utf8), Array("arpa".utf8)]
        }
    }

    /// The name without its first label; nil for the root.
    package var parent: DNSName? {
        self.labels.isEmpty ? nil : DNSName(unchecked: Array(self.labels.dropFirst()))
    }

    /// Whether it is `other` or lies below it.
    package func isWithin(_ other: DNSName) -> Bool {
        self.labels.count >= other.labels.count && self.labels.suffix(other.labels.count).elementsEqual(other.labels)
    }

    /// `selector._domainkey.example.org` is `selector._domainkey` and `example.org`; nil if the whole would be too long.
    package func prefixed(by labels: [[UInt8]]) -> DNSName? {
        DNSName(labels: labels + self.labels)
    }

    /// With dots, for people; octets that are no text are shown as `\ddd` (RFC 4343 §2.1).
    package var description: String {
        guard !self.labels.isEmpty else { return "." }
        return self.labels.map { label in
            label.map { octet -> String in
                switch octet {
                case UInt8(ascii: "."), UInt8(ascii: "\\"): return "\\" + String(Unicode.Scalar(octet))
                case 0x21...0x7e: return String(Unicode.Scalar(octet))
                default:
                    let digits = String(octet)
                    return "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
                }
            }.joined()
        }.joined(separator: ".")
    }
}
