import Gateway
import MailPolicy
import MailTypes

/// Why a text is not what a setting wants.
struct SettingProblem: Error {
    var message: String
    var hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }
}

/// Reads the texts of single values.
enum SettingValue {
    static func text(_ text: String) throws(SettingProblem) -> String {
        guard !text.isEmpty else { throw SettingProblem("is empty") }
        return text
    }

    static func boolean(_ text: String) throws(SettingProblem) -> Bool {
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: throw SettingProblem("`\(text)` is neither true nor false")
        }
    }

    static func score(_ text: String) throws(SettingProblem) -> Double? {
        if text.lowercased() == "off" { return nil }
        guard let score = Double(text), score.isFinite, abs(score) <= 100_000 else {
            throw SettingProblem("`\(text)` is not a score", hint: "a number like 5 or 7.5, or off")
        }
        return score
    }

    static func number(_ text: String, unit: NumberUnit, range: ClosedRange<Int>) throws(SettingProblem) -> Int {
        let amount: Int?
        let hint: String
        switch unit {
        case .count:
            (amount, hint) = (Quantity.count(text), "a whole number without a unit")
        case .octets, .kibibytes:
            (amount, hint) = (Quantity.octets(text), "a size like 25MiB, 10MB, 64KiB or plain octets")
        case .milliseconds, .seconds, .days:
            (amount, hint) = (Quantity.milliseconds(text), "a time like 30s, 5m, 1h, 7d or plain seconds")
        }
        guard let amount else { throw SettingProblem("`\(text)` cannot be read", hint: hint) }
        guard amount % unit.factor == 0 else {
            throw SettingProblem("`\(text)` is too fine", hint: "only whole \(unit.plural) count")
        }
        let value = amount / unit.factor
        guard value >= range.lowerBound else {
            throw SettingProblem("`\(text)` is too small", hint: "at least \(unit.text(range.lowerBound))")
        }
        guard value <= range.upperBound else {
            throw SettingProblem("`\(text)` is too large", hint: "at most \(unit.text(range.upperBound))")
        }
        return value
    }

    static func choice<Choice: CaseIterable & RawRepresentable<String>>(_ text: String) throws(SettingProblem) -> Choice {
        if let value = Choice(rawValue: text) { return value }
        throw self.notAmong(Choice.allCases.map(\.rawValue), text)
    }

    static func notAmong(_ words: [String], _ text: String) -> SettingProblem {
        let nearest = Suggestion.nearest(to: text, among: words).map { "did you mean `\($0)`?" }
        return SettingProblem("`\(text)` is not possible here", hint: nearest ?? "one of: \(words.joined(separator: ", "))")
    }

    // MARK: - Names and addresses

    /// `name`, `name:port`, `192.0.2.1:25`, `[::1]:25`, `::1`.
    static func host(_ text: String, defaultPort: UInt16) throws(SettingProblem) -> GatewayConfiguration.Host {
        let (name, portText) = self.split(text)
        let port = try self.port(portText, default: defaultPort, lowest: 1)
        let lower = name.lowercased()
        let isAddress = IPAddress(name) != nil
        let endsInDigits = lower.split(separator: ".").last.map { $0.allSatisfy(\.isNumber) } ?? true
        guard isAddress || (MailAddress.isDomain(lower) && !lower.hasPrefix("[") && !endsInDigits) else {
            throw SettingProblem("`\(text)` is not a host", hint: "like mail.internal:25, 192.0.2.1:25 or [2001:db8::1]:25")
        }
        return GatewayConfiguration.Host(name: lower, port: port)
    }

    static func listenAddress(_ text: String) throws(SettingProblem) -> (IPAddress, UInt16) {
        let (name, portText) = self.split(text)
        let port = try self.port(portText, default: 25, lowest: 0)
        guard let address = IPAddress(name) else {
            throw SettingProblem("`\(text)` is not an address to listen on", hint: "like 0.0.0.0:25, 127.0.0.1:2525 or [::]:25")
        }
        return (address, port)
    }

    /// - Returns: the host without brackets and what stands behind the colon, if anything does.
    private static func split(_ text: String) -> (String, String?) {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let name = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            return (name, rest.isEmpty ? nil : rest.hasPrefix(":") ? String(rest.dropFirst()) : String(rest))
        }
        if IPAddress(text) != nil { return (text, nil) }
        guard let colon = text.lastIndex(of: ":") else { return (text, nil) }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    private static func port(_ text: String?, default: UInt16, lowest: UInt16) throws(SettingProblem) -> UInt16 {
        guard let text else { return `default` }
        guard let port = UInt16(text), port >= lowest, text.allSatisfy(\.isNumber) else {
            throw SettingProblem("`\(text)` is not a port", hint: "a number from \(lowest) to 65535")
        }
        return port
    }

    static func network(_ text: String) throws(SettingProblem) -> IPNetwork {
        guard let network = IPNetwork(text) else {
            throw SettingProblem("`\(text)` is not a network", hint: "like 192.0.2.0/24, 2001:db8::/32 or a single address")
        }
        let address = text.split(separator: "/").first.flatMap { IPAddress($0) }
        guard address == network.base else {
            throw SettingProblem(
                "`\(text)` has bits set behind its prefix",
                hint: "write \(network), or a single address without a prefix"
            )
        }
        return network
    }

    /// An address with a domain that has a name.
    static func mailbox(_ text: String) throws(SettingProblem) -> MailAddress {
        guard let address = MailAddress(text), !address.domain.isEmpty, !address.domain.hasPrefix("[") else {
            throw SettingProblem("`\(text)` is not an address", hint: "like postmaster@example.com")
        }
        return address
    }

    /// A name of our own: no wildcard, no literal.
    static func hostname(_ text: String) throws(SettingProblem) -> String {
        let name = text.lowercased()
        guard MailAddress.isDomain(name), !name.hasPrefix("["), IPAddress(name) == nil else {
            throw SettingProblem("`\(text)` is not a host name", hint: "the full name, like mx1.example.com")
        }
        return name
    }

    /// `example.com` or `*.example.com`.
    static func domainPattern(_ text: String) throws(SettingProblem) -> String {
        let name = text.lowercased()
        if name == "*" {
            throw SettingProblem("mail for every domain would make an open relay", hint: "name the domains")
        }
        let bare = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
        guard MailAddress.isDomain(bare), !bare.hasPrefix("["), IPAddress(bare) == nil else {
            throw SettingProblem("`\(text)` is not a domain", hint: "like example.com or *.example.com")
        }
        return name
    }

    static func dnsServer(_ text: String) throws(SettingProblem) -> String {
        let host = try self.host(text, defaultPort: 53)
        guard IPAddress(host.name) != nil else {
            throw SettingProblem("`\(text)` is not an address", hint: "a name server cannot be looked up by name")
        }
        return host.description
    }

    static func clamd(_ text: String) throws(SettingProblem) -> String {
        if text.hasPrefix("unix:") {
            guard text.dropFirst(5).hasPrefix("/") else {
                throw SettingProblem("`\(text)` is not a socket", hint: "the full path, like unix:/run/clamav/clamd.ctl")
            }
            return text
        }
        if text.hasPrefix("/") { throw SettingProblem("`\(text)` is not a socket", hint: "write unix:\(text)") }
        return try self.host(text, defaultPort: 3_310).description
    }

    /// A recipient with its own policy: `user@example.com` or `user@`; folded.
    static func recipient(_ text: String) throws(SettingProblem) -> String {
        let isEverywhere = text.hasSuffix("@")
        guard let address = MailAddress(isEverywhere ? text + "example.com" : text, allowUTF8: true), !address.domain.isEmpty
        else {
            throw SettingProblem(
                "`\(text)` is not an address",
                hint: "like user@example.com, or user@ for every domain of the entry"
            )
        }
        return isEverywhere ? address.localPart.lowercased() + "@" : address.folded
    }
}

extension NumberUnit {
    fileprivate var plural: String {
        switch self {
        case .count: "numbers"
        case .octets: "octets"
        case .kibibytes: "KiB"
        case .milliseconds: "milliseconds"
        case .seconds: "seconds"
        case .days: "days"
        }
    }

    /// A value as one would write it.
    func text(_ value: Int) -> String {
        switch self {
        case .count: "\(value)"
        case .octets, .kibibytes: Quantity.octetsText(value * self.factor)
        case .milliseconds, .seconds, .days: Quantity.millisecondsText(value * self.factor)
        }
    }
}
