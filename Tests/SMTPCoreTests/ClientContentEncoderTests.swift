import NIOCore
import SMTPCore
import Testing

@Suite("Dot-stuffing of content")
struct ClientContentEncoderTests {
    @Test(
        "dots that could be taken for the end get a second one, no others",
        arguments: [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r", "a\r\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("..a\r\n.b\r\na.\r\n", "...a\r\n..b\r\na.\r\n.\r\n"),
            ("a\r\n.", "a\r\n..\r\n.\r\n"),
            // Bare line ends: only a dot that stands alone on what a lenient reader takes for a line.
            ("a\n.\r\nb\r\n", "a\n..\r\nb\r\n.\r\n"),
            ("a\n.\nb\r\n", "a\n..\nb\r\n.\r\n"),
            ("a\r.\rb\r\n", "a\r..\rb\r\n.\r\n"),
            ("a\n.b\r\n", "a\n.b\r\n.\r\n"),
            ("a\n..\r\n", "a\n..\r\n.\r\n"),
            ("a\n.", "a\n..\r\n.\r\n"),
            ("a\r\n.\nb\r\n", "a\r\n..\nb\r\n.\r\n"),
        ]
    )
    func stuffs(text: String, expected: String) {
        let bytes = Array(text.utf8)
        for size in 1...max(1, bytes.count) {
            #expect(String(buffer: encode(bytes, pieces: { size })) == expected, "in pieces of \(size)")
        }
    }

    @Test("what a strict server decodes is what was encoded, however it is cut")
    func isReversible() throws {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array(".\r\nab".utf8)
        for _ in 0..<400 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<40, using: &random) {
                let byte = alphabet.randomElement(using: &random)!
                // No bare line ends here: they are the documented exception.
                if byte == 13 || byte == 10 { bytes += [13, 10] } else { bytes.append(byte) }
            }
            if !bytes.isEmpty, bytes.suffix(2) != [13, 10] { bytes += [13, 10] }
            let encoded = Array(encode(bytes) { Int.random(in: 1...5, using: &random) }.readableBytesView)
            #expect(decode(encoded) == bytes)
        }
    }

    @Test("with bare line ends nothing but the end can be taken for the end, by any reader")
    func cannotSmuggle() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array(".\r\na".utf8)
        for _ in 0..<1_000 {
            let bytes = (0..<Int.random(in: 0..<24, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            let encoded = Array(encode(bytes) { Int.random(in: 1...3, using: &random) }.readableBytesView)
            // Lines as the most lenient reader sees them: CR, LF and CRLF all end one.
            let text = String(decoding: encoded, as: UTF8.self).unicodeScalars
            let lines = text.split(omittingEmptySubsequences: false) { $0 == "\r" || $0 == "\n" }
            #expect(lines.filter { String($0) == "." }.count == 1, "\(bytes)")
        }
    }

    private func encode(_ bytes: [UInt8], pieces: () -> Int) -> ByteBuffer {
        var encoder = ContentEncoder()
        var output = ByteBuffer()
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(pieces())
            encoder.encode(Array(piece), into: &output)
            rest = rest.dropFirst(piece.count)
        }
        encoder.finish(into: &output)
        return output
    }

    /// RFC 5321 §4.5.2, strictly; nil when the end comes early or not at all.
    private func decode(_ bytes: [UInt8]) -> [UInt8]? {
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            var end = index
            while end + 1 < bytes.count, !(bytes[end] == 13 && bytes[end + 1] == 10) { end += 1 }
            let line = Array(bytes[index..<min(end + 2, bytes.count)])
            index += line.count
            if line == Array(".\r\n".utf8) { return index == bytes.count ? decoded : nil }
            decoded += line.first == UInt8(ascii: ".") ? line.dropFirst() : line[...]
        }
        return nil
    }
}
