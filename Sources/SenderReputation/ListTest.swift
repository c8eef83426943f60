import MailTypes

/// Looks whether a list works, by the entries that lists have for that (RFC 5782 §5): 127.0.0.2 is listed and 127.0.0.1 is not, of
/// names `TEST` is and `INVALID` is not. A list that has been given up often lists everything.
package struct ListTest<Resolver: DNSResolver>: Sendable {
    package enum Outcome: Hashable, Sendable {
        case works
        /// The list is not to be used.
        case fails(String)
        /// The DNS gave no answer: nothing is known of the list.
        case unanswered
    }

    private let resolver: Resolver

    package init(resolver: Resolver) {
        self.resolver = resolver
    }

    package func run(_ list: DNSList) async -> Outcome {
        guard list.hasTestPoints else { return .works }
        let listed = IPAddress(v4: 0x7f00_0002)
        var points: [(labels: [[UInt8]], isListed: Bool, word: String)] = []
        if list.subjects.contains(where: \.isAddress) {
            points += [(listed.listLabels, true, "\(listed)"), (IPAddress.loopback4.listLabels, false, "\(IPAddress.loopback4)")]
        }
        if list.subjects.contains(where: { !$0.isAddress }) {
            points += [([Array("test".utf8)], true, "TEST"), ([Array("invalid".utf8)], false, "INVALID")]
        }
        let questions = points.compactMap { point in list.zone.prefixed(by: point.labels).map { DNSQuestion($0, .a) } }
        guard questions.count == points.count else { return .fails("its name is too long") }
        // At once: who waits for the outcome must not wait for one silence after the other.
        let responses = await self.resolver.answers(to: questions, concurrency: questions.count)
        let byQuestion = Dictionary(responses.map { ($0.question, $0.response) }, uniquingKeysWith: { $1 })
        var outcome = Outcome.works
        for (question, point) in zip(questions, points) {
            guard let records = byQuestion[question]?.records else {
                outcome = .unanswered
                continue
            }
            let answers = records.compactMap { if case .address(let address) = $0 { address } else { nil } }
            if let refusal = answers.first(where: \.isListRefusal) { return .fails("\(refusal): the list does not answer us") }
            let isListed = answers.contains(where: \.isListAnswer)
            if isListed != point.isListed {
                return .fails(point.isListed ? "\(point.word) is not listed" : "\(point.word) is listed")
            }
        }
        return outcome
    }
}
