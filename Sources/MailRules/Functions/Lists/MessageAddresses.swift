import MailMessage

/// The addresses that a message names as its senders and its recipients, from all fields that are known to have them.
struct MessageAddresses: Sendable {
    /// Who it is from: `Resent-From` where there is one, else the senders of header and envelope.
    let senders: [[UInt8]]
    /// Who it is for: those it was sent on to where there are any, else recipients of header and envelope.
    let recipients: [[UInt8]]

    init(_ context: EvalContext) {
        let resent = context.addresses("Resent-From:first:addr")
        self.senders = Self.unique(
            resent.isEmpty ? Self.senderFields.flatMap(context.addresses).map(Self.withoutDoubleDots) : resent
        )
        let resentTo = context.addresses("Resent-To:first:addr") + context.addresses("Resent-Cc:first:addr")
        self.recipients = Self.unique(
            resentTo.isEmpty ? Self.receivedFor(context) + Self.recipientFields.flatMap(context.addresses) : resentTo
        )
    }

    private static let senderFields = [
        "From:addr", "Envelope-Sender:addr", "Resent-Sender:addr", "X-Envelope-From:addr", "EnvelopeFrom:addr",
    ]

    private static let recipientFields = [
        "To:addr", "Apparently-To:addr", "Delivered-To:addr", "Envelope-Recipients:addr", "Apparently-Resent-To:addr",
        "X-Envelope-To:addr", "Envelope-To:addr", "X-Delivered-To:addr", "X-Original-To:addr", "X-Rcpt-To:addr",
        "X-Real-To:addr", "Cc:addr",
    ]

    private static func unique(_ addresses: [[UInt8]]) -> [[UInt8]] {
        var seen: Set<[UInt8]> = []
        return addresses.filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    private static func withoutDoubleDots(_ address: [UInt8]) -> [UInt8] {
        let dot = UInt8(ascii: ".")
        var result: [UInt8] = []
        for octet in address where octet != dot || result.last != dot { result.append(octet) }
        return result
    }

    // MARK: - Received

    /// How many fields from the top are asked: those that the receiving side wrote.
    private static let receivedFields = 3

    /// ` for <joe@example.org>;`, as a server writes it that has one recipient.
    private static func receivedFor(_ context: EvalContext) -> [[UInt8]] {
        guard let received = context.header("Received") else { return [] }
        return received.lines(upTo: self.receivedFields).compactMap(self.addressFor)
    }

    private static let markFor = Array(" for ".utf8)

    private static func addressFor(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        var index = line.startIndex
        while index + self.markFor.count < line.endIndex {
            guard line[index] == 0x20, line[index...].starts(with: self.markFor) else {
                index += 1
                continue
            }
            index += self.markFor.count
            let word = line[index...].prefix { !$0.isBlank }
            if let address = self.address(word) {
                return RegistrarBoundaries.isHostNameValid(address[address.index(after: address.lastIndex(of: 0x40)!)...])
                    ? Array(address) : nil
            }
            // What follows the mark starts with the space that the next one may begin with.
            index = word.endIndex
        }
        return nil
    }

    /// From an optional `<` to an optional `>` and a semicolon, with the last `@` that has both before and behind it something.
    private static func address(_ word: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let start = word.first == UInt8(ascii: "<") ? word.startIndex + 1 : word.startIndex
        guard let lastSemicolon = word.lastIndex(of: UInt8(ascii: ";")), lastSemicolon > start else { return nil }
        guard let at = word[start..<lastSemicolon].dropFirst().dropLast().lastIndex(of: 0x40) else { return nil }
        guard var end = word[(at + 2)...].firstIndex(of: UInt8(ascii: ";")) else { return nil }
        if end > at + 2, word[end - 1] == UInt8(ascii: ">") { end -= 1 }
        return word[start..<end]
    }
}

extension EvalContext {
    /// The addresses that a selector with `:addr` finds.
    func addresses(_ selector: String) -> [[UInt8]] {
        guard let found = self.header(selector) else { return [] }
        return found.lines().map(Array.init)
    }

    var namedAddresses: MessageAddresses { self.facts(MessageAddresses.init) }
}
