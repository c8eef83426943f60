import MailTypes

/// Reads command lines (RFC 5321 §4.1). Octets in, values out; a line comes without its CRLF.
///
/// Verb and argument are read apart, because what a command may be at this point of the session is checked between the
/// two: a MAIL before EHLO is a bad sequence, whatever its parameters look like.
package enum ServerCommandParser {
    private static let space = UInt8(ascii: " ")
    private static let colon = UInt8(ascii: ":")

    /// A line cut into its first word and the rest.
    package struct Line: Hashable, Sendable {
        package var verb: ServerVerb
        package var argument: ArraySlice<UInt8>
    }

    /// Cuts a line. Spaces at its end are let pass (RFC 5321 §4.1.1).
    package static func line(_ bytes: [UInt8]) throws(CommandSyntaxError) -> Line {
        var hasHighOctets = false
        for byte in bytes {
            guard byte >= 0x20, byte != 0x7f else { throw .malformedLine }
            if byte >= 0x80 { hasHighOctets = true }
        }
        if hasHighOctets, String(validating: bytes, as: UTF8.self) == nil { throw .malformedLine }
        let end = bytes.lastIndex { $0 != self.space }.map { $0 + 1 } ?? 0
        let line = bytes[..<end]
        let wordEnd = line.firstIndex(of: self.space) ?? end
        guard wordEnd > 0 else { throw .malformedLine }
        let word = line[..<wordEnd]
        guard word.allSatisfy({ $0 < 0x80 }) else { throw .malformedLine }
        guard let verb = self.verb(word) else { throw .unknownCommand }
        if hasHighOctets, verb != .mail, verb != .recipient, verb != .verify { throw .malformedLine }
        return Line(verb: verb, argument: self.trimmed(line[wordEnd...]))
    }

    private static func verb(_ word: ArraySlice<UInt8>) -> ServerVerb? {
        guard word.count <= 8 else { return nil }
        return ServerVerb(rawValue: String(decoding: word.map(self.upperCase), as: UTF8.self))
    }

    /// Reads the argument of a verb.
    /// - Parameters:
    ///   - offered: what EHLO told the client that it may say.
    ///   - allowUTF8: RCPT only: the transaction's MAIL had SMTPUTF8.
    package static func command(
        _ line: Line,
        offered: OfferedParameters,
        allowUTF8: Bool = false
    ) throws(CommandSyntaxError) -> ServerCommand {
        let argument = line.argument
        switch line.verb {
        case .helo: return .hello(domain: try self.greetingName(argument), isExtended: false)
        case .ehlo: return .hello(domain: try self.greetingName(argument), isExtended: true)
        case .mail: return .mail(try self.mail(argument, offered: offered))
        case .recipient: return .recipient(try self.recipient(argument, offered: offered, allowUTF8: allowUTF8))
        case .data: return try self.alone(.data, argument)
        case .chunk: return try self.chunk(argument)
        case .reset: return try self.alone(.reset, argument)
        case .noop: return .noop
        case .verify:
            guard !argument.isEmpty else { throw .missingArgument }
            return .verify
        case .help: return .help
        case .quit: return try self.alone(.quit, argument)
        case .startTLS: return try self.alone(.startTLS, argument)
        case .xclient: return .clientFacts(try XClientFacts(parsing: argument))
        case .expand, .authenticate, .turn, .extendedTurn, .send, .sendOrMail, .sendAndMail: throw .notImplemented
        }
    }

    private static func alone(
        _ command: ServerCommand,
        _ argument: ArraySlice<UInt8>
    ) throws(CommandSyntaxError) -> ServerCommand {
        guard argument.isEmpty else { throw .unexpectedArgument }
        return command
    }

    /// `( Domain / address-literal )` (RFC 5321 §4.1.1.1). One word of printable ASCII is enough: hosts in use call
    /// themselves many things, and judging a name is the business of checks, not of the grammar.
    private static func greetingName(_ argument: ArraySlice<UInt8>) throws(CommandSyntaxError) -> String {
        guard !argument.isEmpty else { throw .missingArgument }
        guard argument.count <= MailAddress.maximumDomainLength, !argument.contains(self.space) else { throw .badGreetingName }
        return String(decoding: argument, as: UTF8.self)
    }

    /// `"MAIL FROM:" Reverse-path [SP Mail-parameters]` (RFC 5321 §4.1.1.2).
    private static func mail(
        _ argument: ArraySlice<UInt8>,
        offered: OfferedParameters
    ) throws(CommandSyntaxError) -> MailCommand {
        var rest = try self.dropKeyword("FROM", argument)
        guard let path = self.path(&rest) else { throw .badSender }
        let parameters = try self.mailParameters(rest, offered: offered)
        guard !path.isEmpty else { return MailCommand(reversePath: .null, parameters: parameters) }
        let address = try self.address(path, allowUTF8: parameters.smtpUTF8, otherwise: .badSender)
        guard !address.domain.isEmpty else { throw .badSender }
        return MailCommand(reversePath: .mailbox(address), parameters: parameters)
    }

    /// `"RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]`
    /// (RFC 5321 §4.1.1.3).
    private static func recipient(
        _ argument: ArraySlice<UInt8>,
        offered: OfferedParameters,
        allowUTF8: Bool
    ) throws(CommandSyntaxError) -> Recipient {
        var rest = try self.dropKeyword("TO", argument)
        guard let path = self.path(&rest), !path.isEmpty else { throw .badRecipient }
        let address = try self.address(path, allowUTF8: allowUTF8, otherwise: .badRecipient)
        var recipient = Recipient(address)
        try self.readRecipientParameters(rest, offered: offered, allowUTF8: allowUTF8, into: &recipient)
        return recipient
    }

    /// `chunk-size SP "LAST"` (RFC 3030 §2).
    private static func chunk(_ argument: ArraySlice<UInt8>) throws(CommandSyntaxError) -> ServerCommand {
        let words = argument.split(separator: self.space)
        guard let first = words.first, let octets = self.number(first) else { throw .unreadableChunk }
        switch words.count {
        case 1:
            return .chunk(octets: octets, isLast: false)
        case 2 where words[1].map(self.upperCase) == Array("LAST".utf8):
            return .chunk(octets: octets, isLast: true)
        default:
            throw .badChunk(octets: octets)
        }
    }

    // MARK: - Paths

    /// Takes `FROM:` or `TO:` away. Space before and behind the colon is let pass: clients in use send it.
    private static func dropKeyword(
        _ keyword: StaticString,
        _ argument: ArraySlice<UInt8>
    ) throws(CommandSyntaxError) -> ArraySlice<UInt8> {
        let word = Array(keyword.description.utf8)
        guard argument.count > word.count, argument.prefix(word.count).map(self.upperCase) == word else { throw .missingArgument }
        let rest = self.trimmed(argument.dropFirst(word.count))
        guard rest.first == self.colon else { throw .missingArgument }
        return self.trimmed(rest.dropFirst())
    }

    /// Takes `"<" [ A-d-l ":" ] Mailbox ">"` or `<>` away and returns what is between the brackets without a source route
    /// (RFC 5321 §4.1.1.3 wants routes ignored). An address without brackets is taken up to the next space.
    private static func path(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let isBracketed = rest.first == UInt8(ascii: "<")
        var index = isBracketed ? rest.startIndex + 1 : rest.startIndex
        let start = index
        let terminator = isBracketed ? UInt8(ascii: ">") : self.space
        var isQuoted = false
        while index < rest.endIndex, isQuoted || rest[index] != terminator {
            if rest[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
            if isQuoted, rest[index] == UInt8(ascii: "\\") { index += 1 }
            index += 1
        }
        guard index <= rest.endIndex, !isQuoted else { return nil }
        let inner = rest[start..<index]
        if isBracketed {
            guard index < rest.endIndex else { return nil }
            index += 1
            guard index == rest.endIndex || rest[index] == self.space else { return nil }
        } else if inner.isEmpty {
            return nil
        }
        rest = rest[index...]
        return self.withoutRoute(inner)
    }

    /// `A-d-l = "@" Domain *( "," "@" Domain )`
    private static func withoutRoute(_ path: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard path.first == UInt8(ascii: "@") else { return path }
        guard let end = path.firstIndex(of: self.colon) else { return nil }
        for hop in path[..<end].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard hop.first == UInt8(ascii: "@") else { return nil }
            guard MailAddress.isDomain(String(decoding: hop.dropFirst(), as: UTF8.self).lowercased()) else { return nil }
        }
        let mailbox = path[(end + 1)...]
        return mailbox.isEmpty ? nil : mailbox
    }

    private static func address(
        _ path: ArraySlice<UInt8>,
        allowUTF8: Bool,
        otherwise error: CommandSyntaxError
    ) throws(CommandSyntaxError) -> MailAddress {
        if !allowUTF8, path.contains(where: { $0 >= 0x80 }) { throw .internationalAddress }
        guard let address = MailAddress(String(decoding: path, as: UTF8.self), allowUTF8: allowUTF8) else { throw error }
        return address
    }

    // MARK: - Octets

    static func upperCase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) ? byte - 0x20 : byte
    }

    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.drop { $0 == self.space }
    }

    /// Decimal digits, at least one; nil when they do not fit.
    static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard !bytes.isEmpty else { return nil }
        var value = 0
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (tens, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = tens.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            guard !overflows, !overflowsToo else { return nil }
            value = sum
        }
        return value
    }
}
