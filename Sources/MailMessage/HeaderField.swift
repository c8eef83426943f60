/// One field of a header section, as ranges over the message's bytes.
package struct HeaderField: Hashable, Sendable {
    /// Without the colon and white space before it.
    package var name: Range<Int>
    /// Behind the colon to before the final line end, folding included.
    package var value: Range<Int>
}

/// Names that the parser itself looks for, in lower case.
enum FieldName {
    static let contentType = [UInt8](ascii: "content-type")
    static let contentDisposition = [UInt8](ascii: "content-disposition")
    static let contentTransferEncoding = [UInt8](ascii: "content-transfer-encoding")
}

/// Takes one line of a header section apart (RFC 5322 §2.2, §4.5).
struct HeaderLineParser {
    let bytes: [UInt8]

    /// `field-name *WSP ":"`, as obs-syntax allows white space before the colon (RFC 5322 §4.5); nil when the line is none.
    func field(_ line: Range<Int>) -> HeaderField? {
        var index = line.lowerBound
        while index < line.upperBound {
            let octet = self.bytes[index]
            if octet == 0x3a || octet.isBlank { break }
            // ftext: printable US-ASCII without the colon (RFC 5322 §2.2); names in 8-bit text are nobody's.
            guard octet > 0x20, octet < 0x7f else { return nil }
            index += 1
        }
        let nameEnd = index
        while index < line.upperBound, self.bytes[index].isBlank { index += 1 }
        guard nameEnd > line.lowerBound, index < line.upperBound, self.bytes[index] == 0x3a else { return nil }
        return HeaderField(name: line.lowerBound..<nameEnd, value: (index + 1)..<line.upperBound)
    }

    /// `From sender date`, as mailbox files have it before the header.
    func isMailboxSeparator(_ line: Range<Int>) -> Bool {
        self.bytes.hasPrefix(Self.mailboxSeparator, at: line.lowerBound)
            || self.bytes.hasPrefix(Self.quotedSeparator, at: line.lowerBound)
    }

    private static let mailboxSeparator = [UInt8](ascii: "from ")
    private static let quotedSeparator = [UInt8](ascii: ">from ")
}

/// Undoing of folds (RFC 5322 §2.2.3).
enum Unfolding {
    /// A line end and the white space behind it become one space, as SpamAssassin reads them; other line ends go. White
    /// space at both ends of the value is removed.
    static func unfold(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        let range = bytes.trimmed(range)
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let octet = bytes[index]
            index += 1
            if octet == .carriageReturn, index < range.upperBound, bytes[index] == .lineFeed { continue }
            guard octet == .lineFeed else {
                result.append(octet)
                continue
            }
            let start = index
            while index < range.upperBound, bytes[index].isBlank { index += 1 }
            if index > start { result.append(.space) }
        }
        return result
    }
}
