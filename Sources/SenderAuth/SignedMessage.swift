import MailMessage

/// A message as signatures see it: the header as it is written, and the hashes of the body that its signatures ask for. The body
/// itself is not kept: answers of the DNS may be long in coming, and bodies are large.
package struct SignedMessage: Sendable {
    struct Field: Hashable, Sendable {
        /// As written, with white space before the colon.
        var name: Range<Int>
        /// Behind the colon, without the last line end.
        var value: Range<Int>
        /// In lower case.
        var key: String
    }

    /// Of the header section.
    let bytes: [UInt8]
    let fields: [Field]
    /// Domains of the mailboxes in From, as written, in order.
    let fromDomains: [String]
    private var hashes: [HashKind: BodyHash.Outcome] = [:]

    private struct HashKind: Hashable {
        var form: Canonicalization
        var limit: UInt64?
    }

    /// - Parameter sealing: the message is to be sealed, too (ARC).
    package init(_ message: ParsedMessage, sealing: Bool = false) {
        let body = message.parts.first?.body ?? message.bytes.endIndex..<message.bytes.endIndex
        self.bytes = Array(message.bytes[..<body.lowerBound])
        self.fields = message.headerFields.map { field in
            Field(
                // White space before the colon is part of the field's simple form.
                name: field.name.lowerBound..<(field.value.lowerBound - 1),
                value: field.value,
                key: message.name(of: field).lowercased()
            )
        }
        self.fromDomains = message.fields(named: "from").flatMap { message.mailboxes(in: $0) }.map { mailbox in
            String(mailbox.address.split(separator: "@", omittingEmptySubsequences: false).last ?? "")
        }
        var wanted: Set<HashKind> = sealing ? [HashKind(form: ARCSealer.bodyForm)] : []
        for signature in self.signatures {
            wanted.insert(HashKind(form: signature.bodyForm, limit: signature.bodyLength))
        }
        for kind in wanted { self.hashes[kind] = BodyHash.hash(message.bytes[body], kind.form, limit: kind.limit) }
    }

    /// The signatures that will be verified, as far as they can be read: those of DKIM, and the newest of ARC.
    private var signatures: [DKIMSignature] {
        let dkim = self.fields(named: "dkim-signature").prefix(DKIMSignature.maximumVerified).compactMap { field in
            (try? TagList(self.value(field))).flatMap { try? DKIMSignature($0) }
        }
        let newest = (try? ARCChain(self))?.sets.last.flatMap { set in
            (try? TagList(self.value(set.signature))).flatMap { try? DKIMSignature($0, isARC: true) }
        }
        return dkim + (newest.map { [$0] } ?? [])
    }

    /// The hash of the body; nil for one that none of the signatures asks for.
    func bodyHash(_ form: Canonicalization, limit: UInt64? = nil) -> BodyHash.Outcome? {
        self.hashes[HashKind(form: form, limit: limit)]
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
