import MailTypes

/// Answers from records that a test gives; names without any do not exist.
struct ZoneResolver: DNSResolver {
    enum Entry: Hashable, Sendable {
        case record(DNSRecordType, DNSRecord)
        case alias(DNSName)
        /// Questions of that type are not answered; nil: of any type that has no record.
        case timeout(DNSRecordType?)
    }

    var zone: [DNSName: [Entry]] = [:]

    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse {
        self.answer(name, type, depth: 0)
    }

    private func answer(_ name: DNSName, _ type: DNSRecordType, depth: Int) -> DNSResponse {
        guard let entries = self.zone[name] else { return DNSResponse(.noName) }
        let records = entries.compactMap { entry -> DNSRecord? in
            if case .record(type, let record) = entry { record } else { nil }
        }
        if entries.contains(.timeout(type)) || (records.isEmpty && entries.contains(.timeout(nil))) {
            return DNSResponse(.failure(.timeout))
        }
        if records.isEmpty, depth < 8 {
            for case .alias(let target) in entries { return self.answer(target, type, depth: depth + 1) }
        }
        return DNSResponse(records.isEmpty ? .noData : .found(records), timeToLive: 60)
    }
}
