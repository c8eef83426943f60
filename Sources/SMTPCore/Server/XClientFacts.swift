import MailTypes

/// What a trusted proxy says about the client behind it (Postfix's XCLIENT protocol). Values are xtext
/// (RFC 3461 §4); `[UNAVAILABLE]` and `[TEMPUNAVAIL]` say that the proxy does not know either.
package struct XClientFacts: Hashable, Sendable {
    /// A value as it was told: not mentioned, known to be unknown, or there.
    package enum Fact<Value: Hashable & Sendable>: Hashable, Sendable {
        case notTold
        case unavailable
        case told(Value)
    }

    /// The attributes as EHLO lists them.
    package static let attributeNames = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

    package var name: Fact<String> = .notTold
    package var address: Fact<IPAddress> = .notTold
    package var port: Fact<UInt16> = .notTold
    package var helo: Fact<String> = .notTold
    package var login: Fact<String> = .notTold
    package var localAddress: Fact<IPAddress> = .notTold
    package var localPort: Fact<UInt16> = .notTold
    package var isExtended: Fact<Bool> = .notTold

    package init() {}

    init(parsing argument: ArraySlice<UInt8>) throws(CommandSyntaxError) {
        let words = argument.split(separator: UInt8(ascii: " "))
        guard !words.isEmpty else { throw .missingArgument }
        for word in words {
            guard let equals = word.firstIndex(of: UInt8(ascii: "=")),
                let octets = XText.decode(word[(equals + 1)...]),
                let value = String(validating: octets, as: UTF8.self),
                !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
            else { throw .badParameter }
            let keyword = String(decoding: word[..<equals].map(ServerCommandParser.upperCase), as: UTF8.self)
            guard try self.read(keyword, value) else { throw .badParameter }
        }
    }

    private mutating func read(_ keyword: String, _ value: String) throws(CommandSyntaxError) -> Bool {
        let isUnavailable = value.isEmpty || ["[UNAVAILABLE]", "[TEMPUNAVAIL]"].contains(value.uppercased())
        func fact<T>(_ known: T?) throws(CommandSyntaxError) -> Fact<T> {
            if isUnavailable { return .unavailable }
            guard let known else { throw .badParameter }
            return .told(known)
        }
        switch keyword {
        case "NAME": self.name = try fact(value)
        case "ADDR": self.address = try fact(XClientFacts.readAddress(value))
        case "PORT": self.port = try fact(UInt16(value))
        case "HELO": self.helo = try fact(value)
        case "LOGIN": self.login = try fact(value)
        case "DESTADDR": self.localAddress = try fact(XClientFacts.readAddress(value))
        case "DESTPORT": self.localPort = try fact(UInt16(value))
        case "PROTO":
            guard ["SMTP", "ESMTP"].contains(value.uppercased()) || isUnavailable else { return false }
            self.isExtended = try fact(value.uppercased() == "ESMTP")
        default: return false
        }
        return true
    }

    /// IPv6 addresses come with the prefix `IPV6:`.
    private static func readAddress(_ value: String) -> IPAddress? {
        value.uppercased().hasPrefix("IPV6:") ? IPAddress(value.dropFirst(5)) : IPAddress(value)
    }

    /// The client as the proxy describes it. An address that the proxy does not know stays the proxy's own, so that
    /// limits by address keep working.
    func applied(to client: ClientIdentity) -> ClientIdentity {
        var result = client
        result.helo = nil
        if case .told(let address) = self.address {
            result.address = address
            result.port = 0
            result.reverseName = nil
        }
        if case .told(let port) = self.port { result.port = port }
        if case .told(let address) = self.localAddress { result.localAddress = address }
        if case .told(let port) = self.localPort { result.localPort = port }
        if case .told(let helo) = self.helo { result.helo = helo }
        if case .told(let isExtended) = self.isExtended { result.isExtended = isExtended }
        XClientFacts.apply(self.name, to: &result.reverseName)
        XClientFacts.apply(self.login, to: &result.login)
        return result
    }

    private static func apply(_ fact: Fact<String>, to value: inout String?) {
        switch fact {
        case .notTold: break
        case .unavailable: value = nil
        case .told(let text): value = text
        }
    }
}
