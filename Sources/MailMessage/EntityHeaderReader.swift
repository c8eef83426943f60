/// Reads the MIME fields of one entity's header (RFC 2045, RFC 2183).
struct EntityHeaderReader {
    let bytes: [UInt8]
    let fields: [HeaderField]
    private(set) var anomalies: [(StructureAnomaly.Kind, Int)] = []
    /// The `boundary` parameter of a multipart, without white space at its end (RFC 2046 §5.1.1).
    private(set) var boundary: [UInt8]?

    init(bytes: [UInt8], fields: [HeaderField]) {
        self.bytes = bytes
        self.fields = fields
    }

    mutating func read(into part: inout MIMEPart, defaultIsMessage: Bool) {
        if defaultIsMessage {
            part.type = "message"
            part.subtype = "rfc822"
        }
        if let field = self.only(FieldName.contentType, duplicate: .duplicateContentType) { self.readType(field, into: &part) }
        if let field = self.only(FieldName.contentTransferEncoding, duplicate: .duplicateTransferEncoding) {
            part.encoding = self.readEncoding(field)
        }
        if let field = self.only(FieldName.contentDisposition, duplicate: nil) { self.readDisposition(field, into: &part) }
        if part.fileName == nil { part.fileName = part.parameters["name"] }
    }

    /// The first field of the name: most readers take that one when there are several.
    private mutating func only(_ name: [UInt8], duplicate: StructureAnomaly.Kind?) -> HeaderField? {
        var first: HeaderField?
        for field in self.fields where self.bytes.matches(name, in: field.name) {
            if first == nil {
                first = field
            } else if let duplicate {
                self.anomalies.append((duplicate, field.name.lowerBound))
                break
            }
        }
        return first
    }

    private mutating func readType(_ field: HeaderField, into part: inout MIMEPart) {
        let value = ParameterizedValue(Unfolding.unfold(self.bytes, field.value))
        if value.hasDuplicates { self.anomalies.append((.duplicateParameter, field.value.lowerBound)) }
        let pieces = value.value.split(separator: 0x2f, maxSplits: 1, omittingEmptySubsequences: false)
        let type = [UInt8](pieces[0]).trimmed()
        let subtype = pieces.count > 1 ? [UInt8](pieces[1]).trimmed() : []
        if !type.isEmpty, !subtype.isEmpty {
            part.type = type.text
            part.subtype = subtype.text
        } else if type == [UInt8](ascii: "text") || type == [UInt8](ascii: "multipart") {
            // `Content-Type: text`, as old programs wrote it.
            part.type = type.text
            part.subtype = type.count == 4 ? "plain" : "mixed"
        }
        part.parameters = value.parameters
        guard part.isMultipart, var boundary = value.boundary else { return }
        while let last = boundary.last, last.isSpace { boundary.removeLast() }
        if !boundary.isEmpty { self.boundary = boundary }
    }

    private mutating func readDisposition(_ field: HeaderField, into part: inout MIMEPart) {
        let value = ParameterizedValue(Unfolding.unfold(self.bytes, field.value))
        if value.hasDuplicates { self.anomalies.append((.duplicateParameter, field.value.lowerBound)) }
        part.disposition = value.value.isEmpty ? nil : value.value.text
        part.fileName = value.parameters["filename"]
    }

    private mutating func readEncoding(_ field: HeaderField) -> TransferEncoding {
        let value = ParameterizedValue(Unfolding.unfold(self.bytes, field.value)).value
        switch value.text {
        case "7bit", "8bit", "binary", "": return .identity
        case "base64": return .base64
        case "quoted-printable": return .quotedPrintable
        case "x-uuencode", "uuencode", "x-uue", "uue": return .uuencode
        default:
            self.anomalies.append((.unknownTransferEncoding, field.value.lowerBound))
            return .identity
        }
    }
}
