/// Encoded words, `=?charset*language?B or Q?text?=` (RFC 2047, RFC 2231 §5).
enum EncodedWord {
    /// The longest charset name that is looked for, language included; RFC 2047 §2 allows words of 75 characters in all.
    private static let maximumCharsetLength = 64

    private struct Word {
        var charset: Range<Int>
        var isBase64: Bool
        var text: Range<Int>
        /// Behind `?=`.
        var end: Int
    }

    /// Text with its encoded words decoded to UTF-8. White space between two words goes (RFC 2047 §6.2); words of one
    /// charset side by side are joined before decoding, because senders split characters between them. Text outside of
    /// words stays as it is.
    /// - Parameter convert: makes UTF-8 of the text of words, given with the name of its charset.
    static func decode(
        _ bytes: [UInt8],
        convert: (_ text: [UInt8], _ charset: [UInt8]) -> [UInt8] = {
            Charset.toUTF8($0, named: String(decoding: $1, as: UTF8.self))
        }
    ) -> [UInt8] {
        guard var next = self.nextWord(bytes, from: 0) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        while true {
            result.append(contentsOf: bytes[position..<next.start])
            var word = next.word
            let charset = word.charset
            var content = self.content(bytes, word)
            var following = self.nextWord(bytes, from: word.end)
            while let found = following, self.isBlank(bytes, word.end..<found.start),
                self.same(bytes, charset, found.word.charset)
            {
                word = found.word
                content.append(contentsOf: self.content(bytes, word))
                following = self.nextWord(bytes, from: word.end)
            }
            result.append(contentsOf: convert(content, Array(bytes[charset])))
            position = word.end
            guard let found = following else { break }
            if self.isBlank(bytes, position..<found.start) { position = found.start }
            next = found
        }
        result.append(contentsOf: bytes[position...])
        return result
    }

    private static func same(_ bytes: [UInt8], _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<left.count
        where bytes[left.lowerBound + offset].lowercased != bytes[right.lowerBound + offset].lowercased {
            return false
        }
        return true
    }

    private static func isBlank(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        for index in range where !bytes[index].isSpace { return false }
        return true
    }

    private static func nextWord(_ bytes: [UInt8], from start: Int) -> (start: Int, word: Word)? {
        var index = start
        while index + 1 < bytes.count {
            if bytes[index] == 0x3d, bytes[index + 1] == 0x3f, let word = self.word(bytes, at: index) { return (index, word) }
            index += 1
        }
        return nil
    }

    /// The word that begins at `start`, where `=?` stands.
    private static func word(_ bytes: [UInt8], at start: Int) -> Word? {
        var index = start + 2
        let limit = min(bytes.count, index + self.maximumCharsetLength)
        var charsetEnd: Int?
        while index < limit, bytes[index] != 0x3f {
            if bytes[index] == 0x2a, charsetEnd == nil { charsetEnd = index }
            guard bytes[index] > 0x20, bytes[index] < 0x7f else { return nil }
            index += 1
        }
        let charset = (start + 2)..<(charsetEnd ?? index)
        guard !charset.isEmpty, index + 3 < bytes.count, bytes[index] == 0x3f, bytes[index + 2] == 0x3f else { return nil }
        let encoding = bytes[index + 1].lowercased
        guard encoding == 0x62 || encoding == 0x71 else { return nil }
        let textStart = index + 3
        // No text holds a question mark, so each is passed once.
        guard let end = bytes.firstIndex(of: 0x3f, from: textStart), end + 1 < bytes.count, bytes[end + 1] == 0x3d else {
            return nil
        }
        return Word(charset: charset, isBase64: encoding == 0x62, text: textStart..<end, end: end + 2)
    }

    private static func content(_ bytes: [UInt8], _ word: Word) -> [UInt8] {
        if word.isBase64 { return TransferDecoding.base64(bytes, word.text).bytes }
        var result: [UInt8] = []
        result.reserveCapacity(word.text.count)
        var index = word.text.lowerBound
        while index < word.text.upperBound {
            let octet = bytes[index]
            if octet == 0x5f {
                result.append(.space)
            } else if octet == 0x3d, index + 2 < word.text.upperBound,
                let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue
            {
                result.append(high << 4 | low)
                index += 2
            } else {
                result.append(octet)
            }
            index += 1
        }
        return result
    }
}
