import MailMessage

/// What rule files say of addresses in the sender's name (SpamAssassin's FromNameSpoof).
struct NameSpoofSettings: Sendable {
    /// What `check_fromname_spoof` asks for beside another address.
    enum Level: Int, Hashable, Sendable {
        case address = 0
        /// Another owner: the same name under another top-level domain is none.
        case owner = 1
        case domain = 2
    }

    private(set) var level = Level.owner
    /// Octets that the name may have beside the address; those other than letters and digits count twice.
    private(set) var maximumRest = 50
    /// Signers (DKIM) and header fields whose mail is left alone.
    private(set) var ignoredSigners: Set<String> = []
    private(set) var ignoredFields: Set<String> = []
    /// Who has addresses that belong together.
    private var owners: [(name: [UInt8], addresses: AddressTable<Void>)] = []

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        var lists: [String: Set<String>] = [:]
        for entry in settings.entries(of: Self.keywords) {
            let words = entry.line.words
            let isUsed: Bool =
                switch entry.keyword {
                case "fns_check": Self.set(&self.level, words.first.flatMap(Int.init).flatMap(Level.init))
                case "fns_extrachars": Self.set(&self.maximumRest, words.first.flatMap(Int.init))
                case "fns_ignore_dkim": Self.add(words.map { $0.lowercased() }, to: &self.ignoredSigners)
                case "fns_ignore_headers": Self.add(words, to: &self.ignoredFields)
                default: Self.change(&lists, entry)
                }
            if !isUsed { problems.append(ListLine.problem(entry, Self.hints[entry.keyword] ?? "words are expected")) }
        }
        // One address in two lists is the first one's.
        self.owners = lists.sorted { $0.key < $1.key }.map { (Array($0.key.utf8), AddressTable($0.value)) }
    }

    private static let keywords: Set<String> = [
        "fns_add_addrlist", "fns_check", "fns_extrachars", "fns_ignore_dkim", "fns_ignore_headers", "fns_remove_addrlist",
    ]

    private static let hints = [
        "fns_check": "0, 1 or 2",
        "fns_extrachars": "a number",
        "fns_add_addrlist": "as in fns_add_addrlist (NAME) *@example.org",
        "fns_remove_addrlist": "as in fns_remove_addrlist (NAME) *@example.org",
    ]

    private static func set<Value>(_ place: inout Value, _ value: Value?) -> Bool {
        guard let value else { return false }
        place = value
        return true
    }

    private static func add(_ words: [String], to set: inout Set<String>) -> Bool {
        set.formUnion(words)
        return !words.isEmpty
    }

    private static func change(_ lists: inout [String: Set<String>], _ entry: RuleSettings.Entry) -> Bool {
        guard let (list, words) = ListLine.named(entry.line) else { return false }
        let addresses = words.map { $0.lowercased() }
        if entry.keyword == "fns_add_addrlist" {
            lists[list.lowercased(), default: []].formUnion(addresses)
        } else {
            lists[list.lowercased()]?.subtract(addresses)
        }
        return true
    }

    /// Who has an address: as a list says of it or of the same name at its domain, else the domain's first label.
    func owner(of address: [UInt8], at domain: [UInt8]) -> [UInt8] {
        if let owner = self.owners.first(where: { $0.addresses.contains(address) }) { return owner.name }
        if let at = address.firstIndex(of: 0x40), at > 0 {
            let shorter = address[...at] + domain
            if let owner = self.owners.first(where: { $0.addresses.contains(Array(shorter)) }) { return owner.name }
        }
        let label = domain.prefix { $0 != 0x2e }
        return label.isEmpty || label.count == domain.count ? domain : Array(label)
    }
}
