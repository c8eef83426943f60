/// How alike the recipients of a message are.
struct RecipientFacts {
    /// There are many, in alphabetical order.
    let areSorted: Bool
    /// Pairs that start alike, in name or host, per pair.
    let likeness: Double

    /// How many there must be to be judged: for their order, for their likeness.
    private static let sortedCount = 7
    private static let likenessCount = 5
    /// Recipients that are compared, each with each.
    private static let maximumCount = 256

    init(_ context: EvalContext) {
        var all: [[UInt8]] = []
        for selector in ["ToCc:addr", "Bcc:addr"] {
            all += context.headers(selector)
            if all.count >= Self.likenessCount { break }
        }
        var addresses: [[UInt8]] = []
        for address in all where address.lowercasedASCII != addresses.last?.lowercasedASCII ?? [] {
            addresses.append(address)
            if addresses.count == Self.maximumCount { break }
        }
        self.areSorted =
            addresses.count >= Self.sortedCount
            && zip(addresses, addresses.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) }
        self.likeness = addresses.count >= Self.likenessCount ? Self.likeness(addresses) : 0
    }

    private static func likeness(_ addresses: [[UInt8]]) -> Double {
        let users = addresses.map { $0.prefix(2) }
        let hosts = addresses.map { $0[($0.firstIndex(of: .at).map { $0 + 1 } ?? $0.count)...] }
        var hits = 0
        var pairs = 0
        for left in addresses.indices {
            for right in (left + 1)..<max(addresses.count, left + 1) {
                if users[left].elementsEqual(users[right]) { hits += 1 }
                if hosts[left].prefix(2).elementsEqual(hosts[right].prefix(2)), !hosts[left].elementsEqual(hosts[right]) {
                    hits += 1
                }
                pairs += 1
            }
        }
        return pairs == 0 ? 0 : Double(hits) / Double(pairs)
    }
}
