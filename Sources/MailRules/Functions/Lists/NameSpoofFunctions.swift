import MailMessage
import MailTypes

/// Addresses that senders give as their names (SpamAssassin's FromNameSpoof).
enum NameSpoofFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("check_fromname_spoof", plugin: "FromNameSpoof") { arguments in
            let level = arguments[0].flatMap(Int.init).flatMap(NameSpoofSettings.Level.init)
            return { EvalOutcome($0.senderName.isSpoof(level ?? $0.settings.nameSpoof.level)) }
        },
        function("contains_email") { $0.hasAddress },
        function("different") { $0.differs?.address == true },
        function("domain_differ") { $0.differs?.domain == true },
        function("owners_differ") { $0.differs?.owner == true },
        function("equals_to") { $0.isRecipient },
        function("equals_replyto") { $0.isReplyTo },
    ]

    private static func function(_ name: String, _ test: @escaping @Sendable (SenderName) -> Bool) -> EvalFunction {
        EvalFunction("check_fromname_" + name, plugin: "FromNameSpoof") { _ in { EvalOutcome(test($0.senderName)) } }
    }
}

extension EvalContext {
    fileprivate var senderName: SenderName { self.facts(SenderName.init) }
}

/// The address in the name of the sender, beside the sender's own.
private struct SenderName {
    /// There is one, below a known top-level domain.
    private(set) var hasAddress = false
    /// What is another in it than in the sender's; nil where it was not compared: it is not most of the name, or such mail is
    /// left alone.
    private(set) var differs: (address: Bool, domain: Bool, owner: Bool)?
    private(set) var isReplyTo = false
    private(set) var isRecipient = false

    init(_ context: EvalContext) {
        let settings = context.settings.nameSpoof
        let signers = context.envelope.authentication?.dkimDomains ?? []
        guard !signers.contains(where: { settings.ignoredSigners.contains($0.lowercased()) }) else { return }
        guard !settings.ignoredFields.contains(where: { context.header($0) != nil }) else { return }
        let sender = context.first("From:addr").lowercasedASCII
        guard let senderDomain = context.domain(of: sender) else { return }
        let name = context.first("From:name").lowercasedASCII
        guard let address = Self.address(in: name), let domain = context.domain(of: address) else { return }
        self.hasAddress = true
        let rest = name.count - address.count + Self.signs(name) - Self.signs(address)
        guard rest <= settings.maximumRest else { return }
        self.differs = (
            address != sender, domain != senderDomain,
            settings.owner(of: address, at: domain) != settings.owner(of: sender, at: senderDomain)
        )
        self.isReplyTo = context.first("Reply-To:addr").lowercasedASCII == address
        self.isRecipient = context.namedAddresses.recipients.contains(address)
    }

    func isSpoof(_ level: NameSpoofSettings.Level) -> Bool {
        guard let differs, differs.address else { return false }
        return switch level {
        case .address: true
        case .owner: differs.owner
        case .domain: differs.domain
        }
    }

    /// Octets that are neither letters nor digits.
    private static func signs(_ text: [UInt8]) -> Int { text.count { !$0.isLetter && !$0.isDigit } }

    // MARK: - Addresses

    /// The first that starts at the edge of a word, with a domain of two labels that ends with a word.
    private static func address(in name: [UInt8]) -> [UInt8]? {
        var behindLast = 0
        while let at = name[behindLast...].firstIndex(of: 0x40) {
            defer { behindLast = at + 1 }
            guard let end = self.domainEnd(name, at + 1) else { continue }
            var start = at
            while start > behindLast, self.isLocal(name[start - 1]) { start -= 1 }
            while start < at, (start > 0 && name[start - 1].isWord) == name[start].isWord { start += 1 }
            if start < at { return Array(name[start..<end]) }
        }
        return nil
    }

    private static func domainEnd(_ name: [UInt8], _ start: Int) -> Int? {
        let domain = name[start...].prefix { $0.isWord || $0 == 0x2e || $0 == 0x2d }
        guard let first = domain.first, first.isWord, let last = domain.last, last.isWord else { return nil }
        guard let dot = domain.firstIndex(of: 0x2e), dot + 2 < domain.endIndex, domain[dot + 1].isWord else { return nil }
        return domain.endIndex
    }

    private static func isLocal(_ octet: UInt8) -> Bool { octet.isWord || self.localSigns.contains(octet) }

    private static let localSigns = Set(".!#$%&'*+/=?^`{|}~-".utf8)
}

extension EvalContext {
    /// The registered domain of an address.
    fileprivate func domain(of address: [UInt8]) -> [UInt8]? {
        self.settings.registrars.domain(ofURI: LinkText.mailto + address)?.domain
    }
}
