import MailMessage

/// Finds host names in header text, for `:host` and `:domain`.
enum HostText {
    /// Octets of a name without its top-level domain and that one's dot.
    private static let maximumLength = 251

    /// The word behind the last `@` of an address.
    static func behindAt(_ address: [UInt8]) -> [UInt8]? {
        guard let at = address.lastIndex(of: .at) else { return nil }
        let word = address[(at + 1)...].prefix { !$0.isBlank }
        if !word.isEmpty { return Array(word) }
        // Nothing behind the last one: the one before has a word.
        return address[..<at].contains(.at) ? self.behindAt(Array(address[..<at])) : nil
    }

    /// The host of an address or message id if there is one, else the first host: a local part may look like one, too.
    static func first(in text: [UInt8], _ boundaries: RegistrarBoundaries) -> [UInt8]? {
        for at in text.indices.reversed() where text[at] == .at {
            guard let host = self.host(at: at + 1, text, boundaries) else { continue }
            if RegistrarBoundaries.isHostNameValid(text[host]) { return Array(text[host]) }
            break
        }
        var index = 0
        while index < text.count {
            guard !text[index].isBlank else {
                index += 1
                continue
            }
            if let host = self.host(at: index, text, boundaries) {
                if RegistrarBoundaries.isHostNameValid(text[host]) { return Array(text[host]) }
                index = host.upperBound
            } else {
                index += 1
            }
        }
        return nil
    }

    /// The longest text from `start` on that ends in a top-level domain.
    private static func host(at start: Int, _ text: [UInt8], _ boundaries: RegistrarBoundaries) -> Range<Int>? {
        guard start < text.count, start == 0 || !self.joins(text[start - 1]) else { return nil }
        var end = start
        var dots: [Int] = []
        while end < text.count, !text[end].isBlank, end - start <= self.maximumLength + 64 {
            if text[end] == 0x2e { dots.append(end) }
            end += 1
        }
        for dot in dots.reversed() where (1...self.maximumLength).contains(dot - start) {
            let label = text[(dot + 1)...].prefix { $0.isLetter || $0.isDigit || $0 == 0x2d }
            // Not in the middle of a longer name.
            guard boundaries.isTopLevel(label), label.endIndex == text.count || !self.joins(text[label.endIndex]) else {
                continue
            }
            return start..<label.endIndex
        }
        return nil
    }

    private static func joins(_ octet: UInt8) -> Bool { octet == 0x2e || octet == 0x5f || octet == 0x2d }
}
