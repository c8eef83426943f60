import MailTypes

/// A parsed SPF record (RFC 7208 §4.5, §12). Parsing comes before evaluation, so that an error anywhere in a record is found
/// whichever term would have matched (§4.6).
struct SPFRecord: Hashable, Sendable {
    enum Qualifier: UInt8, Hashable, Sendable {
        case pass = 0x2b
        case fail = 0x2d
        case softfail = 0x7e
        case neutral = 0x3f

        var result: SPFResult {
            switch self {
            case .pass: .pass
            case .fail: .fail
            case .softfail: .softfail
            case .neutral: .neutral
            }
        }
    }

    /// `/24//64`: how many leading bits count, for each family.
    struct PrefixLengths: Hashable, Sendable {
        var v4 = 32
        var v6 = 128

        func length(for address: IPAddress) -> Int { address.isIPv4 ? self.v4 : self.v6 }
    }

    enum Mechanism: Hashable, Sendable {
        case all
        case include(SPFMacroString)
        /// nil: the domain at hand.
        case a(SPFMacroString?, PrefixLengths)
        case mx(SPFMacroString?, PrefixLengths)
        case ptr(SPFMacroString?)
        /// nil: no address of the family can lie in it.
        case ip(IPNetwork?)
        case exists(SPFMacroString)
    }

    struct Directive: Hashable, Sendable {
        var qualifier: Qualifier
        var mechanism: Mechanism
        /// As it stands in the record.
        var text: String
    }

    private(set) var directives: [Directive] = []
    private(set) var redirect: SPFMacroString?
    private(set) var explanation: SPFMacroString?

    /// What is wrong with a record: an error that will not go away by itself.
    struct Failure: Error, Hashable {
        var message: String
    }

    static let version = Array("v=spf1".utf8)

