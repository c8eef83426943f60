import MailTypes

/// A form in which mail servers write the `from … by … with …` of a Received field (RFC 5321 §4.4, and what is written
/// instead): texts, words and addresses in order.
indirect enum ReceivedPattern: Sendable, ExpressibleByStringLiteral {
    /// What a piece of the text is.
    enum Slot: Int, CaseIterable, Sendable {
        case helo
        case reverseName
        case address
        case by
        case ident
        case id
        case envelopeFrom
        /// `helo=… ident=…`, taken apart later.
        case details
        case first
        case second
    }

    case text([UInt8])
    /// In upper or lower case; given in lower case.
    case caseless([UInt8])
    /// Octets that are no white space, as many as possible.
    case words(Slot?, minimum: Int)
    /// Octets of a set, as many as possible.
    case run(Slot?, OctetClass, Range<Int>)
    case ip(Slot?)
    /// An address of the host itself.
    case loopback
    /// Several pieces that are one text.
    case capture(Slot, [ReceivedPattern])
    /// Anything, as much (greedy) or as little as possible.
    case anything(Slot?, minimum: Int, greedy: Bool)
    case optional([ReceivedPattern])
    case oneOf([[ReceivedPattern]])
    case not([ReceivedPattern])
    /// Between a letter, digit or underscore and something else.
    case boundary
    case end

    init(stringLiteral value: String) {
        self = .text(Array(value.utf8))
    }

    static func word(_ slot: Slot) -> ReceivedPattern { .words(slot, minimum: 1) }
    /// A word that may be missing.
    static func maybe(_ slot: Slot) -> ReceivedPattern { .words(slot, minimum: 0) }
    static let word = ReceivedPattern.words(nil, minimum: 1)
    static let maybe = ReceivedPattern.words(nil, minimum: 0)
    static let ip = ReceivedPattern.ip(.address)
    static let otherIP = ReceivedPattern.ip(nil)
    static let anything = ReceivedPattern.anything(nil, minimum: 0, greedy: true)
    static let something = ReceivedPattern.anything(nil, minimum: 1, greedy: true)
    static let little = ReceivedPattern.anything(nil, minimum: 0, greedy: false)
    static let hello = ReceivedPattern.oneOf([["HELO"], ["EHLO"]])
    static let digits = ReceivedPattern.run(nil, .digits, 1..<unbounded)
    /// At least one octet that is no closing parenthesis.
    static let comment = ReceivedPattern.run(nil, .except(")"), 1..<unbounded)

    static let unbounded = Int.max
}
