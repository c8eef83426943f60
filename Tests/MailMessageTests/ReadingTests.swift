import Foundation
import OutpostTestKit
import Testing

@testable import MailMessage

@Suite("Readings of ambiguous messages")
struct ReadingTests {
    private func message(_ text: String) -> ParsedMessage {
        ParsedMessage(Array(text.replacing("\n", with: "\r\n").utf8))
    }

    private func multipart(_ type: String, boundary: String = "b", part: String) -> ParsedMessage {
        self.message("From: a@b.example\nContent-Type: \(type)\n\n--\(boundary)\n\(part)\n--\(boundary)--\n")
    }

    private static let secret = "PK\u{3}\u{4} this is what somebody hides"
    private static let encoded = Data(secret.utf8).base64EncodedString()

    private func finds(_ message: ParsedMessage) -> Bool {
        let secret = Array(Self.secret.utf8)
        let ordinary = message.parts.filter { !$0.isContainer }.map { message.content(of: $0) }
        return (ordinary + message.readings.contents).contains { $0.range(of: secret) != nil }
    }

    @Test("an ordinary message has one reading, and nothing is made")
    func ordinary() {
        let message = self.multipart(
            "multipart/mixed; boundary=\"b\"",
            part: """
                Content-Type: application/zip; name="a.zip"
                Content-Disposition: attachment; filename="a.zip"
                Content-Transfer-Encoding: base64

                \(Self.encoded)
                """
        )
        #expect(message.anomalies == [])
        #expect(message.readings.anomalies == [])
        #expect(message.readings.contents == [] && message.readings.names == [])
        #expect(message.fileNames(of: message.parts[1]) == ["a.zip"])
    }

    @Test(
        "what one reader would see is among the contents",
        arguments: [
            ("multipart/mixed; boundary=x; boundary=b", "Content-Transfer-Encoding: base64\n\n"),
            ("multipart/mixed; boundary=b; boundary=x", "Content-Transfer-Encoding: base64\n\n"),
            ("multipart/mixed; boundary*0=x; boundary*1=y", "Content-Transfer-Encoding: base64\n\n"),
            ("multipart/mixed; boundary=\"\"", "Content-Transfer-Encoding: base64\n\n"),
            ("multipart/mixed; (boundary=x)boundary=b", "Content-Transfer-Encoding: base64\n\n"),
            ("text/plain; boundary=b", "Content-Transfer-Encoding: base64\n\n"),
            ("multipart/mixed; boundary=b", "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\n"),
            ("multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\n"),
            ("multipart/mixed; boundary=b", "Content-Transfer-Encoding: x-base64-like\n\n"),
            ("multipart/mixed; boundary=b", "Content-Type: text/plain\n Content-Transfer-Encoding: base64\n\n"),
            ("multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64\n\nA\n\n"),
            ("multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64\n\nAB\n\n"),
            ("multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64\n\nABC\n\n"),
        ]
    )
    func hidden(type: String, head: String) {
        let message = self.multipart(type, part: head + Self.encoded)
        #expect(self.finds(message), "\(type) \(head): \(message.anomalies) \(message.readings.anomalies)")
        #expect(!(message.anomalies + message.readings.anomalies).isEmpty)
    }

    @Test("parts before, behind and beside the ones that are declared")
    func undeclared() {
        let part = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n\(Self.encoded)\n"
        let head = "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n"
        let text = "--b\n\nhello\n"
        for body in [
            "--x\n\(part)--x--\n\(text)--b--\n", "\(text)--b--\n--b\n\(part)--b--\n", "\(text)--b--\n--x\n\(part)--x--\n",
            "\(text) --b\n\(part)--b--\n", "\(text)--bX\n\(part)--b--\n", "\(text)-- b\n\(part)--b--\n",
            "\(text)--B\n\(part)--B--\n",
            // Without a delimiter: right behind the end, and before the first.
            "\(text)--b--\n\(part)", "\(text)--b--\nX-Field: y\n\(part)", "\(part)\(text)--b--\n",
            "X-Field: y\n\(part)\(text)--b--\n",
            "\(part.replacing("\nContent-Tr", with: "\n\rContent-Tr"))\(text)--b--\n",
            "\(text)--b--junk\n\(part)--b--\n", "\(text)--b\n\(part.replacing("\n", with: "\r"))\n--b--\n",
        ] {
            let message = self.message(head + body)
            #expect(self.finds(message), "\(body): \(message.anomalies) \(message.readings.anomalies)")
        }
    }

