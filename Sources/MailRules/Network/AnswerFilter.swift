import MailTypes
import PatternKit

/// What an answer of the DNS must be for a rule to hit.
enum AnswerFilter: Sendable {
    case any
    case address(AddressTest)
    case text([UInt8])
    case pattern(Pattern)
    /// Response codes, whatever the records (RFC 1035 §4.1.1).
    case responseCodes(Set<Int>)

    /// The last argument of `check_rbl` and its relatives: an address, a number as a mask of bits, or a pattern without
    /// delimiters.
    init(subtest text: String) throws(PatternError) {
        let isPlain = text.utf8.allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") }
        if isPlain, let test = AddressTest(text) {
            self = .address(test)
        } else {
            self = .pattern(try Pattern(text))
        }
    }

    /// - Parameter response: for response codes alone.
    func matches(_ record: DNSRecord, _ matcher: PatternMatcher) -> Bool {
        switch self {
        case .any:
            guard case .address(let address) = record else { return true }
            return !address.isListRefusal
        case .address(let test):
            guard case .address(let address) = record else { return false }
            // A refusal has nearly all bits set, and says nothing of who was asked about.
            if case .anyBit = test, address.isListRefusal { return false }
            return test.matches(address)
        case .text(let text): return record.octets == text
        case .pattern(let pattern):
            if case .match = matcher.search(pattern, in: record.octets) { return true }
            return false
        case .responseCodes: return false
        }
    }
}

extension DNSRecord {
    /// The record's data as rules see it.
    var octets: [UInt8] {
        switch self {
        case .address(let address): Array(address.description.utf8)
        case .text: self.joinedText ?? []
        case .mailExchange(let preference, let exchange): Array("\(preference) \(exchange).".utf8)
        case .name(let name): Array("\(name).".utf8)
        }
    }
}

extension DNSResponse {
    /// RFC 1035 §4.1.1; nil when nobody answered.
    var responseCode: Int? {
        switch self.outcome {
        case .found, .noData: 0
        case .noName: 3
        case .failure(.serverFailure(let code)): code
        case .failure: nil
        }
    }
}
