import MailTypes

/// One hop of a message: who handed it to whom, as a Received field tells (RFC 5321 §4.4), or as we saw it ourselves.
package struct Relay: Hashable, Sendable {
    /// The address that connected; without brackets, `IPv6:` and zone. Empty when the field has none.
    package var ip: [UInt8] = []
    /// The host name that the receiving server found for the address.
    package var reverseName: [UInt8] = []
    /// The argument of EHLO or HELO.
    package var helo: [UInt8] = []
    /// The name of the receiving server.
    package var by: [UInt8] = []
    /// What the connecting host said about the user (RFC 1413).
    package var ident: [UInt8] = []
    /// The reverse path without brackets; nil when the field does not tell.
    package var envelopeFrom: [UInt8]?
    package var id: [UInt8] = []
    /// How the client authenticated itself; empty when it did not.
    package var authentication: [UInt8] = []
    /// The receiving server looks for a name of every client, and this one has none.
    package var lacksReverseName = false
    /// Within the internal networks, and all hops after it as well.
    package var isInternal = false
    /// The address is that of a submission server.
    package var isSubmissionServer = false

    package init() {}

    package var address: IPAddress? { AddressText.address(self.ip) }

    package var isPrivate: Bool { self.address?.isPrivate ?? false }

    /// As rules see it in `X-Spam-Relays-…`: fields in a fixed order, so that patterns can rely on it.
    package var text: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(Self.typicalLength)
        text += "[ ip=".utf8
        text += self.ip
        text += " rdns=".utf8
        text += self.reverseName
        text += " helo=".utf8
        text += self.helo
        text += " by=".utf8
        text += self.by
        text += " ident=".utf8
        text += self.ident
        text += " envfrom=".utf8
        text += self.envelopeFrom ?? []
        text += " intl=".utf8
        text.append(self.isInternal ? 0x31 : 0x30)
        text += " id=".utf8
        text += self.id
        text += " auth=".utf8
        text += self.authentication
        text += " msa=".utf8
        text.append(self.isSubmissionServer ? 0x31 : 0x30)
        text += " ]".utf8
        return text
    }

    /// Octets of a hop as rules see it; few have more.
    private static let typicalLength = 256

    /// Puts the texts into the form in which rules expect them: white space and brackets, which would make one field look
    /// like two, become `!`.
    package mutating func normalize() {
        while self.reverseName.last == 0x2e { self.reverseName.removeLast() }
        if self.reverseName.matches(Self.unknown, in: self.reverseName.indices) || self.reverseName.first == 0x5b {
            self.reverseName = []
        }
        if self.ip.hasPrefix(Self.ipv6, at: 0) { self.ip.removeFirst(Self.ipv6.count) }
        if self.ip.first == 0x5b { self.ip.removeFirst() }
        if self.ip.last == 0x5d { self.ip.removeLast() }
        if let percent = self.ip.lastIndex(of: 0x25) { self.ip.removeSubrange(percent...) }
        if self.ip.contains(0x3a), self.ip.contains(0x2e), let mapped = self.address, mapped.isIPv4 {
            self.ip = Array(mapped.description.utf8)
        }
        if self.by.last == 0x3b { self.by.removeLast() }
        self.ip = Relay.flattened(self.ip)
        self.reverseName = Relay.flattened(self.reverseName)
        self.helo = Relay.flattened(self.helo)
        self.by = Relay.flattened(self.by)
        self.ident = Relay.flattened(self.ident)
        self.envelopeFrom = self.envelopeFrom.map(Relay.withoutBrackets)
    }

    /// Without angle brackets and white space around it.
    static func withoutBrackets(_ path: [UInt8]) -> [UInt8] {
        var path = path.trimmed()[...]
        while path.first == 0x3c { path.removeFirst() }
        while path.last == 0x3e { path.removeLast() }
        return self.flattened(Array(path))
    }

    private static let unknown = [UInt8](ascii: "unknown")
    private static let ipv6 = [UInt8](ascii: "ipv6:")
    private static let misleading = OctetClass { $0.isSpace || "#[]()<>|\0".utf8.contains($0) }

    private static func flattened(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(where: self.misleading.contains) else { return text }
        return text.map { self.misleading.contains($0) ? UInt8(ascii: "!") : $0 }
    }
}
