import MailTypes

/// A line of JSON that is written member by member: for output of thousands of lines, where `jsonLine` takes longer to find out
/// what a value is made of than to write it.
///
/// The text is that of `jsonLine`, to the octet, where members are told in the order of their names.
package struct JSONLine {
    private var octets: [UInt8] = []
    /// Nothing stands yet in the object or list at hand.
    private var isFirst = true

    /// One object.
    package static func text(_ members: (inout JSONLine) -> Void) -> String {
        var line = JSONLine()
        line.write(members)
        return String(decoding: line.octets, as: UTF8.self)
    }

    // MARK: Members

    package mutating func member(_ name: StaticString, _ text: String) {
        self.begin(name)
        self.write(text)
    }

    /// Left out where there is none.
    package mutating func member(_ name: StaticString, ifPresent text: String?) {
        if let text { self.member(name, text) }
    }

    package mutating func member(_ name: StaticString, orNull text: String?) {
        self.begin(name)
        if let text { self.write(text) } else { self.append("null") }
    }

    package mutating func member(_ name: StaticString, _ number: some BinaryInteger) {
        self.begin(name)
        self.append(String(number))
    }

    /// A number that is none is written as a text: `inf`, `-inf`, `nan`.
    package mutating func member(_ name: StaticString, _ number: Double) {
        self.begin(name)
        guard number.isFinite else { return self.write("\(number)") }
        let digits = "\(number)"
        self.append(digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits)
    }

    package mutating func member(_ name: StaticString, _ isTrue: Bool) {
        self.begin(name)
        self.append(isTrue ? "true" : "false")
    }

    package mutating func member(_ name: StaticString, _ texts: [String]) {
        self.list(name, texts) { $0.write($1) }
    }

    package mutating func member(_ name: StaticString, _ members: (inout JSONLine) -> Void) {
        self.begin(name)
        self.write(members)
    }

    /// An object for each value.
    package mutating func member<Value>(
        _ name: StaticString,
        _ values: [Value],
        _ members: (inout JSONLine, Value) -> Void
    ) {
        self.list(name, values) { line, value in line.write { members(&$0, value) } }
    }

    // MARK: Values

    private mutating func list<Value>(_ name: StaticString, _ values: [Value], _ write: (inout JSONLine, Value) -> Void) {
        self.begin(name)
        self.octets.append(0x5b)
        for (index, value) in values.enumerated() {
            if index > 0 { self.octets.append(0x2c) }
            write(&self, value)
        }
        self.octets.append(0x5d)
    }

    private mutating func write(_ members: (inout JSONLine) -> Void) {
        self.octets.append(0x7b)
        self.isFirst = true
        members(&self)
        self.isFirst = false
        self.octets.append(0x7d)
    }

    private mutating func begin(_ name: StaticString) {
        if !self.isFirst { self.octets.append(0x2c) }
        self.isFirst = false
        self.write(name.description)
        self.octets.append(0x3a)
    }

    private mutating func append(_ text: String) { self.octets.append(contentsOf: text.utf8) }

    private mutating func write(_ text: String) {
        let utf8 = [UInt8](text.utf8)
        self.octets.append(0x22)
        var copied = 0
        var index = 0
        while index < utf8.count {
            guard let (escape, length) = Self.escape(utf8, at: index) else {
                index += 1
                continue
            }
            self.octets.append(contentsOf: utf8[copied..<index])
            self.append(escape)
            index += length
            copied = index
        }
        self.octets.append(contentsOf: utf8[copied...])
        self.octets.append(0x22)
    }

    /// What is written for the character at `index`, and its octets; nil where it stands for itself.
    private static func escape(_ utf8: [UInt8], at index: Int) -> (text: String, length: Int)? {
        let octet = utf8[index]
        switch octet {
        case 0x22: return ("\\\"", 1)
        case 0x5c: return ("\\\\", 1)
        case 0x08: return ("\\b", 1)
        case 0x09: return ("\\t", 1)
        case 0x0a: return ("\\n", 1)
        case 0x0c: return ("\\f", 1)
        case 0x0d: return ("\\r", 1)
        case ..<0x20, 0x7f: return (self.escape(Unicode.Scalar(octet)), 1)
        // Characters that begin so may be among those that a terminal obeys, or begin a line for a reader.
        case 0xc2, 0xe2:
            let length = octet == 0xc2 ? 2 : 3
            let scalar = String(decoding: utf8[index..<(index + length)], as: UTF8.self).unicodeScalars.first
            return scalar.flatMap { $0.isControlBeyondASCII ? (self.escape($0), length) : nil }
        default: return nil
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
