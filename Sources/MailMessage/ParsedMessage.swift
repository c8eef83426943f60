/// One field of a header section, as ranges over the message's bytes.
package struct HeaderField: Hashable, Sendable {
    /// Without the colon and white space before it.
    package var name: Range<Int>
    /// Behind the colon to before the final line end, folding included.
    package var value: Range<Int>
}

/// Bounds of the parser; what lies beyond is left as it is and reported as an anomaly.
package struct ParserLimits: Hashable, Sendable {
    /// Octets of the header section of the message or of a part.
    package var headerSize = 256 * 1024
    package var depth = 64
    package var parts = 1_000

    package init() {}
}

/// A message taken apart. It never fails: what cannot be understood is text, and is reported.
package final class ParsedMessage: Sendable {
    package let bytes: [UInt8]
    package let headerFields: [HeaderField]
    /// Depth first; the first is the message itself.
    package let parts: [MIMEPart]
    package let anomalies: [StructureAnomaly]

    package init(_ bytes: [UInt8], limits: ParserLimits = ParserLimits()) {
        self.bytes = bytes
        self.headerFields = []
        self.parts = []
        self.anomalies = []
    }

    /// The fields of that name in the message's header, in order; letters match in either case.
    package func fields(named name: String) -> [HeaderField] { [] }

    /// Unfolded, encoded words (RFC 2047) decoded to UTF-8, white space at the ends removed.
    package func decodedValue(of field: HeaderField) -> [UInt8] { [] }

    /// The part's content with its transfer encoding undone; a broken encoding yields what can be read.
    package func content(of part: MIMEPart) -> [UInt8] { [] }
}

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
        case tooDeep
        case tooManyParts
        case missingBoundary
        case unclosedMultipart
        case duplicateContentType
        case duplicateTransferEncoding
        case duplicateBoundary
        case unknownTransferEncoding
        case encodedMultipart
        case brokenBase64
        case brokenQuotedPrintable
        case nulInHeader
        case eightBitHeader
        case duplicateParameter
    }

    package var kind: Kind
    /// Index of the part in `ParsedMessage.parts`.
    package var part: Int
    /// Octets from the start of the message.
    package var offset: Int

    package init(kind: Kind, part: Int, offset: Int) {
        self.kind = kind
        self.part = part
        self.offset = offset
    }
}
