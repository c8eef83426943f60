import MailTypes

/// What lists said.
package struct ListFindings: Hashable, Sendable {
    /// In the order of the inquiries.
    package var entries: [DNSListEntry]
    package var failures: [ListFailure]

    package init(entries: [DNSListEntry] = [], failures: [ListFailure] = []) {
        self.entries = entries
        self.failures = failures
    }
}

/// Asks lists about what stands before them, several questions at once.
package struct ListChecker<Resolver: DNSResolver>: Sendable {
    /// Questions on their way at once for one message: more would let one message with many links push others out of the
    /// resolver's queue, and ten lists about a client and its names stay below it.
    package static var concurrency: Int { 32 }
    /// Characters of a list's own words that are kept: a reply line has 512 octets (RFC 5321 §4.5.3.1.5) and says other things,
    /// too.
    package static var textLength: Int { 200 }

    private let resolver: Resolver

    package init(resolver: Resolver) {
        self.resolver = resolver
    }

    package func ask(_ inquiries: [ListInquiry]) async -> ListFindings {
        var answers = [ListFindings?](repeating: nil, count: inquiries.count)
        await withTaskGroup(of: (Int, ListFindings).self) { group in
            var next = 0
            func start() {
                guard next < inquiries.count else { return }
                let index = next
                next += 1
                group.addTask { (index, await self.ask(inquiries[index])) }
            }
            for _ in 0..<min(Self.concurrency, inquiries.count) { start() }
            for await (index, outcome) in group {
                answers[index] = outcome
                start()
            }
        }
        var result = ListFindings()
        for case let answer? in answers {
            result.entries += answer.entries
            result.failures += answer.failures
        }
        return result
    }

    private func ask(_ inquiry: ListInquiry) async -> ListFindings {
        let list = inquiry.list
        var result = ListFindings()
        guard let records = await self.resolver.resolve(inquiry.name, .a).records else {
            result.failures.append(ListFailure(list: list.symbol, reason: "no answer about \(inquiry.value)"))
            return result
        }
        for case .address(let code) in records {
            switch list.reading(of: code) {
            case .error(let reason):
                result.failures.append(ListFailure(list: list.symbol, reason: reason))
            case .listed(let weight, let meaning):
                result.entries.append(
                    DNSListEntry(
                        list: list.symbol,
                        zone: "\(list.zone)",
                        subject: inquiry.subject,
                        value: inquiry.value,
                        code: code,
                        weight: weight,
                        meaning: meaning
                    )
                )
            }
        }
        // Only who is listed wants to know why.
        guard !result.entries.isEmpty else { return result }
        let text = await self.resolver.resolve(inquiry.name, .txt).records?.lazy.compactMap(\.joinedText).first
        let words = text.map(Self.printable) ?? ""
        for index in result.entries.indices { result.entries[index].text = words }
        return result
    }

    private static func printable(_ text: [UInt8]) -> String {
        String(
            String.UnicodeScalarView(text.prefix(self.textLength).map { Unicode.Scalar((0x20...0x7e).contains($0) ? $0 : 0x3f) })
        )
    }
}
