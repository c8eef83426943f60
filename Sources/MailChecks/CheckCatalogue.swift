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
    // readings
    case duplicateDisposition = "MIME_DUPLICATE_DISPOSITION"
    case twoBoundaries = "MIME_BOUNDARIES_DIFFER"
    case oddBoundary = "MIME_ODD_BOUNDARY"
    case boundaryWithoutMultipart = "MIME_BOUNDARY_WITHOUT_MULTIPART"
    case boundaryPrefix = "MIME_BOUNDARY_PREFIX"
    case undeclaredPart = "MIME_UNDECLARED_PART"
    case oddType = "MIME_ODD_TYPE"
    case parameterComment = "MIME_PARAMETER_COMMENT"
    case parameterQuoting = "MIME_PARAMETER_QUOTING"
    case parameterSpace = "MIME_PARAMETER_SPACE"
    case parameterContinuation = "MIME_PARAMETER_SECTIONS"
    case twoNames = "MIME_NAMES_DIFFER"
    case namesDiffer = "MIME_NAMES_VARY"
    case fieldNameSpace = "MIME_FIELD_SPACE"
    case hiddenField = "MIME_HIDDEN_FIELD"
    case bareReturnInHeader = "MIME_BARE_CR"
    case blankHeaderLine = "MIME_BLANK_HEADER_LINE"
    case oddTransferEncoding = "MIME_ODD_ENCODING"
    case base64Padding = "MIME_BASE64_PADDING"
    case base64Gap = "MIME_BASE64_GAP"
    case base64Lines = "MIME_BASE64_LINES"
    case quotedSmallLetters = "MIME_QUOTED_SMALL_LETTERS"
    case quotedLineEnds = "MIME_QUOTED_LINE_ENDS"
    case uuencodedFile = "MIME_UUENCODED_FILE"
    case inlineFile = "MIME_INLINE_FILE"
    case hiddenContent = "MIME_HIDDEN_CONTENT"
    case readingsCut = "MIME_READINGS_CUT"
    // archives
    case archiveMembers = "ARCHIVE_TOO_MANY_MEMBERS"
    case archiveRatio = "ARCHIVE_RATIO"
    case archiveSize = "ARCHIVE_TOO_LARGE"
    case archiveDepth = "ARCHIVE_TOO_DEEP"
    case archiveEncrypted = "ARCHIVE_ENCRYPTED"
    case archiveInconsistent = "ARCHIVE_INCONSISTENT"
    case forbiddenName = "ATTACHMENT_NAME_FORBIDDEN"
    case forbiddenType = "ATTACHMENT_TYPE_FORBIDDEN"
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
    ///
    /// - Parameter detail: what it is about in this message; it is put behind the description.
    package func hit(_ locations: [MatchLocation] = [], detail: String = "") -> Hit {
        let entry = CheckCatalogue.entry(self)
        return Hit(
            rule: self.rawValue,
            score: entry.score,
            description: detail.isEmpty ? entry.description : "\(entry.description): \(detail)",
            locations: locations,
            action: entry.action,
            ambiguity: CheckCatalogue.ambiguity(self),
            detail: detail
        )
    }
}

