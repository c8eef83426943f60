import MailTypes

/// A line of JSON that is written piece by piece: for output of thousands of lines, where `jsonLine` takes longer to find out what
/// a value is made of than to write it.
///
/// The text is that of `jsonLine`, to the octet, where members are told in the order of their names.
package struct JSONLine {
    private var octets: [UInt8] = []
    /// Nothing stands yet in the object or list at hand.
    private var isFirst = true

    private static let quote = UInt8(ascii: "\"")

    /// A line that is one object.
    package static func object(_ members: (inout JSONLine) -> Void) -> String {
        var line = JSONLine()
        line.object(members)
        return String(decoding: line.octets, as: UTF8.self)
    }

    // MARK: Members of the object at hand

    package mutating func member(_ name: String, _ text: String) {
        self.begin(name)
        self.write(text)
    }

    /// Left out where there is none.
    package mutating func member(_ name: String, ifPresent text: String?) {
        if let text { self.member(name, text) }
    }

    package mutating func member(_ name: String, orNull text: String?) {
        self.begin(name)
        if let text { self.write(text) } else { self.append("null") }
    }

    package mutating func member(_ name: String, _ number: some BinaryInteger) {
        self.begin(name)
        self.append(number.description)
    }

    /// What is no number is written as a text: `inf`, `-inf`, `nan`.
    package mutating func member(_ name: String, _ number: Double) {
        self.begin(name)
        let digits = number.description
        guard number.isFinite else { return self.write(digits) }
        self.append(digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits)
    }

    package mutating func member(_ name: String, _ isTrue: Bool) {
        self.begin(name)
        self.append(isTrue ? "true" : "false")
    }

    package mutating func member(_ name: String, _ texts: [String]) {
        self.list(name) { line in
            for text in texts {
                line.separate()
                line.write(text)
            }
        }
    }

    package mutating func member(_ name: String, _ members: (inout JSONLine) -> Void) {
        self.begin(name)
        self.object(members)
    }

    /// - Parameter elements: tells each with `element`.
    package mutating func list(_ name: String, _ elements: (inout JSONLine) -> Void) {
        self.begin(name)
        self.enclose("[", "]", elements)
    }

    /// An object in the list at hand.
    package mutating func element(_ members: (inout JSONLine) -> Void) {
        self.separate()
        self.object(members)
    }

    // MARK: Pieces

    private mutating func object(_ members: (inout JSONLine) -> Void) { self.enclose("{", "}", members) }

    private mutating func enclose(_ start: Unicode.Scalar, _ end: Unicode.Scalar, _ write: (inout JSONLine) -> Void) {
        self.octets.append(UInt8(ascii: start))
        self.isFirst = true
        write(&self)
        self.isFirst = false
        self.octets.append(UInt8(ascii: end))
    }

    private mutating func separate() {
        if !self.isFirst { self.octets.append(UInt8(ascii: ",")) }
        self.isFirst = false
    }

    private mutating func begin(_ name: String) {
        self.separate()
        self.octets.append(Self.quote)
        self.append(name)
        self.octets.append(Self.quote)
        self.octets.append(UInt8(ascii: ":"))
    }

    private mutating func append(_ text: String) { self.octets.append(contentsOf: text.utf8) }

    private mutating func write(_ text: String) {
        let utf8 = [UInt8](text.utf8)
        self.octets.append(Self.quote)
        if utf8.contains(where: Self.mayNeedEscape) {
            for scalar in text.unicodeScalars { self.write(scalar) }
        } else {
            self.octets.append(contentsOf: utf8)
        }
        self.octets.append(Self.quote)
    }

    /// Characters beyond ASCII are looked at one by one.
    private static func mayNeedEscape(_ octet: UInt8) -> Bool {
        octet < 0x20 || octet >= 0x7f || octet == self.quote || octet == UInt8(ascii: "\\")
    }

    private mutating func write(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\"": self.append("\\\"")
        case "\\": self.append("\\\\")
        case "\u{08}": self.append("\\b")
        case "\t": self.append("\\t")
        case "\n": self.append("\\n")
        case "\u{0c}": self.append("\\f")
        case "\r": self.append("\\r")
        case _ where scalar.value < 0x20 || scalar.value == 0x7f || scalar.isControlBeyondASCII:
            let digits = String(scalar.value, radix: 16)
            self.append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
        default: self.octets.append(contentsOf: scalar.utf8)
        }
    }
}
