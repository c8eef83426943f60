import MailMessage
import MailTypes

/// The built-in checks' symbols. They look like rule names and can be given actions like rules (`policies.*.rules`); none of them
/// is a name of SpamAssassin's rule set, so that nothing counts twice under one name.
package enum CheckSymbol: String, Hashable, Sendable, CaseIterable {
    // size
    case messageTooLarge = "MESSAGE_TOO_LARGE"
    case lineTooLong = "LINE_TOO_LONG"
    case bareLineEnds = "BARE_LINE_ENDS"
    case headerLarge = "HEADER_LARGE"
    // structure
    case headerTooLong = "HEADER_TOO_LONG"
    case headerLineWithoutColon = "HEADER_LINE_WITHOUT_COLON"
    case missingHeaderEnd = "HEADER_WITHOUT_END"
    case nulInHeader = "HEADER_NUL"
    case eightBitHeader = "HEADER_8BIT"
    case tooDeep = "MIME_TOO_DEEP"
    case tooManyParts = "MIME_TOO_MANY_PARTS"
    case missingBoundary = "MIME_MISSING_BOUNDARY"
    case unclosedMultipart = "MIME_UNCLOSED_MULTIPART"
    case partAfterClose = "MIME_PART_AFTER_CLOSE"
    case encodedMessage = "MIME_ENCODED_MESSAGE"
    case duplicateContentType = "MIME_DUPLICATE_CONTENT_TYPE"
    case duplicateTransferEncoding = "MIME_DUPLICATE_ENCODING"
    case duplicateBoundary = "MIME_DUPLICATE_BOUNDARY"
    case duplicateParameter = "MIME_DUPLICATE_PARAMETER"
    case unknownTransferEncoding = "MIME_UNKNOWN_ENCODING"
    case encodedMultipart = "MIME_ENCODED_MULTIPART"
    case brokenBase64 = "MIME_BROKEN_BASE64"
    case brokenQuotedPrintable = "MIME_BROKEN_QUOTED_PRINTABLE"
    // sender
    case heloInvalid = "HELO_INVALID"
    case heloNotFQDN = "HELO_NOT_FULL_NAME"
    case heloBareAddress = "HELO_BARE_ADDRESS"
    case heloLiteralMismatch = "HELO_LITERAL_MISMATCH"
    case heloForgesUs = "HELO_FORGES_US"
    case ownDomainForged = "OWN_DOMAIN_FORGED"
    case ownDomainInFrom = "OWN_DOMAIN_IN_FROM"
    case nullSenderManyRecipients = "NULL_SENDER_MANY_RECIPIENTS"
    case reversePathNotFQDN = "REVERSE_PATH_NOT_FULL_NAME"
    case reversePathLiteral = "REVERSE_PATH_LITERAL"
    case missingFrom = "HEADER_MISSING_FROM"
    case missingDate = "HEADER_MISSING_DATE"
    case missingMessageID = "HEADER_MISSING_MESSAGE_ID"
    case missingSubject = "HEADER_MISSING_SUBJECT"
    case duplicateFrom = "HEADER_DUPLICATE_FROM"
    case duplicateDate = "HEADER_DUPLICATE_DATE"
    case duplicateMessageID = "HEADER_DUPLICATE_MESSAGE_ID"
    case duplicateSubject = "HEADER_DUPLICATE_SUBJECT"
    case duplicateOther = "HEADER_DUPLICATE_FIELD"
    case invalidDate = "HEADER_INVALID_DATE"
    case fromWithoutAddress = "HEADER_FROM_WITHOUT_ADDRESS"
    case fromWithoutSender = "HEADER_FROM_WITHOUT_SENDER"
    case routingLoop = "ROUTING_LOOP"
    // connection: what the DNS says
    case clientNameMissing = "CLIENT_NAME_MISSING"
    case clientNameUnconfirmed = "CLIENT_NAME_UNCONFIRMED"
    case heloUnresolvable = "HELO_UNRESOLVABLE"
    case senderUnresolvable = "SENDER_DOMAIN_UNRESOLVABLE"
    case senderNullMX = "SENDER_DOMAIN_TAKES_NO_MAIL"
    case envelopeUnanswered = "ENVELOPE_DNS_UNANSWERED"

    /// A hit with the symbol's score, description and action.
    package func hit(_ locations: [MatchLocation] = []) -> Hit {
        let entry = CheckCatalogue.entry(self)
        return Hit(
            rule: self.rawValue,
            score: entry.score,
            description: entry.description,
            locations: locations,
            action: entry.action
        )
    }
}

