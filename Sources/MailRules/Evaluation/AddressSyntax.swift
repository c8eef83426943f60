import MailMessage

/// The grammar of addresses as `:addr` reads them: wider than RFC 5322.
enum AddressSyntax {
    /// Behind what opens at `start`: quotes or parentheses, with escapes, not nested.
    static func end(_ bytes: ArraySlice<UInt8>, _ start: Int, _ open: UInt8, _ close: UInt8) -> Int? {
        var index = start + 1
        while index < bytes.endIndex {
            switch bytes[index] {
            case close: return index + 1
            case open: return nil
            case .backslash:
                guard index + 1 < bytes.endIndex, bytes[index + 1] != 0x0a else { return nil }
                index += 2
            default: index += 1
            }
        }
        return nil
    }

    /// Behind the address that begins at `start`: a quoted string or anything without separators, `@`, a host of the same
    /// kind or an address literal of digits.
    static func addressEnd(_ bytes: ArraySlice<UInt8>, _ start: Int) -> Int? {
        var index = start
        if index < bytes.endIndex, bytes[index] == .quote {
            index = self.end(bytes, start, .quote, .quote) ?? start
            if index == start || index >= bytes.endIndex || bytes[index] != .at { index = start }
        }
        if index == start {
            while index < bytes.endIndex, bytes[index] != .at, !self.isSeparator(bytes[index]) { index += 1 }
        }
        guard index > start, index < bytes.endIndex, bytes[index] == .at else { return nil }
        index += 1
        let host = index
        while index < bytes.endIndex, !self.isSeparator(bytes[index]), bytes[index] != .quote { index += 1 }
        if index > host { return index }
        guard index < bytes.endIndex, bytes[index] == UInt8(ascii: "[") else { return nil }
        index += 1
        let number = index
        while index < bytes.endIndex, bytes[index].isDigit || bytes[index] == 0x3a || bytes[index] == 0x2e { index += 1 }
        return index > number && index < bytes.endIndex && bytes[index] == UInt8(ascii: "]") ? index + 1 : nil
    }

    private static func isSeparator(_ octet: UInt8) -> Bool {
        switch octet {
        case .less, .greater, .open, .close, UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","), UInt8(ascii: ":"),
            UInt8(ascii: ";"):
            true
        default: octet.isBlank
        }
    }

    static func isAddress(_ bytes: [UInt8]) -> Bool {
        guard let end = self.addressEnd(bytes[...], 0) else { return false }
        return end == bytes.count
    }

    static func hasSoundQuotes(_ address: [UInt8]) -> Bool {
        !address.starts(with: "\"\"@".utf8) && address.count(where: { $0 == .quote }) != 1
    }

    /// The host is a name that could be looked up.
    static func hasHost(_ address: [UInt8]) -> Bool {
        guard let at = address.firstIndex(of: .at) else { return false }
        return RegistrarBoundaries.isHostNameValid(address[(at + 1)...].prefix { $0 != .at })
    }

    /// `a@b@c` is `a@b`.
    static func withoutSecondHost(_ address: [UInt8]) -> [UInt8] {
        guard let at = address.firstIndex(of: .at) else { return address }
        return Array(address[..<(address[(at + 1)...].firstIndex(of: .at) ?? address.count)])
    }

    static func withoutComments(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(.open) else { return bytes }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == .open, let end = self.end(bytes[...], index, .open, .close) {
                index = end
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }

    /// Quotes and their escapes undone, comments outside of quotes gone.
    static func text(ofPhrase phrase: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < phrase.count {
            if phrase[index] == .quote {
                guard let end = self.end(phrase[...], index, .quote, .quote) else {
                    index += 1
                    continue
                }
                result += phrase[(index + 1)..<(end - 1)].filter { $0 != .backslash }
                index = end
            } else {
                let end = phrase[index...].firstIndex(of: .quote) ?? phrase.count
                result += self.withoutComments(Array(phrase[index..<end]))
                index = end
            }
        }
        return result
    }
}

extension UInt8 {
    static let at = UInt8(ascii: "@")
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let less = UInt8(ascii: "<")
    static let greater = UInt8(ascii: ">")
    static let open = UInt8(ascii: "(")
    static let close = UInt8(ascii: ")")
}

extension [UInt8] {
    var trimmingBlanks: [UInt8] {
        guard let first = self.firstIndex(where: { !$0.isBlank }), let last = self.lastIndex(where: { !$0.isBlank }) else {
            return []
        }
        return Array(self[first...last])
    }
}
