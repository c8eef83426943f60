/// An XML document whose only attribute is a namespace. Names are ours; text is anybody's.
struct XMLText {
    private(set) var bytes: [UInt8] = Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8)
    private var depth = 0

    mutating func element(_ name: String, _ text: String) {
        self.indent()
        self.bytes += "<\(name)>".utf8
        self.append(text)
        self.bytes += "</\(name)>\n".utf8
    }

    /// - Parameter namespace: of this element and those in it; nil: that of the one around it.
    mutating func element(_ name: String, namespace: String? = nil, _ content: (inout XMLText) -> Void) {
        self.indent()
        self.bytes += "<\(name)\(namespace.map { " xmlns=\"\($0)\"" } ?? "")>\n".utf8
        self.depth += 1
        content(&self)
        self.depth -= 1
        self.indent()
        self.bytes += "</\(name)>\n".utf8
    }

    private mutating func indent() {
        for _ in 0..<self.depth { self.bytes += [0x20, 0x20] }
    }

    /// Markup is escaped. Of characters that XML 1.0 forbids (§2.2), that a reader would change (line ends, tabs) or that steer a
    /// terminal, U+FFFD is left.
    private mutating func append(_ text: String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": self.bytes += "&amp;".utf8
            case "<": self.bytes += "&lt;".utf8
            case ">": self.bytes += "&gt;".utf8
            case "\"": self.bytes += "&quot;".utf8
            case "'": self.bytes += "&apos;".utf8
            default:
                self.bytes += (Self.isText(scalar) ? String(scalar) : "\u{fffd}").utf8
            }
        }
    }

    private static func isText(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7e, 0xa0...0xd7ff, 0xe000...0xfffd, 0x1_0000...0x10_ffff: !scalar.properties.isNoncharacterCodePoint
        default: false
        }
    }
}
