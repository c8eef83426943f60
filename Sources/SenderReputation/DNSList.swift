import MailTypes

/// A block or allow list in the DNS (RFC 5782), and what its answers mean.
package struct DNSList: Hashable, Sendable {
    /// Answers that mean something of their own.
    package struct Code: Hashable, Sendable {
        package var match: AddressTest
        /// nil: that of the list.
        package var weight: Double?
        package var meaning: String

        package init(match: AddressTest, weight: Double? = nil, meaning: String = "") {
            self.match = match
            self.weight = weight
            self.meaning = meaning
        }
    }

    /// What becomes of one answer.
    enum Reading: Hashable, Sendable {
        case listed(weight: Double, meaning: String)
        case error(String)
    }

    package var zone: DNSName
    /// The rule name that its entries count under: `DNSLIST_ZEN`.
    package var symbol: String
    package var subjects: Set<ListSubject>
    /// What an entry adds to a message's score; below zero for allow lists.
    package var weight: Double
    /// Empty: every address of 127.0.0.0/8 but 127.0.0.1 is an entry.
    package var codes: [Code]
    /// The list has the entries for tests that RFC 5782 §5 asks for.
    package var hasTestPoints: Bool

    package init(
        zone: DNSName,
        symbol: String,
        subjects: Set<ListSubject> = [.client],
        weight: Double = 0,
        codes: [Code] = [],
        hasTestPoints: Bool = true
    ) {
        self.zone = zone
        self.symbol = symbol
        self.subjects = subjects
        self.weight = weight
        self.codes = codes
        self.hasTestPoints = hasTestPoints
    }

    /// `zen.spamhaus.org` counts as `DNSLIST_ZEN_SPAMHAUS_ORG` where the configuration gives no name.
    package static func symbol(_ name: some StringProtocol) -> String {
        let words = name.utf8.map { octet -> Character in
            let isWord = (0x30...0x39).contains(octet) || (0x41...0x5a).contains(octet) || (0x61...0x7a).contains(octet)
            return isWord ? Character(Unicode.Scalar(octet)) : "_"
        }
        return "DNSLIST_" + String(words).uppercased()
    }

    /// The first code that fits decides.
    func reading(of answer: IPAddress) -> Reading {
        if answer.isListRefusal { return .error("\(answer): the list does not answer us") }
        guard answer.isListAnswer else { return .error("\(answer): no answer of a list") }
        if let code = self.codes.first(where: { $0.match.matches(answer) }) {
            return .listed(weight: code.weight ?? self.weight, meaning: code.meaning)
        }
        guard self.codes.isEmpty, answer != .loopback4 else { return .error("\(answer): an answer that is not expected") }
        return .listed(weight: self.weight, meaning: "")
    }
}

/// A question to a list.
package struct ListInquiry: Hashable, Sendable {
    package var list: DNSList
    package var subject: ListSubject
    /// The name or address as people write it.
    package var value: String
    package var name: DNSName

    /// nil: the list is not about such names, or the whole would be no name.
    package init?(_ list: DNSList, _ subject: ListSubject, domain: some Collection<UInt8>) {
        guard !subject.isAddress, list.subjects.contains(subject), let domain = DNSName(domain), domain.labels.count > 1,
            let name = list.zone.prefixed(by: domain.labels)
        else { return nil }
        self.list = list
        self.subject = subject
        self.value = domain.description
        self.name = name
    }

    /// nil: the list is not about such addresses.
    package init?(_ list: DNSList, _ subject: ListSubject, address: IPAddress) {
        guard subject.isAddress, list.subjects.contains(subject),
            let name = list.zone.prefixed(by: address.listLabels)
        else { return nil }
        self.list = list
        self.subject = subject
        self.value = address.description
        self.name = name
    }
}
