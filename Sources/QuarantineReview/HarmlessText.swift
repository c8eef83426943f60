/// Text from strangers, made fit for a terminal: no character of it can move the cursor, switch anything, turn the
/// direction of writing or hide.
package enum HarmlessText {
    /// Combining marks in a row that are kept: more than a written language needs only smears over other lines.
    private static let marksInARow = 4
    /// Columns from one tab stop to the next.
    private static let tab = 8

    /// As one line: line ends and tabs become spaces.
    package static func line(_ text: String) -> String {
        self.clean(text.unicodeScalars, whiteSpace: " ")
    }

    /// As lines, cut where the text has line ends of any kind.
    package static func lines(_ text: String) -> [String] {
        var lines: [String] = []
        var current = String.UnicodeScalarView()
        var previous: Unicode.Scalar?
        for scalar in text.unicodeScalars {
            if scalar == "\n" && previous == "\r" {
                previous = scalar
                continue
            }
            previous = scalar
            if scalar == "\n" || scalar == "\r" {
                lines.append(self.clean(current, whiteSpace: nil))
                current = String.UnicodeScalarView()
            } else {
                current.append(scalar)
            }
        }
        if !current.isEmpty { lines.append(self.clean(current, whiteSpace: nil)) }
        return lines
    }

    /// - Parameter whiteSpace: what stands for tabs and line ends; nil lets tabs go to the next stop.
    private static func clean(_ scalars: String.UnicodeScalarView, whiteSpace: Unicode.Scalar?) -> String {
        var result = String.UnicodeScalarView()
        var marks = 0
        var column = 0
        for scalar in scalars {
            let width = scalar.columns
            marks = width == 0 ? marks + 1 : 0
            switch scalar.value {
            case 9 where whiteSpace == nil:
                let spaces = self.tab - column % self.tab
                result.append(contentsOf: repeatElement(" ", count: spaces))
                column += spaces
            case 9, 10, 13:
                result.append(whiteSpace ?? " ")
                column += 1
            case 0..<0x20:
                // The picture of the control character (Unicode, Control Pictures).
                result.append(Unicode.Scalar(0x2400 + scalar.value)!)
                column += 1
            case 0x7f:
                result.append("\u{2421}")
                column += 1
            case 0x80...0x9f, 0x2028, 0x2029, 0x202a...0x202e, 0x2066...0x2069, 0x200e, 0x200f, 0x061c:
                let name = "<U+\(String(scalar.value, radix: 16, uppercase: true))>"
                result.append(contentsOf: name.unicodeScalars)
                column += name.count
            default:
                if scalar.isInvisible || marks > self.marksInARow { continue }
                result.append(scalar)
                column += width
            }
        }
        return String(result)
    }
}

// MARK: - Columns

extension Unicode.Scalar {
    /// Draws nothing and changes how its neighbours are read or drawn.
    fileprivate var isInvisible: Bool {
        switch self.value {
        case 0xfe00...0xfe0f, 0xe0000...0xe0fff: true
        default:
            switch self.properties.generalCategory {
            case .format, .unassigned, .privateUse, .surrogate: true
            default: false
            }
        }
    }

    /// Columns of a terminal: 0 for marks, 2 for wide characters (Unicode Standard Annex #11), else 1.
    package var columns: Int {
        if self.value < 0x300 { return 1 }
        switch self.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch self.value {
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xa000...0xa4cf,
            0xa960...0xa97f,
            0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f,
            0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x1fa70...0x1faff, 0x20000...0x3fffd:
            return 2
        default:
            return self.properties.isEmojiPresentation ? 2 : 1
        }
    }
}

extension String {
    /// Columns that the text takes in a terminal.
    package var columns: Int { self.unicodeScalars.reduce(0) { $0 + $1.columns } }

    /// Exactly so many columns: cut with `…`, or filled with spaces.
    package func fitted(to width: Int, alignedRight: Bool = false) -> String {
        guard width > 0 else { return "" }
        let own = self.columns
        if own <= width {
            let space = String(repeating: " ", count: width - own)
            return alignedRight ? space + self : self + space
        }
        var result = String.UnicodeScalarView()
        var used = 0
        for scalar in self.unicodeScalars {
            if used + scalar.columns > width - 1 { break }
            result.append(scalar)
            used += scalar.columns
        }
        // A wide character that did not fit leaves a column over.
        return String(result) + "…" + String(repeating: " ", count: width - 1 - used)
    }

    /// Cut into lines of at most so many columns, at spaces where there are any.
    package func wrapped(to width: Int) -> [String] {
        let width = max(width, 2)
        guard self.columns > width else { return [self] }
        var lines: [String] = []
        var line = String.UnicodeScalarView()
        var used = 0
        var lastSpace: String.UnicodeScalarView.Index?
        for scalar in self.unicodeScalars {
            if used + scalar.columns > width {
                if scalar == " " {
                    lines.append(String(line))
                    (line, used, lastSpace) = (String.UnicodeScalarView(), 0, nil)
                    continue
                }
                var rest = String.UnicodeScalarView()
                if let cut = lastSpace, cut > line.startIndex {
                    rest.append(contentsOf: line[line.index(after: cut)...])
                    line.removeSubrange(cut...)
                }
                lines.append(String(line))
                line = rest
                used = String(line).columns
                lastSpace = nil
            }
            if scalar == " " { lastSpace = line.endIndex }
            line.append(scalar)
            used += scalar.columns
        }
        if !line.isEmpty { lines.append(String(line)) }
        return lines
    }
}