    @Test("the encoding may be said in a message within a piece, or behind a line that is no field")
    func laterFields() {
        let head = "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n"
        // Text that nobody takes for data unless somebody says so.
        let quoted = Self.secret.utf8.map { "=" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
        let spaced = Self.encoded.map { "\($0)" }.joined(separator: " \n")
        for part in [
            "Content-Type: message/rfc822\n\nSubject: x\n\t\nContent-Transfer-Encoding: quoted-printable\n\n\(quoted)\n",
            "Content-Type: application/zip\nno field\nContent-Transfer-Encoding: base64\n\n\(spaced)\n",
        ] {
            let message = self.message(head + "--x\n\(part)--x--\n--b--\n")
            #expect(self.finds(message), "\(part): \(message.anomalies) \(message.readings.anomalies)")
        }
    }

    @Test("encoded twice, and as uuencode writes base64")
    func twice() {
        let again = Data(Self.encoded.utf8).base64EncodedString()
        let twice = self.multipart(
            "multipart/mixed; boundary=b",
            part: "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: base64\n\n\(again)"
        )
        #expect(self.finds(twice))
        let posix = self.message("From: a@b.example\n\nhello\n\nbegin-base64 644 a.zip\n\(Self.encoded)\n====\n")
        #expect(self.finds(posix))
        #expect(posix.readings.anomalies.map(\.kind).contains(.inlineFile))
    }

    @Test("names of fields in a signature are no fields")
    func signature() {
        let message = self.message(
            "From: a@b.example\nDKIM-Signature: v=1; h=from:to:\n content-type:mime-version;\n b=a/b\n\nx\n"
        )
        #expect(message.readings.anomalies == [])
        let hidden = self.message("From: a@b.example\nX-Foo: bar\n Content-Type: multipart/mixed; boundary=b\n\nx\n")
        #expect(hidden.readings.anomalies.map(\.kind).contains(.hiddenField))
    }

    @Test("dialects of base64")
    func base64() {
        let secret = Array(Self.secret.utf8)
        let plain = Array(Self.encoded.utf8).filter { $0 != 0x3d }
        let texts: [[UInt8]] = [
            // Padding within groups, junk, and lines with something behind the last group.
            Array(plain.enumerated().flatMap { $0.offset % 3 == 1 ? [$0.element, 0x3d] : [$0.element] }),
            Array(plain.flatMap { [$0, 0x2e] }),
            Array(
                stride(from: 0, to: plain.count, by: 4).flatMap { plain[$0..<min($0 + 4, plain.count)] + Array("XX\r\n".utf8) }
            ),
            Array("junk line!\r\n".utf8) + plain,
        ]
        for text in texts {
            let oddities = Base64Dialect.oddities(text, 0..<text.count)
            #expect(!oddities.isEmpty)
            let decoded = Base64Dialect.plausible(for: oddities).map { $0.decode(text, 0..<text.count) }
            #expect(decoded.contains { $0.starts(with: secret.dropLast(3)) }, "\(String(decoding: text, as: UTF8.self))")
        }
        let regular = Array(Data(Self.secret.utf8).base64EncodedString(options: .lineLength64Characters).utf8)
        #expect(Base64Dialect.oddities(regular, 0..<regular.count).isEmpty)
    }

    @Test(
        "dialects of quoted-printable",
        arguments: [
            "= =41=\r\n= =42", "=XX=41=XX=42", "=0X=41=\r\n=0X=42", "=0a=41=\r\n=0a=42", "==a41==a42", "=41=\t\r\n=42=\t",
        ]
    )
    func quotedPrintable(text: String) {
        let bytes = Array(text.utf8)
        let all = QuotedDialect.allCases.map { String(decoding: $0.decode(bytes, 0..<bytes.count), as: UTF8.self) }
        #expect(all.contains("AB"), "\(all)")
    }

    @Test("files in yEnc and BinHex")
    func inlineFiles() {
        let secret = Array(Self.secret.utf8)
        var text = Array("Hello\r\n=ybegin line=128 size=\(secret.count) name=a.zip\r\n".utf8)
        for octet in secret {
            let value = octet &+ 42
            text += [0, 10, 13, 0x3d].contains(value) ? [0x3d, value &+ 64] : [value]
        }
        text += Array("\r\n=yend size=1\r\n".utf8)
        #expect(InlineFile.yEnc(text, 0..<text.count) == [secret])
        let message = ParsedMessage(Array("From: a@b.example\r\n\r\n".utf8) + text)
        #expect(self.finds(message))
        #expect(message.readings.anomalies.contains { $0.kind == .inlineFile })
    }

    @Test(
        "names under every reading",
        arguments: [
            ("attachment; filename=file.png; filename*=''file.zip", "file.zip"),
            ("attachment; filename*1=zip; filename*0=file.", "file.zip"),
            ("attachment; filename*1=file.; filename*2=zip", "file.zip"),
            ("attachment; filename*0*=''file.; filename*1*=%7A%69%70", "file.zip"),
            ("attachment; filename*=UTF-16''f%00i%00l%00e%00.%00z%00i%00p%00", "file.zip"),
            ("attachment; filename=\"=?utf-16?B?ZgBpAGwAZQAuAHoAaQBwAA==?=\"", "file.zip"),
            ("attachment; filename=file.z(.gif)ip", "file.zip"), ("attachment; filename=file.zip(.gif)", "file.zip"),
            ("attachment; filena()me=file.zip", "file.zip"), ("attachment; filename=file.png; filename=file.zip", "file.zip"),
            ("attachment; filename='file.zip'", "file.zip"), ("attachment; filename=\"file\".zip", "file.zip"),
            ("attachment; filename=file\".zip", "file.zip"), ("attachment; filename=file;.zip", "file;.zip"),
            ("attachment; filename = file.zip", "file.zip"), ("attachment; filename=\"fi\\le.zip\"", "file.zip"),
        ]
    )
    func names(disposition: String, wanted: String) {
        let message = self.multipart(
            "multipart/mixed; boundary=b",
            part: "Content-Type: application/octet-stream\nContent-Disposition: \(disposition)\n\nx"
        )
        #expect(message.fileNames(of: message.parts[1]).contains(wanted), "\(message.fileNames(of: message.parts[1]))")
    }

    @Test("sections of a name in two fields, and a field twice")
    func namesAcrossFields() {
        for head in [
            "Content-Disposition: attachment; filename*0=file.\nContent-Type: application/octet-stream; filename*1=zip",
            "Content-Type: application/octet-stream; name=file.png\nContent-Type: application/octet-stream; name=file.zip",
        ] {
            let message = self.multipart("multipart/mixed; boundary=b", part: head + "\n\nx")
            #expect(message.fileNames(of: message.parts[1]).contains("file.zip"), "\(message.fileNames(of: message.parts[1]))")
        }
    }

    // MARK: - Bounds

    @Test("5,000 parts, 200 deep, lines of 10 MB", .timeLimit(.minutes(2)))
    func bounds() {
        let odd = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n"
        let part = "--b\r\nContent-Transfer-Encoding: base64, qp\r\n\r\nQUJD=RA!kw=MTIz\r\n"
        let many = Array((odd + String(repeating: part, count: 5_000)).utf8)
        var deep = odd
        for level in 0..<200 {
            deep += "--b\(level - 1)\r\nContent-Type: multipart/mixed; boundary=b\(level); boundary=b\r\n\r\n"
        }
        let line = Array((odd + part).utf8) + [UInt8](repeating: 0x41, count: 10_000_000)
        let signs = Array((odd + part).utf8) + [UInt8](repeating: 0x3d, count: 10_000_000)
        let dashes = Array((odd + String(repeating: "--\r\n", count: 500_000)).utf8)
        let quotes = Array("Content-Type: a; name=\"".utf8) + [UInt8](repeating: 0x22, count: 200_000) + Array("\r\n\r\n".utf8)
        let stars = Array("Content-Type: a\(String(repeating: "; name*1=(a", count: 20_000))\r\n\r\n".utf8)
        for bytes in [many, Array(deep.utf8), line, signs, dashes, quotes, stars] {
            let start = ContinuousClock.now
            let message = ParsedMessage(bytes)
            let readings = message.readings
            let limits = ReadingLimits()
            #expect(readings.contents.count <= limits.contents)
            #expect(readings.contents.reduce(0) { $0 + $1.count } <= limits.octets)
            for part in message.parts.prefix(10) { #expect(message.fileNames(of: part).count <= limits.names + 2) }
            // Debug builds are some ten times slower than what runs.
            #expect(ContinuousClock.now - start < .seconds(30), "\(bytes.count) octets")
        }
    }
}
