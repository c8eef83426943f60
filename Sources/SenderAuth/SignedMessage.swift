import MailMessage

/// A message as signatures see it: fields as they are written, and the body's octets.
struct SignedMessage {
    struct Field: Hashable {
        /// As written, with white space before the colon.
        var name: Range<Int>
        /// Behind the colon, without the last line end.
        var value: Range<Int>
        /// In lower case.
        var key: String
    }

    let bytes: [UInt8]
    let fields: [Field]
    let body: Range<Int>

    init(_ message: ParsedMessage) {
        self.bytes = message.bytes
        self.fields = message.headerFields.map { field in
            Field(
                // White space before the colon is part of the field's simple form.
                name: field.name.lowerBound..<(field.value.lowerBound - 1),
                value: field.value,
                key: message.name(of: field).lowercased()
            )
        }
        self.body = message.parts.first?.body ?? message.bytes.endIndex..<message.bytes.endIndex
    }

    func value(_ field: Field) -> ArraySlice<UInt8> { self.bytes[field.value] }

    func fields(named key: String) -> [Field] { self.fields.filter { $0.key == key } }

    func append(_ field: Field, _ form: Canonicalization, to text: inout [UInt8]) {
        HeaderCanonicalization.append(name: self.bytes[field.name], value: self.bytes[field.value], form, to: &text)
    }

    /// The fields that `h=` names, each name taking the lowest that is left of it (RFC 6376 §5.4.2).
    func appendFields(_ names: [String], _ form: Canonicalization, to text: inout [UInt8]) {
        var left: [String: [Field]] = [:]
        for field in self.fields { left[field.key, default: []].append(field) }
        for name in names {
            guard let field = left[name]?.popLast() else { continue }
            self.append(field, form, to: &text)
        }
    }

    /// The signature's own field without the value of `b=` and without a line end behind it (§3.7).
    func appendSignature(_ field: Field, _ form: Canonicalization, to text: inout [UInt8]) {
        let value = SignedMessage.withoutSignature(self.bytes[field.value])
        HeaderCanonicalization.append(name: self.bytes[field.name], value: value[...], form, to: &text)
        text.removeLast(2)
    }

    /// A tag list with the value of `b=` taken out; everything else stays as it is.
    static func withoutSignature(_ value: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(value.count)
        for (index, tag) in value.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).enumerated() {
            if index > 0 { result.append(UInt8(ascii: ";")) }
            let equals = tag.firstIndex(of: UInt8(ascii: "="))
            let name = tag[..<(equals ?? tag.endIndex)].filter { !$0.isTagSpace }
            if let equals, name == [UInt8(ascii: "b")] {
                result += tag[...equals]
            } else {
                result += tag
            }
        }
        return result
    }
}
