/// The types of records that mail asks for.
package enum DNSRecordType: UInt16, Hashable, Sendable, CaseIterable {
    case a = 1
    case ns = 2
    case cname = 5
    case ptr = 12
    case mx = 15
    case txt = 16
    case aaaa = 28
}

/// What stands in a record.
package enum DNSRecord: Hashable, Sendable {
    /// A, AAAA.
    case address(IPAddress)
    /// MX (RFC 5321 §5.1); the exchange is the root in a null MX (RFC 7505).
    case mailExchange(preference: UInt16, exchange: DNSName)
    /// TXT: the strings of the record as they came.
    case text([[UInt8]])
    /// NS, CNAME, PTR.
    case name(DNSName)

    /// The strings of a TXT record as one (RFC 7208 §3.3, RFC 6376 §3.6.2.2).
    package var joinedText: [UInt8]? {
        guard case .text(let strings) = self else { return nil }
        return Array(strings.joined())
    }
}

/// Why a question has no answer. All of them may be gone at the next try.
package enum DNSFailure: Hashable, Sendable {
    case timeout
    /// The server answered with this code: 2 is SERVFAIL, 5 is REFUSED (RFC 1035 §4.1.1).
    case serverFailure(code: Int)
    /// DNSSEC says that the answer is forged or broken.
    case bogus
    /// No packet that can be understood, or the library failed; in its words.
    case failed(String)
}

/// The answer to one question, aliases (CNAME) followed.
package struct DNSResponse: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        /// At least one record.
        case found([DNSRecord])
        /// The name is there and has no such record.
        case noData
        /// There is no such name (NXDOMAIN).
        case noName
        case failure(DNSFailure)
    }

    package var outcome: Outcome
    /// DNSSEC vouches for the answer.
    package var isSecure: Bool
    /// Seconds for which the answer may be kept.
    package var timeToLive: UInt32

    package init(_ outcome: Outcome, isSecure: Bool = false, timeToLive: UInt32 = 0) {
        self.outcome = outcome
        self.isSecure = isSecure
        self.timeToLive = timeToLive
    }

    /// The records, none where there are none; nil when the question could not be answered.
    package var records: [DNSRecord]? {
        switch self.outcome {
        case .found(let records): records
        case .noData, .noName: []
        case .failure: nil
        }
    }

    /// The question was answered, and the answer is that there is nothing.
    package var isVoid: Bool { self.outcome == .noData || self.outcome == .noName }
}

/// Asks the DNS. Checks take one; tests give them zone text.
package protocol DNSResolver: Sendable {
    /// - Returns: within a bounded time; a question that is not answered by then is `.failure(.timeout)`.
    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse
}

extension DNSResolver {
    /// The addresses of a host, of the family of `address` alone.
    package func addresses(of name: DNSName, like address: IPAddress) async -> DNSResponse {
        await self.resolve(name, address.isIPv4 ? .a : .aaaa)
    }
}
