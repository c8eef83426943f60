import MailTypes

/// Answers from lines like `2.0.0.127.bl.example A 127.0.0.2`; names without any do not exist, and `?` in place of a type is never
/// answered.
struct ZoneText: DNSResolver {
    private var records: [DNSName: [(type: DNSRecordType, record: DNSRecord)]] = [:]
    private var silent: Set<DNSName> = []

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            guard let name = DNSName(words[0]) else { continue }
            guard words.count > 2 else {
                self.silent.insert(name)
                continue
            }
            let value = words[2]
            let entry: (DNSRecordType, DNSRecord)?
            switch words[1] {
            case "A": entry = IPAddress(value).map { (.a, .address($0)) }
            case "AAAA": entry = IPAddress(value).map { (.aaaa, .address($0)) }
            case "TXT": entry = (.txt, .text([Array(value.utf8)]))
            case "PTR": entry = DNSName(value).map { (.ptr, .name($0)) }
            default: entry = (.mx, .mailExchange(preference: 0, exchange: DNSName(value) ?? .root))
            }
            if let entry { self.records[name, default: []].append(entry) }
        }
    }

    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse {
        if self.silent.contains(name) { return DNSResponse(.failure(.timeout)) }
        guard let known = self.records[name] else { return DNSResponse(.noName) }
        let found = known.filter { $0.type == type }.map(\.record)
        return DNSResponse(found.isEmpty ? .noData : .found(found), timeToLive: 60)
    }
}