/// What there is to say about each symbol: the score it has, and why.
package enum CheckCatalogue {
    package struct Entry: Hashable, Sendable {
        /// `size`, `structure`, `sender`, `connection`.
        package var check: String
        package var symbol: CheckSymbol
        package var score: Double
        package var description: String
        package var action: RequestedAction?
    }

    /// In the order of `CheckSymbol`. Scores are low where honest software errs; only forgeries of ourselves come near the
    /// default `tag_score` of 5 alone.
    package static let all: [Entry] = CheckSymbol.allCases.map(entry)

    static func entry(_ symbol: CheckSymbol) -> Entry {
        let (check, score, description) = facts(symbol)
        let refusal: String? =
            switch symbol {
            case .routingLoop: "554 5.4.6 Routing loop: this message has passed too many hosts"
            case .messageTooLarge: "552 5.3.4 Message too large for this recipient"
            default: nil
            }
        return Entry(
            check: check,
            symbol: symbol,
            score: score,
            description: description,
            action: refusal.map { .reject(text: $0) }
        )
    }

    private static func facts(_ symbol: CheckSymbol) -> (String, Double, String) {
        switch symbol {
        case .messageTooLarge: ("size", 0, "The message is larger than the recipients' policy allows (RFC 1870 §6.3)")
        case .lineTooLong: ("size", 0.5, "A line has more than 998 octets (RFC 5322 §2.1.1)")
        case .bareLineEnds: ("size", 1, "A single CR or LF stands in the text (RFC 5322 §2.3)")
        case .headerLarge: ("size", 0.5, "The header has more than 64 KiB")
        case .headerTooLong: ("structure", 2, "A header is longer than is read")
        case .headerLineWithoutColon: ("structure", 1, "A line in a header is no field")
        case .missingHeaderEnd: ("structure", 0.5, "A header ends without an empty line")
        case .partAfterClose:
            ("structure", 2, "A part stands behind the end of its multipart: readers differ about whether it counts")
        case .encodedMessage: ("structure", 1.5, "A message in the message has a transfer encoding (RFC 2046 §5.2.1)")
        case .nulInHeader: ("structure", 2.5, "A NUL stands in a header")
        case .eightBitHeader: ("structure", 0.3, "8-bit text stands in a header without encoding")
        case .tooDeep: ("structure", 3, "MIME parts are nested deeper than is read")
        case .tooManyParts: ("structure", 3, "There are more MIME parts than are read")
        case .missingBoundary: ("structure", 2, "A multipart has no boundary, or it never comes")
        case .unclosedMultipart: ("structure", 0.5, "A multipart has no end")
        case .duplicateContentType: ("structure", 2.5, "Content-Type stands twice: readers differ about which counts")
        case .duplicateTransferEncoding:
            ("structure", 2.5, "Content-Transfer-Encoding stands twice: readers differ about which counts")
        case .duplicateBoundary: ("structure", 2.5, "A multipart uses the boundary of one around it, or names two")
        case .duplicateParameter: ("structure", 1.5, "A parameter stands twice: readers differ about which counts")
        case .unknownTransferEncoding: ("structure", 1.5, "A transfer encoding that is not known")
        case .encodedMultipart: ("structure", 2, "A multipart has a transfer encoding (RFC 2045 §6.4)")
        case .brokenBase64: ("structure", 0.5, "Base64 text is broken")
        case .brokenQuotedPrintable: ("structure", 0.3, "Quoted-printable text is broken")
        case .heloInvalid: ("sender", 1, "The name in EHLO is neither a domain nor an address (RFC 5321 §4.1.1.1)")
        case .heloNotFQDN: ("sender", 0.5, "The name in EHLO is not a full domain name")
        case .heloBareAddress: ("sender", 1.5, "EHLO gives an address without brackets")
        case .heloLiteralMismatch: ("sender", 1.5, "EHLO gives an address that is not the client's")
        case .heloForgesUs: ("sender", 4, "The client claims to be us")
        case .ownDomainForged: ("sender", 3, "The reverse path is in one of our domains, and the client is not ours")
        case .ownDomainInFrom: ("sender", 1.5, "From is in one of our domains, and the client is not ours")
        case .nullSenderManyRecipients: ("sender", 3, "A bounce goes to several recipients (RFC 5321 §4.5.5)")
        case .reversePathNotFQDN: ("sender", 1.5, "The reverse path's domain is not a full domain name")
        case .reversePathLiteral: ("sender", 1, "The reverse path's domain is an address")
        case .missingFrom: ("sender", 1.5, "There is no From (RFC 5322 §3.6)")
        case .missingDate: ("sender", 0.5, "There is no Date (RFC 5322 §3.6)")
        case .missingMessageID: ("sender", 0.3, "There is no Message-ID")
        case .missingSubject: ("sender", 0.3, "There is no Subject")
        case .duplicateFrom: ("sender", 3, "From stands twice: readers differ about which counts")
        case .duplicateDate: ("sender", 1, "Date stands twice")
        case .duplicateMessageID: ("sender", 0.5, "Message-ID stands twice")
        case .duplicateSubject: ("sender", 1.5, "Subject stands twice: readers differ about which counts")
        case .duplicateOther: ("sender", 0.5, "A field that may stand once stands twice (RFC 5322 §3.6)")
        case .invalidDate: ("sender", 0.5, "Date is no date (RFC 5322 §3.3)")
        case .fromWithoutAddress: ("sender", 1.5, "From has no valid address")
        case .fromWithoutSender: ("sender", 0.5, "From has several addresses and there is no Sender (RFC 5322 §3.6.2)")
        case .clientNameMissing: ("connection", 0.5, "The client's address has no name in the DNS")
        case .clientNameUnconfirmed: ("connection", 0.5, "The client's names do not lead back to its address")
        case .heloUnresolvable: ("connection", 0.5, "The name in EHLO has no address")
        case .senderUnresolvable:
            ("connection", 2, "The reverse path's domain takes no answer: it has neither MX record nor address")
        case .senderNullMX: ("connection", 2, "The reverse path's domain says that it takes no mail (RFC 7505)")
        case .envelopeUnanswered: ("connection", 0, "The DNS gave no answer about the client or its envelope")
        case .routingLoop: ("sender", 0, "There are so many Received fields that the message goes in circles (RFC 5321 §6.3)")
        }
    }

    /// `docs/checks.md`.
    package static var markdown: String {
        var lines = [
            "# Built-in checks",
            "",
            "What Outpost itself looks at in every message, besides the rules. Each symbol adds its score; `policies.*.rules` can give",
            "it an action as with any rule: `rules: {HELO_FORGES_US: reject}`. The checks of HELO and of our own domains are left out",
            "for clients in `lists.trusted`, and so are those of the connection, which `connection_checks` steers.",
        ]
        for check in ["size", "structure", "sender", "connection"] {
            lines += ["", "## \(check)", "", "| symbol | score | |", "| --- | --- | --- |"]
            for entry in self.all where entry.check == check {
                var action = ""
                if case .reject(let text) = entry.action { action = "; refused: `\(text ?? "")`" }
                lines.append("| `\(entry.symbol.rawValue)` | \(entry.score) | \(entry.description)\(action) |")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension CheckFindings {
    /// - Parameter check: the name for the report; the time is put in by who runs the check, which has a clock.
    init(check: String, hits: [Hit]) {
        let result = hits.isEmpty ? "pass" : hits.count == 1 ? "1 hit" : "\(hits.count) hits"
        self.init(hits: hits, reports: [CheckReport(check: check, result: result, microseconds: 0)])
    }
}
