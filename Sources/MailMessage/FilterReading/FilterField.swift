/// A header field of a part as SpamAssassin has it.
package struct FilterField: Sendable {
    /// As it is spelt. White space before the colon belongs to it in fields of MIME parts, so that no rule finds those.
    package var name: [UInt8]
    /// Behind the colon, folds included, without the last line end; in MIME parts without white space at its start, too.
    package var raw: [UInt8]

    package var decoded: [UInt8] { Self.decode(self.raw, named: self.name) }

    /// A field's value on one line, without white space at its ends, in UTF-8: octets outside of ASCII are UTF-8 (RFC 6532) or
    /// windows-1252; then encoded words (RFC 2047) are decoded with the set that they name, except in fields that have none.
    package static func decode(_ raw: [UInt8], named name: [UInt8]) -> [UInt8] {
        let value = FilterCharset.decodeHeader(Unfolding.unfold(raw, raw.indices))
        guard value.contains(UInt8(ascii: "=")), !self.hasNoWords(name) else { return value }
        return EncodedWord.decode(value) { FilterCharset.decodeWord($0, charset: $1) }
    }

    private static func hasNoWords(_ name: [UInt8]) -> Bool {
        let name = name.lowercasedASCII()
        return self.withoutWords.contains(name) || name.hasPrefix(self.list, at: 0)
    }

    private static let withoutWords = Set(
        [
            "received", "message-id", "date", "resent-message-id", "resent-date", "mime-version", "references", "in-reply-to",
        ].map { [UInt8](ascii: $0) }
    )
    private static let list = [UInt8](ascii: "list-")
}