    /// Whether a TXT record is one of SPF at all (§4.5).
    static func isRecord(_ text: [UInt8]) -> Bool {
        let start = text.prefix(self.version.count).map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 }
        guard start == self.version else { return false }
        return text.count == self.version.count || text[self.version.count] == UInt8(ascii: " ")
    }

    init(_ text: [UInt8]) throws(Failure) {
        for term in text.dropFirst(Self.version.count).split(separator: UInt8(ascii: " ")) {
            try self.read(Array(term))
        }
    }

    private mutating func read(_ term: [UInt8]) throws(Failure) {
        let shown = String(decoding: term, as: UTF8.self)
        guard term.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Failure(message: "'\(shown)' has octets that are not printable ASCII")
        }
        // A modifier is a name and an equals sign; a mechanism has a colon or slash before any equals sign.
        let nameEnd = term.firstIndex { !($0.isLetterOrDigit || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e) } ?? term.count
        if nameEnd < term.count, term[nameEnd] == UInt8(ascii: "="), nameEnd > 0 {
            return try self.readModifier(name: term[..<nameEnd], value: Array(term[(nameEnd + 1)...]), shown)
        }
        self.directives.append(try Self.directive(term, shown))
    }

    private mutating func readModifier(name: ArraySlice<UInt8>, value: [UInt8], _ shown: String) throws(Failure) {
        guard let first = name.first, first.isLetter else { throw Failure(message: "'\(shown)' is no modifier") }
        switch String(decoding: name, as: UTF8.self).lowercased() {
        case "redirect":
            guard self.redirect == nil else { throw Failure(message: "a second redirect=") }
            self.redirect = try Self.domain(value, shown)
        case "exp":
            guard self.explanation == nil else { throw Failure(message: "a second exp=") }
            self.explanation = try Self.domain(value, shown)
        default:
            // Unknown modifiers are ignored, as far as their syntax is right (§6).
            guard SPFMacroString(value, allowsAllMacros: true) != nil else {
                throw Failure(message: "'\(shown)' has a wrong macro")
            }
        }
    }

    private static func directive(_ term: [UInt8], _ shown: String) throws(Failure) -> Directive {
        var rest = term[...]
        var qualifier = Qualifier.pass
        if let first = rest.first, let given = Qualifier(rawValue: first) {
            qualifier = given
            rest = rest.dropFirst()
        }
        let nameEnd = rest.firstIndex { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") } ?? rest.endIndex
        let name = String(decoding: rest[..<nameEnd], as: UTF8.self).lowercased()
        let argument = Array(rest[nameEnd...])
        return Directive(qualifier: qualifier, mechanism: try self.mechanism(name, argument, shown), text: shown)
    }

    private static func mechanism(_ name: String, _ argument: [UInt8], _ shown: String) throws(Failure) -> Mechanism {
        switch name {
        case "all":
            guard argument.isEmpty else { throw Failure(message: "'\(shown)': all has no argument") }
            return .all
        case "include": return .include(try self.domain(behindColon: argument, shown))
        case "exists": return .exists(try self.domain(behindColon: argument, shown))
        case "a", "mx":
            let (domain, lengths) = try self.domainAndLengths(argument, shown)
            return name == "a" ? .a(domain, lengths) : .mx(domain, lengths)
        case "ptr":
            return .ptr(argument.isEmpty ? nil : try self.domain(behindColon: argument, shown))
        case "ip4", "ip6":
            guard argument.first == UInt8(ascii: ":") else { throw Failure(message: "'\(shown)' has no address") }
            return .ip(try self.network(Array(argument.dropFirst()), isIPv4: name == "ip4", shown))
        default:
            throw Failure(message: "unknown mechanism '\(shown)'")
        }
    }

    private static func domain(behindColon argument: [UInt8], _ shown: String) throws(Failure) -> SPFMacroString {
        guard argument.first == UInt8(ascii: ":") else { throw Failure(message: "'\(shown)' has no domain") }
        return try self.domain(Array(argument.dropFirst()), shown)
    }

    private static func domain(_ text: [UInt8], _ shown: String) throws(Failure) -> SPFMacroString {
        guard let domain = SPFMacroString(text, allowsAllMacros: false), domain.isDomainSpec else {
            throw Failure(message: "'\(shown)' has no valid domain")
        }
        return domain
    }

    /// `[:domain][/n][//m]` (§5.3)
    private static func domainAndLengths(
        _ argument: [UInt8],
        _ shown: String
    ) throws(Failure) -> (SPFMacroString?, PrefixLengths) {
        var rest = argument
        var lengths = PrefixLengths()
        // The prefix lengths are digits behind the last slashes; slashes may also stand in a macro's delimiters.
        if let (length, start) = self.trailingNumber(rest), start >= 2, rest[start - 1] == 0x2f, rest[start - 2] == 0x2f {
            guard let length, length <= 128 else { throw Failure(message: "'\(shown)' has a wrong prefix length") }
            lengths.v6 = length
            rest.removeLast(rest.count - (start - 2))
        }
        if let (length, start) = self.trailingNumber(rest), start >= 1, rest[start - 1] == 0x2f {
            guard let length, length <= 32 else { throw Failure(message: "'\(shown)' has a wrong prefix length") }
            lengths.v4 = length
            rest.removeLast(rest.count - (start - 1))
        }
        guard !rest.isEmpty else { return (nil, lengths) }
        return (try self.domain(behindColon: rest, shown), lengths)
    }

    /// The digits at the end and where they start; the number is nil if it has zeros in front or is long.
    private static func trailingNumber(_ text: [UInt8]) -> (Int?, Int)? {
        let start = (text.lastIndex { !$0.isASCIIDigit } ?? -1) + 1
        guard start < text.count else { return nil }
        return (self.number(text[start...]), start)
    }

    /// Digits without zeros in front, at most three of them.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard let first = digits.first, digits.count <= 3, digits.allSatisfy(\.isASCIIDigit) else { return nil }
        guard digits.count == 1 || first != UInt8(ascii: "0") else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func network(_ text: [UInt8], isIPv4: Bool, _ shown: String) throws(Failure) -> IPNetwork? {
        let slash = text.firstIndex(of: UInt8(ascii: "/"))
        let address = String(decoding: text[..<(slash ?? text.count)], as: UTF8.self)
        guard let base = IPAddress(address), base.isIPv4 == isIPv4 || (!isIPv4 && address.utf8.contains(UInt8(ascii: ":"))) else {
            throw Failure(message: "'\(shown)' has a wrong address")
        }
        var length = isIPv4 ? 32 : 128
        if let slash {
            guard let given = self.number(text[(slash + 1)...]), given <= length else {
                throw Failure(message: "'\(shown)' has a wrong prefix length")
            }
            length = given
        }
        guard base.isIPv4, !isIPv4 else { return IPNetwork(base: base, prefixLength: length) }
        // IPv4 addresses in IPv6 clothes count as IPv4 (§5), so ip6 takes only what else is in a network so wide.
        return length <= 80 ? IPNetwork(base: IPAddress(v6High: 0, low: 0), prefixLength: length) : nil
    }
}

extension UInt8 {
    var isASCIIDigit: Bool { (0x30...0x39).contains(self) }
    var isLetter: Bool { (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self) }
    var isLetterOrDigit: Bool { self.isLetter || self.isASCIIDigit }
}