/// What there is to say about each symbol: the score it has, and why.
package enum CheckCatalogue {
    package struct Entry: Hashable, Sendable {
        /// `size`, `structure`, `readings`, `archives`, `sender`, `connection`.
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

    /// How far readers differ about it: `policies.*.ambiguity_hold_score` is compared with the sum. Alone from 4 on, a message
    /// is held by default; what honest programs do has less than 1, so that several of them together may pass.
    static func ambiguity(_ symbol: CheckSymbol) -> Double {
        switch symbol {
        case .headerTooLong: 3
        case .headerLineWithoutColon: 1
        case .missingHeaderEnd: 0.5
        case .partAfterClose: 2.5
        case .encodedMessage: 2
        case .nulInHeader: 3
        case .tooDeep: 5
        case .tooManyParts: 5
        case .missingBoundary: 1.5
        case .unclosedMultipart: 0.5
        case .duplicateContentType: 4
        case .duplicateTransferEncoding: 4
        case .duplicateBoundary: 3
        case .duplicateParameter: 2.5
        case .unknownTransferEncoding: 2
        case .encodedMultipart: 2
        case .brokenBase64: 1.5
        case .brokenQuotedPrintable: 0.5
        case .duplicateDisposition: 3
        case .twoBoundaries: 5
        case .oddBoundary: 2.5
        case .boundaryWithoutMultipart: 1
        case .boundaryPrefix: 2.5
        case .undeclaredPart: 1
        case .oddType: 1
        case .parameterComment: 2
        case .parameterQuoting: 2
        case .parameterSpace: 0.5
        case .parameterContinuation: 3
        case .twoNames: 2
        case .fieldNameSpace: 2
        case .hiddenField: 4
        case .bareReturnInHeader: 3
        case .blankHeaderLine: 1
        case .oddTransferEncoding: 1.5
        case .base64Padding: 2
        case .base64Gap: 0.5
        case .base64Lines: 0.5
        case .quotedSmallLetters: 0.3
        case .quotedLineEnds: 0.5
        case .uuencodedFile: 0.5
        case .inlineFile: 3
        case .hiddenContent: 3
        case .readingsCut: 4
        default: 0
        }
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
        case .duplicateDisposition:
            ("readings", 1, "Content-Disposition stands twice: readers differ about which counts")
        case .twoBoundaries:
            ("readings", 2.5, "One field names boundaries that differ (RFC 2231 §3 or twice the parameter)")
        case .oddBoundary:
            ("readings", 1, "A boundary that RFC 2046 §5.1.1 does not allow, or in sections")
        case .boundaryWithoutMultipart:
            ("readings", 0.5, "A boundary in a field whose type is no multipart")
        case .boundaryPrefix:
            ("readings", 1, "A line begins with a boundary and goes on: readers differ about whether it is one")
        case .undeclaredPart:
            ("readings", 0.5, "What looks like a part stands where no multipart is open")
        case .oddType:
            ("readings", 0.3, "Content-Type or Content-Disposition is not of the form that RFC 2045 §5.1 and RFC 2183 have")
        case .parameterComment:
            ("readings", 0.5, "A comment stands in a MIME field: readers differ about taking it out")
        case .parameterQuoting:
            ("readings", 0.5, "Quotes in a MIME field that readers pair differently")
        case .parameterSpace:
            ("readings", 0.1, "White space or stray words in a MIME field")
        case .parameterContinuation:
            ("readings", 1, "A parameter in sections that are out of order, incomplete or encoded in an odd way (RFC 2231)")
        case .twoNames:
            ("readings", 0.5, "One file has names with different extensions")
        case .namesDiffer:
            ("readings", 0, "One file has names that differ and have the same extension")
        case .fieldNameSpace:
            ("readings", 0.5, "White space before the colon of a MIME field (RFC 5322 §4.5)")
        case .hiddenField:
            ("readings", 1.5, "A MIME field stands where only some readers see a field")
        case .bareReturnInHeader:
            ("readings", 1, "A CR alone stands in a header: readers differ about its being a line end")
        case .blankHeaderLine:
            ("readings", 0.3, "A line of white space in a header: for some readers the header ends there (RFC 5322 §4.2)")
        case .oddTransferEncoding:
            ("readings", 0.5, "Content-Transfer-Encoding has something beside the encoding's name")
        case .base64Padding:
            ("readings", 0.3, "Data stands behind the padding of base64 text: readers differ about its end")
        case .base64Gap:
            ("readings", 0.1, "An empty line stands in base64 text")
        case .base64Lines:
            ("readings", 0.1, "Base64 text whose lines or end are no whole groups")
        case .quotedSmallLetters:
            ("readings", 0, "Quoted-printable text with small letters (RFC 2045 §6.7, rule 1)")
        case .quotedLineEnds:
            ("readings", 0.1, "A file that is no text in quoted-printable with line ends of its own: systems differ about them")
        case .uuencodedFile:
            ("readings", 0.1, "A uuencoded file: some readers show it as text")
        case .inlineFile:
            ("readings", 1, "A file in yEnc or BinHex: few readers open it, and few scanners")
        case .hiddenContent:
            ("readings", 1.5, "Another reading of the message has a kind of file that the ordinary one has not")
        case .readingsCut:
            ("readings", 1, "Not every reading of the message was made: a bound was reached")
        case .archiveMembers: ("archives", 1, "An archive has more members than `archives.max_members`")
        case .archiveRatio: ("archives", 2, "An archive unpacks to more than `archives.max_ratio` allows")
        case .archiveSize: ("archives", 1, "What is unpacked from the message is more than `archives.max_size`")
        case .archiveDepth: ("archives", 1, "Archives inside archives beyond `archives.max_depth`")
        case .archiveEncrypted: ("archives", 0.5, "A member of an archive takes a password")
        case .archiveInconsistent: ("archives", 1.5, "Programs would see different members in an archive")
        case .forbiddenName: ("archives", 0, "A file's name, under some reading, is in `archives.forbidden_names`")
        case .forbiddenType: ("archives", 0, "A file is, by its contents, in `archives.forbidden_types`")
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

    /// How often the checks of the sender hit; `docs/checks.md`.
    private static let measured = [
        "",
        "What the name in EHLO says, without any question to the DNS, was measured with SpamAssassin's public corpus of 2002 and 2003:",
        "the first host with a public address in `Received` stands for the client. That leaves 3,506 of 4,275 wanted messages (lists,",
        "letters, newsletters) and 1,782 of 1,797 unwanted ones. Share of them that a symbol hits:",
        "",
        "| symbol | wanted | unwanted |",
        "| --- | --- | --- |",
        "| `HELO_NOT_FULL_NAME` | 0.2 % | 2.5 % |",
        "| `HELO_BARE_ADDRESS` | none | 0.8 % |",
        "| `HELO_LITERAL_MISMATCH` | none | 0.1 % |",
        "| `HELO_FORGES_US` | none | 0.1 % |",
        "| `HELO_INVALID` | none | 0.1 % |",
        "| `HEADER_INVALID_DATE` | 0.1 % | 9.9 % |",
        "| `HEADER_DUPLICATE_FIELD` | none | 0.8 % |",
        "| `HEADER_FROM_WITHOUT_ADDRESS` | none | 0.4 % |",
        "| `HEADER_MISSING_SUBJECT` | 0.2 % | none |",
        "",
        "They hit little, and of EHLO's only `HELO_NOT_FULL_NAME` hits what is wanted: hosts of universities and small offices; so it scores",
        "least. `HELO_FORGES_US` stands here for a name that is the receiving host's.",
    ]

    /// `docs/checks.md`.
    package static var markdown: String {
        var lines = [
            "# Built-in checks",
            "",
            "What Outpost itself looks at in every message, besides the rules. Each symbol adds its score; `policies.*.rules` can give",
            "it an action as with any rule: `rules: {HELO_FORGES_US: reject}`. The checks of HELO and of our own domains are left out",
            "for clients in `lists.trusted`, and so are those of the connection, which `connection_checks` steers.",
            "",
            "*ambiguity* says how far readers of mail differ about what was found. A message whose sum reaches",
            "`policies.*.ambiguity_hold_score` is held: what the scanner saw need not be what the reader sees. `mime-readings.md` tells",
            "how such messages are scanned, and what they are measured with.",
            "",
            "What the checks of archives do is said by `policies.*.archives`; a score is added besides.",
        ]
        for check in ["size", "structure", "readings", "archives", "sender", "connection"] {
            lines += ["", "## \(check)", "", "| symbol | score | ambiguity | |", "| --- | --- | --- | --- |"]
            for entry in self.all where entry.check == check {
                var action = ""
                if case .reject(let text) = entry.action { action = "; refused: `\(text ?? "")`" }
                let ambiguity = self.ambiguity(entry.symbol)
                let weight = ambiguity > 0 ? "\(ambiguity)" : ""
                lines.append("| `\(entry.symbol.rawValue)` | \(entry.score) | \(weight) | \(entry.description)\(action) |")
            }
            if check == "sender" { lines += self.measured }
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
