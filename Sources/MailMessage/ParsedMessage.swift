import Synchronization

/// Bounds of the parser; what lies beyond is left as it is and reported as an anomaly.
package struct ParserLimits: Hashable, Sendable {
    /// Octets of the header section of the message or of a part.
    package var headerSize = 256 * 1024
    package var depth = 64
    package var parts = 1_000
    /// Header fields of the message and all its parts: a bound on memory, far above what mail has.
    package var fields = 50_000

    package init() {}
}

/// A message taken apart. It never fails: what cannot be understood is text, and is reported.
package final class ParsedMessage: Sendable {
    package let bytes: [UInt8]
    package let headerFields: [HeaderField]
    /// Depth first; the first is the message itself.
    package let parts: [MIMEPart]
    package let anomalies: [StructureAnomaly]
    package let limits: ParserLimits

    /// For `AmbiguityScan`.
    let marked: MIMETree.MarkedLines

    /// Lines that a reader might take for the beginning of a part or of a file: never fewer than there are parts, and mostly not
    /// many more. Parts beyond `ParserLimits.parts` are among them.
    package var possibleParts: Int { self.marked.body.count }

    private let knownReadings = Mutex<AlternativeReadings?>(nil)

    /// What other readers may make of it; found out when it is first asked for.
    package var readings: AlternativeReadings {
        self.knownReadings.withLock { known in
            if let known { return known }
            let readings = AlternativeReadings(self, limits: ReadingLimits())
            known = readings
            return readings
        }
    }

    /// The message's fields by name in lower case.
    private let fieldsByName: [String: [HeaderField]]

    package init(_ bytes: [UInt8], limits: ParserLimits = ParserLimits()) {
        let tree = MIMETree(bytes, limits: limits)
        self.bytes = bytes
        self.limits = limits
        self.parts = tree.parts
        self.anomalies = tree.anomalies.found
        self.marked = tree.marked
        self.headerFields = tree.parts[0].headerFields
        var byName: [String: [HeaderField]] = [:]
        for field in tree.parts[0].headerFields {
            byName[String(decoding: bytes[field.name], as: UTF8.self).lowercased(), default: []].append(field)
        }
        self.fieldsByName = byName
    }

    /// The fields of that name in the message's header, in order; letters match in either case.
    package func fields(named name: String) -> [HeaderField] {
        if let found = self.fieldsByName[name] { return found }
        // Most names that are asked for are in lower case already, and not there.
        let isLowercase = name.utf8.allSatisfy { $0 < 0x80 && $0.lowercased == $0 }
        return isLowercase ? [] : self.fieldsByName[name.lowercased()] ?? []
    }

    /// The fields of that name in a part's header, in order; letters match in either case.
    package func fields(named name: String, in part: MIMEPart) -> [HeaderField] {
        let wanted = [UInt8](ascii: name.lowercased())
        return part.headerFields.filter { self.bytes.matches(wanted, in: $0.name) }
    }

    /// The field's name as it is written.
    package func name(of field: HeaderField) -> String {
        String(decoding: self.bytes[field.name], as: UTF8.self)
    }

    /// As it is written behind the colon, folding and white space included, without the final line end.
    package func rawValue(of field: HeaderField) -> [UInt8] {
        [UInt8](self.bytes[field.value])
    }

    /// On one line: each fold is one space; white space at the ends removed; encoded words as they are.
    package func unfoldedValue(of field: HeaderField) -> [UInt8] {
        Unfolding.unfold(self.bytes, field.value)
    }

    /// Unfolded, encoded words (RFC 2047) decoded to UTF-8, white space at the ends removed.
    package func decodedValue(of field: HeaderField) -> [UInt8] {
        EncodedWord.decode(self.unfoldedValue(of: field))
    }

    /// The mailboxes of an address list (RFC 5322 §3.4), those within groups included, in order.
    package func mailboxes(in field: HeaderField) -> [HeaderMailbox] {
        MailboxList(self.unfoldedValue(of: field)).mailboxes
    }

    /// The part's content with its transfer encoding undone; a broken encoding yields what can be read.
    package func content(of part: MIMEPart) -> [UInt8] {
        self.decodedContent(of: part).bytes
    }

    /// The content, and what was wrong with its encoding.
    package func decodedContent(of part: MIMEPart) -> (bytes: [UInt8], anomaly: StructureAnomaly?) {
        // A multipart is never encoded (RFC 2045 §6.4); readers ignore the field there.
        let encoding = part.isContainer ? .identity : part.encoding
        let decoded = TransferDecoding.decode(self.bytes, part.body, encoding)
        guard decoded.isBroken else { return (decoded.bytes, nil) }
        let kind: StructureAnomaly.Kind = encoding == .quotedPrintable ? .brokenQuotedPrintable : .brokenBase64
        return (decoded.bytes, StructureAnomaly(kind: kind, part: part.index, offset: part.body.lowerBound))
    }

    /// What the part's content begins with; decodes no more than it needs.
    package func contentHead(of part: MIMEPart) -> [UInt8] {
        // Encodings write at most three octets for one, and line ends.
        let end = min(part.body.upperBound, part.body.lowerBound + ContentKind.prefixLength * 4)
        let encoding = part.isContainer ? .identity : part.encoding
        return TransferDecoding.decode(self.bytes, part.body.lowerBound..<end, encoding).bytes
    }

    /// Files that stand uuencoded in a part's text (or are the part, with that transfer encoding).
    package func uuencodedFiles(in part: MIMEPart) -> [UuencodedFile] {
        guard part.type == "text" || part.encoding == .uuencode else { return [] }
        let text = part.encoding == .uuencode ? [UInt8](self.bytes[part.body]) : self.content(of: part)
        return Uuencode.blocks(text, 0..<text.count).map { block in
            UuencodedFile(
                name: Charset.toUTF8([UInt8](text[block.fileName]), named: nil).text,
                content: Uuencode.decode(text, block.data),
                offset: block.whole.lowerBound,
                isComplete: block.isComplete
            )
        }
    }

    /// The names that readers may show for a part's file: one where its fields are in order.
    package func fileNames(of part: MIMEPart) -> [String] {
        let own = [part.fileName, part.parameters["name"]].compactMap { $0 }
        let isOdd =
            self.readings.anomalies.contains { $0.part == part.index && $0.kind.concernsNames }
            || self.anomalies.contains { $0.part == part.index && $0.kind.concernsNames }
        var names = own
        if isOdd {
            let values = part.headerFields
                .filter { self.bytes.hasPrefix(Self.mimePrefix, at: $0.name.lowerBound) }
                .map { self.unfoldedValue(of: $0) }
            names += NameReadings(values, limit: ReadingLimits().names).names
        }
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    private static let mimePrefix = [UInt8](ascii: "content-")

    /// The parts directly within a part.
    package func children(of part: MIMEPart) -> [MIMEPart] {
        self.parts.filter { $0.parent == part.index }
    }

    /// The message within a message/rfc822 part that has a transfer encoding; readers open it although RFC 2046 §5.2.1
    /// forbids it. Nil for other parts and where the limits of depth are used up.
    package func encodedMessage(in part: MIMEPart) -> ParsedMessage? {
        guard part.type == "message", part.subtype == "rfc822" || part.subtype == "global", !part.isContainer else { return nil }
        guard part.encoding != .identity, self.limits.depth > 1 else { return nil }
        var limits = self.limits
        limits.depth /= 2
        return ParsedMessage(self.content(of: part), limits: limits)
    }
}

/// A file that stands uuencoded in text.
package struct UuencodedFile: Hashable, Sendable {
    package var name: String
    package var content: [UInt8]
    /// Of its `begin` line, in octets from the start of the part's content.
    package var offset: Int
    /// The `end` line is there.
    package var isComplete: Bool
}
