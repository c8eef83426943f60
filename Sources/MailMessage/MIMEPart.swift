/// A node of the MIME tree (RFC 2045, RFC 2046).
package struct MIMEPart: Hashable, Sendable {
    /// Index in `ParsedMessage.parts`.
    package var index: Int
    package var parent: Int?
    /// Counted as in IMAP (RFC 9051 §6.4.5): `1`, `2.1`; empty for the message itself when that is multipart.
    package var path: String
    package var headerFields: [HeaderField]
    /// Lower case: `text`, `plain`.
    package var type: String
    package var subtype: String
    /// Parameters of Content-Type, names in lower case, values decoded (RFC 2231).
    package var parameters: [String: String]
    /// `inline`, `attachment`, lower case; nil without Content-Disposition.
    package var disposition: String?
    /// From Content-Disposition `filename`, else Content-Type `name`, decoded.
    package var fileName: String?
    package var encoding: TransferEncoding
    /// The part's body in the message's bytes, not decoded.
    package var body: Range<Int>
    /// Of a multipart, octet for octet.
    package var boundary: [UInt8]?
    /// Whether it was taken apart: a multipart with a boundary, or a message whose parts follow.
    package var isContainer = false

    /// `text/plain`
    package var mediaType: String { "\(self.type)/\(self.subtype)" }

    package var isMultipart: Bool { self.type == "multipart" }
}

package enum TransferEncoding: Hashable, Sendable {
    case identity
    case base64
    case quotedPrintable
    case uuencode
}

/// Something in a message's structure that readers take differently or that no honest sender makes.
package struct StructureAnomaly: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case headerTooLong
        case headerLineWithoutColon
        /// The header ends without an empty line: at a boundary, or at text that is no field.
        case missingHeaderEnd
        case tooDeep
        case tooManyParts
        case missingBoundary
        case unclosedMultipart
        /// A boundary that opens a part after the one that closed the multipart; readers differ on whether it counts.
        case partAfterClose
        case duplicateContentType
        case duplicateTransferEncoding
        /// A multipart has the boundary of one around it.
        case duplicateBoundary
        case unknownTransferEncoding
        case encodedMultipart
        /// A message/rfc822 with a transfer encoding, which RFC 2046 §5.2.1 forbids; `encodedMessage(in:)` opens it.
        case encodedMessage
        case brokenBase64
        case brokenQuotedPrintable
        case nulInHeader
        case eightBitHeader
        case duplicateParameter
        // What follows is found by `AmbiguityScan` and `AlternativeReadings`, but for what stands in single lines of a header.
        case duplicateDisposition
        /// Boundaries that differ, in one field.
        case twoBoundaries
        /// Empty, blank, too long, or with characters that no boundary has.
        case oddBoundary
        /// A boundary in a field whose type is no multipart.
        case boundaryWithoutMultipart
        /// A line begins with a boundary and goes on.
        case boundaryPrefix
        /// A delimiter and a header behind it where no multipart is open that has this boundary.
        case undeclaredPart
        /// A value that is no `type/subtype`, or no single word.
        case oddType
        case parameterComment
        case parameterQuoting
        /// White space where none belongs, words without a value.
        case parameterSpace
        /// Sections (RFC 2231) out of order, with gaps, with a charset of wide characters, or encoded without saying so.
        case parameterContinuation
        /// A part has names with different extensions.
        case twoNames
        /// A part has names that differ and end alike, as honest programs write them for readers of different age.
        case namesDiffer
        /// White space before the colon of a field of MIME.
        case fieldNameSpace
        /// A field of MIME in a line that continues another field.
        case hiddenField
        case bareReturnInHeader
        /// A line of white space within a header: the end of it for some.
        case blankHeaderLine
        /// A transfer encoding with something beside its name.
        case oddTransferEncoding
        case base64Padding
        case base64Gap
        case base64Lines
        case quotedSmallLetters
        /// Something else than text in quoted-printable with line ends of its own: what they are, systems differ about.
        case quotedLineEnds
        case uuencodedFile
        /// yEnc or BinHex.
        case inlineFile
        /// Another reading has a kind of file that the ordinary one does not have.
        case hiddenContent
        /// A bound was reached in making other readings.
        case readingsCut

        /// Whether readers that differ in this can see other contents or names.
        package var hasOtherReadings: Bool { self != .eightBitHeader && self != .namesDiffer }

        /// Whether the name of a part's file may be read in another way.
        var concernsNames: Bool {
            switch self {
            case .duplicateContentType, .duplicateParameter, .duplicateDisposition, .oddType, .parameterComment,
                .parameterQuoting, .parameterSpace, .parameterContinuation, .twoNames, .namesDiffer, .fieldNameSpace,
                .hiddenField,
                .bareReturnInHeader, .nulInHeader, .headerLineWithoutColon:
                true
            default: false
            }
        }
    }

    package var kind: Kind
    /// Index of the part in `ParsedMessage.parts`.
    package var part: Int
    /// Octets from the start of the message.
    package var offset: Int
    /// What it is about, in a word or two for a listing; empty where the kind says it all.
    package var detail: String

    package init(kind: Kind, part: Int, offset: Int, detail: String = "") {
        self.kind = kind
        self.part = part
        self.offset = offset
        self.detail = detail
    }
}

/// Anomalies as they are found, so many of each kind that a hostile message cannot fill memory with them.
struct AnomalyList {
    /// Enough to see the pattern.
    static let perKind = 50

    private(set) var found: [StructureAnomaly] = []
    private var counts: [StructureAnomaly.Kind: Int] = [:]

    mutating func report(_ kind: StructureAnomaly.Kind, part: Int, offset: Int) {
        let count = self.counts[kind, default: 0]
        guard count < Self.perKind else { return }
        self.counts[kind] = count + 1
        self.found.append(StructureAnomaly(kind: kind, part: part, offset: offset))
    }
}
