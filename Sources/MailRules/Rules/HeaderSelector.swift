import MailMessage
import Synchronization

/// What of a header section a rule looks at: `Subject`, `From:addr`, `ALL:raw`, `ToCc`, `Received:ip:last`.
package struct HeaderSelector: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        case field(HeaderName)
        case all
        /// The fields that hosts of one side wrote, as far as Received fields tell (`ALL-TRUSTED`).
        case allOf(RelaySide)
        case toCc
        case messageID
        case envelopeFrom
        /// The hops of one side (`X-Spam-Relays-Untrusted`).
        case relays(RelaySide)
    }

    /// A part of the way that a message took.
    package enum RelaySide: String, Hashable, Sendable, CaseIterable {
        case trusted
        case untrusted
        case `internal`
        case external
    }

    package enum Extract: Hashable, Sendable {
        case value
        case addresses
        case names
    }

    /// What is taken out of each value, or of each address of it.
    package enum Detail: Hashable, Sendable {
        case whole
        case host
        /// The registered domain of the host.
        case domain
        case ip
        /// As block lists ask for it: `1.2.0.192` for 192.0.2.1.
        case reversedIP
    }

    package enum Choice: Hashable, Sendable {
        case every
        case first
        case last
    }

    private struct Meaning: Hashable {
        var source: Source
        var extract: Extract = .value
        var detail: Detail = .whole
        var choice: Choice = .every
        var isRaw = false
    }

    private let meaning: Meaning
    /// Selectors of one meaning have one number, counted from 0 through the process: what belongs to them is found in an array.
    let number: Int

    /// There are as many as rule files and functions name.
    private static let numbers = Mutex<[Meaning: Int]>([:])

    package var source: Source { self.meaning.source }
    package var extract: Extract { self.meaning.extract }
    package var detail: Detail { self.meaning.detail }
    package var choice: Choice { self.meaning.choice }
    /// As it stands in the message: encoded words and folding are left.
    package var isRaw: Bool { self.meaning.isRaw }

    package static func == (left: HeaderSelector, right: HeaderSelector) -> Bool { left.number == right.number }

    package func hash(into hasher: inout Hasher) { hasher.combine(self.number) }

    /// Why a selector cannot be used.
    enum Failure: Error {
        case invalidName
        case unknownModifier(String)
        /// SpamAssassin knows it, we do not.
        case unavailable(String)
    }

    /// Reads `Name`, `Name:raw`, `Name:addr:first` ….
    init(_ text: String) throws(Failure) {
        var pieces = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let name = pieces.removeFirst()
        guard !name.isEmpty, name.utf8.allSatisfy({ $0.isWord || $0 == 0x2d || $0 == 0x2e }) else { throw .invalidName }
        var meaning = Meaning(source: HeaderSelector.source(name))
        for piece in pieces where !piece.isEmpty {
            switch piece.lowercased() {
            case "raw": meaning.isRaw = true
            // Addresses are more than names, domains more than hosts.
            case "addr": meaning.extract = .addresses
            case "name": if meaning.extract == .value { meaning.extract = .names }
            case "host": if meaning.detail != .domain { meaning.detail = .host }
            case "domain": meaning.detail = .domain
            case "ip": if meaning.detail == .whole { meaning.detail = .ip }
            case "revip": if meaning.detail == .whole || meaning.detail == .ip { meaning.detail = .reversedIP }
            case "first": meaning.choice = .first
            case "last": if meaning.choice == .every { meaning.choice = .last }
            default: throw .unknownModifier(piece)
            }
        }
        self.meaning = meaning
        self.number = HeaderSelector.number(of: meaning)
    }

    private static func number(of meaning: Meaning) -> Int {
        self.numbers.withLock { numbers in
            if let known = numbers[meaning] { return known }
            let number = numbers.count
            numbers[meaning] = number
            return number
        }
    }

    private static func source(_ name: String) -> Source {
        // These are told from fields by their capitals, as in SpamAssassin.
        if name == "ALL" { return .all }
        if name == "MESSAGEID" { return .messageID }
        if name.hasPrefix("ALL-"), name == name.uppercased(), let side = RelaySide(rawValue: name.dropFirst(4).lowercased()) {
            return .allOf(side)
        }
        let lower = name.lowercased()
        if lower == "tocc" { return .toCc }
        if lower == "envelopefrom" { return .envelopeFrom }
        let relays = "x-spam-relays-"
        if lower.hasPrefix(relays), let side = RelaySide(rawValue: String(lower.dropFirst(relays.count))) { return .relays(side) }
        return .field(HeaderName(lower))
    }
}
