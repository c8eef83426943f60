/// Text of others, made fit to stand in a field or a line of our own.
enum PlainLine {
    /// Printable text on one line: white space runs together to one space, and what is not printable becomes `?`.
    /// - Parameters:
    ///   - allowUTF8: characters beyond ASCII stay, but for those that are invisible or change how others are shown.
    ///   - limit: octets; longer text is cut and ends in `...`.
    static func text(_ text: String, allowUTF8: Bool, limit: Int) -> String {
        var result = String.UnicodeScalarView()
        var octets = 0
        var spaceIsDue = false
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace {
                spaceIsDue = octets > 0
                continue
            }
            let kept = self.isPrintable(scalar, allowUTF8: allowUTF8) ? scalar : "?"
            let size = UTF8.width(kept) + (spaceIsDue ? 1 : 0)
            guard octets + size <= limit else {
                result.append(contentsOf: "...".unicodeScalars)
                break
            }
            if spaceIsDue { result.append(" ") }
            result.append(kept)
            spaceIsDue = false
            octets += size
        }
        return String(result)
    }

    /// The same for what must be right to the octet: white space stays as it is, but for line ends and tabs.
    static func exact(_ text: String, allowUTF8: Bool, limit: Int) -> String {
        var result = String.UnicodeScalarView()
        var octets = 0
        for scalar in text.unicodeScalars {
            let kept = scalar == " " || self.isPrintable(scalar, allowUTF8: allowUTF8) ? scalar : "?"
            guard octets + UTF8.width(kept) <= limit else {
                result.append(contentsOf: "...".unicodeScalars)
                break
            }
            result.append(kept)
            octets += UTF8.width(kept)
        }
        return String(result)
    }

    /// Without the space.
    static func isPrintable(_ scalar: Unicode.Scalar, allowUTF8: Bool) -> Bool {
        guard scalar.value >= 0x80 else { return (0x21...0x7e).contains(scalar.value) }
        guard allowUTF8 else { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
            return false
        default:
            return true
        }
    }

    /// Cut into lines between words, none of them empty unless the text is; a word that is longer than `longestWord` is cut
    /// as well.
    /// - Parameters:
    ///   - used: octets that stand on the first line already.
    ///   - width: octets that a line should have at most.
    static func wrapped(_ text: String, used: Int, width: Int) -> [String] {
        var lines: [String] = [""]
        var column = used
        for word in text.split(separator: " ").flatMap(self.pieces) {
            let size = word.utf8.count
            if column + 1 + size > width, !lines[lines.count - 1].isEmpty {
                lines.append("")
                column = 0
            }
            if !lines[lines.count - 1].isEmpty {
                lines[lines.count - 1] += " "
                column += 1
            }
            lines[lines.count - 1] += word
            column += size
        }
        return lines
    }

    /// Octets: with what stands before it, below the 998 of a line (RFC 5322 §2.1.1).
    private static let longestWord = 700

    private static func pieces(_ word: Substring) -> [String] {
        guard word.utf8.count > self.longestWord else { return [String(word)] }
        var pieces: [String] = []
        var piece = String.UnicodeScalarView()
        var octets = 0
        for scalar in word.unicodeScalars {
            if octets + UTF8.width(scalar) > self.longestWord {
                pieces.append(String(piece))
                piece = String.UnicodeScalarView()
                octets = 0
            }
            piece.append(scalar)
            octets += UTF8.width(scalar)
        }
        pieces.append(String(piece))
        return pieces
    }
}

/// Writes header fields, and groups of them as RFC 3464 §2.1 has them.
struct FieldWriter {
    /// RFC 5322 §2.1.1, less a little.
    private static let width = 76

    private(set) var bytes: [UInt8] = []

    /// A field whose words may be spread over lines.
    mutating func folded(_ name: String, _ value: String) {
        self.bytes += "\(name): ".utf8
        let lines = PlainLine.wrapped(value, used: name.utf8.count + 2, width: Self.width)
        self.bytes += lines.joined(separator: "\r\n ").utf8
        self.endLine()
    }

    /// A field on one line, to the octet.
    mutating func exact(_ name: String, _ value: String) {
        self.bytes += "\(name): \(value)".utf8
        self.endLine()
    }

    mutating func endLine() {
        self.bytes += [0x0d, 0x0a]
    }
}
