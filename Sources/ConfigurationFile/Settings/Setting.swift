/// What may stand as the value of a setting.
enum SettingType: Sendable {
    case text
    case path
    /// A fraction is allowed; `off` for none.
    case score
    case boolean
    case number(NumberUnit, ClosedRange<Int>)
    case choice([String])
    /// `name:port`; the port may be left out.
    case host(defaultPort: UInt16)
    /// As `host`, but an address.
    case listenAddress
    case network
    /// An address, a domain or a network.
    case sender
    case domain
    /// `local@domain`.
    case mailbox
    case clamd
    case policyName
    indirect case list(SettingType)
    /// A map with keys that stand in the table.
    case section
    case sections
    /// A map with keys of the administrator's choice, each a section.
    case namedSections
    /// A map with keys of the administrator's choice, each a value.
    indirect case named(SettingType)

    var isContainer: Bool {
        switch self {
        case .list, .section, .sections, .namedSections, .named: true
        case .text, .path, .score, .boolean, .number, .choice, .host, .listenAddress, .network, .sender, .domain, .mailbox,
            .clamd,
            .policyName:
            false
        }
    }
}

/// How a number is written, and what one unit of the value in `GatewayConfiguration` stands for.
enum NumberUnit: Sendable {
    case count
    case octets
    case kibibytes
    case milliseconds
    case seconds
    case days

    /// Octets or milliseconds in one unit.
    var factor: Int {
        switch self {
        case .count, .octets, .milliseconds: 1
        case .kibibytes: 1_024
        case .seconds: 1_000
        case .days: 86_400_000
        }
    }
}

/// One setting: what it is called, what it takes, what it means.
struct Setting: Sendable {
    /// `listeners[].tls.certificate`; `[]` stands for an index, `*` for a name of the administrator's choice.
    var path: String
    var type: SettingType
    /// As one would write it; nil: none.
    var defaultText: String?
    var isRequired: Bool
    var documentation: String

    /// A setting that has a default.
    init(_ path: String, _ type: SettingType, _ defaultText: String, _ documentation: String) {
        self.path = path
        self.type = type
        self.defaultText = defaultText
        self.isRequired = false
        self.documentation = documentation
    }

    init(_ path: String, _ type: SettingType, required: Bool = false, _ documentation: String) {
        self.path = path
        self.type = type
        self.defaultText = nil
        self.isRequired = required
        self.documentation = documentation
    }

    /// The last name of the path.
    var key: String { String(self.path[(self.path.lastIndex(of: ".").map(self.path.index(after:)) ?? self.path.startIndex)...]) }
}
