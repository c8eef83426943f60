import MailMessage

/// Functions that ask whether a message came through the relays that its sender's addresses come through.
enum WelcomelistRelays {
    static let all: [EvalFunction] = [
        function("check_from_in_welcomelist") { $0.listed == .listed },
        function("check_from_in_whitelist") { $0.listed == .listed },
        function("check_forged_in_welcomelist") { $0.listed == .forged && $0.listedByDefault == .unlisted },
        function("check_forged_in_whitelist") { $0.listed == .forged && $0.listedByDefault == .unlisted },
        function("check_from_in_default_welcomelist") { $0.listedByDefault == .listed },
        function("check_from_in_default_whitelist") { $0.listedByDefault == .listed },
        function("check_forged_in_default_welcomelist") { $0.listedByDefault == .forged && $0.listed == .unlisted },
        function("check_forged_in_default_whitelist") { $0.listedByDefault == .forged && $0.listed == .unlisted },
        EvalFunction("check_mailfrom_matches_rcvd", plugin: "WLBLEval") { _ in { EvalOutcome($0.envelopeMatchesRelay) } },
    ]

    private static func function(_ name: String, _ test: @escaping @Sendable (SenderListing) -> Bool) -> EvalFunction {
        EvalFunction(name, plugin: "WLBLEval") { _ in { EvalOutcome(test($0.facts(SenderListing.init))) } }
    }
}

/// What the lists say of a message's senders.
struct SenderListing {
    enum Answer {
        case listed
        case unlisted
        /// An address is listed with relays, and the message came through none of them.
        case forged
    }

    let listed: Answer
    let listedByDefault: Answer

    init(_ context: EvalContext) {
        let lists = context.settings.addressLists
        let senders = context.namedAddresses.senders
        let relays = context.handingRelays
        let byRelay = { (table: AddressTable<[RelayPattern]>, address: [UInt8]) -> Answer in
            guard !relays.isEmpty, !table.isEmpty else { return .unlisted }
            var isForged = false
            let isListed = table.visit(address) { patterns in
                isForged = true
                return patterns.contains { pattern in
                    relays.contains { pattern.matches(address: $0.address, name: $0.name) }
                }
            }
            if isListed { return .listed }
            return isForged && lists["welcomelist_allows_relays"]?.contains(address) != true ? .forged : .unlisted
        }
        self.listed = Self.combined(senders) { address in
            lists["welcomelist_from"]?.contains(address) == true ? .listed : byRelay(lists.fromRelays, address)
        }
        self.listedByDefault = Self.combined(senders) { byRelay(lists.fromRelaysByDefault, $0) }
    }

    private static func combined(_ senders: [[UInt8]], _ answer: ([UInt8]) -> Answer) -> Answer {
        let answers = senders.map(answer)
        return answers.contains(.listed) ? .listed : answers.contains(.forged) ? .forged : .unlisted
    }
}

extension EvalContext {
    /// A relay by its address and, in lower case, the name that belongs to it; either can be empty.
    typealias NamedRelay = (address: String, name: [UInt8])

    /// The relay that handed the message to us: the first that is not trusted; where all are, each of them could have.
    var handingRelays: [NamedRelay] {
        let relays = self.relays.untrusted.first.map { [$0] } ?? self.relays.trusted
        return relays.map { (String(decoding: $0.ip, as: UTF8.self), $0.reverseName.map(\.lowercased)) }
    }

    /// The envelope's sender is of the domain that one of those relays belongs to.
    fileprivate var envelopeMatchesRelay: Bool {
        guard let sender = self.addresses("EnvelopeFrom:addr").first, let at = sender.lastIndex(of: 0x40) else { return false }
        let host = sender[(at + 1)...]
        guard let dot = host.dropFirst().firstIndex(of: 0x2e), dot + 1 < host.endIndex else { return false }
        let domain = self.settings.registrars.registeredDomain(of: host)
        return self.handingRelays.contains {
            !$0.name.isEmpty && self.settings.registrars.registeredDomain(of: $0.name) == domain
        }
    }
}
