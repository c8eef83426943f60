import Testing

@testable import MailMessage

@Suite("Transfer encodings")
struct TransferDecodingTests {
    struct Case: Sendable {
        var input: String
        var output: String
        var isBroken = false
    }

    @Test(
        "base64 is read leniently",
        arguments: [
            Case(input: "", output: ""),
            Case(input: "Zg==", output: "f"),
            Case(input: "Zm8=", output: "fo"),
            Case(input: "Zm9v", output: "foo"),
            Case(input: "Zm9v\r\nYmFy\r\n", output: "foobar"),
            Case(input: " Z m\t9\r\nv ", output: "foo"),
            Case(input: "Zg==Zm8=", output: "ffo"),
            Case(input: "Zm9v====YmFy", output: "foobar"),
            Case(input: "Zm-9v", output: "foo", isBroken: true),
            Case(input: "Zm9vY", output: "foo", isBroken: true),
            Case(input: "Zm9vYg", output: "foob", isBroken: true),
            Case(input: "Zm9vYmE", output: "fooba", isBroken: true),
            Case(input: "Z===", output: "", isBroken: true),
            Case(input: "!!!!", output: "", isBroken: true),
        ]
    )
    func base64(_ test: Case) {
        let input = octets(test.input)
        let result = TransferDecoding.base64(input, 0..<input.count)
        #expect(text(result.bytes) == test.output)
        #expect(result.isBroken == test.isBroken)
    }

    @Test("base64 of every length is undone, with line ends in any place")
    func base64RoundTrip() {
        let alphabet = octets("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        for length in 0..<70 {
            let original = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37 + length) }
            var encoded: [UInt8] = []
            for start in stride(from: 0, to: length, by: 3) {
                let group = Array(original[start..<min(start + 3, length)])
                let value = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
                for place in 0..<4 {
                    encoded.append(place <= group.count ? alphabet[value >> (18 - 6 * place) & 63] : 0x3d)
                }
            }
            for cut in 0...encoded.count {
                let input = Array(encoded[..<cut]) + [0x0d, 0x0a] + Array(encoded[cut...])
                let result = TransferDecoding.base64(input, 0..<input.count)
                #expect(result.bytes == original)
                #expect(!result.isBroken)
            }
        }
    }

    @Test(
        "quoted-printable is read leniently",
        arguments: [
            Case(input: "abc", output: "abc"),
            Case(input: "a=3Db", output: "a=b"),
            Case(input: "a=3db", output: "a=b"),
            Case(input: "one=\r\ntwo", output: "onetwo"),
            Case(input: "one= \t\ntwo", output: "onetwo"),
            Case(input: "one=", output: "one"),
            Case(input: "blank  \t\r\nnext", output: "blank\r\nnext"),
            Case(input: "kept=20\r\nnext", output: "kept \r\nnext"),
            Case(input: "a =20 \nb", output: "a  \nb"),
            Case(input: "50% = half", output: "50% = half", isBroken: true),
            Case(input: "=ZZ", output: "=ZZ", isBroken: true),
            Case(input: "=4", output: "=4", isBroken: true),
            Case(input: "=C3=A4", output: "ä"),
        ]
    )
    func quotedPrintable(_ test: Case) {
        let input = octets(test.input)
        let result = TransferDecoding.quotedPrintable(input, 0..<input.count)
        #expect(text(result.bytes) == test.output)
        #expect(result.isBroken == test.isBroken)
    }

    @Test("uuencoded files are found in text and decoded")
    func uuencode() throws {
        let input = crlf("Hello,\nbegin 644 cat.txt\n#0V%T\n`\nend\nbye\nbegin 644 open\n#0V%T\n")
        let blocks = Uuencode.blocks(input, 0..<input.count)
        try #require(blocks.count == 2)
        #expect(text(Array(input[blocks[0].fileName])) == "cat.txt")
        #expect(text(Uuencode.decode(input, blocks[0].data)) == "Cat")
        #expect(blocks[0].isComplete)
        #expect(!blocks[1].isComplete)
        #expect(text(Uuencode.decode(input, blocks[1].data)) == "Cat")
    }

    @Test("A sentence that begins with the word begin is no file")
    func noUuencode() {
        for line in ["begin 64 x", "begin now", "begin 644", "begin 88888 x", "Begin: 644 x"] {
            let input = octets(line + "\n")
            #expect(Uuencode.blocks(input, 0..<input.count).isEmpty, "\(line)")
        }
    }

    @Test("The content of a uuencoded part is what stands between begin and end")
    func uuencodedPart() {
        let message = ParsedMessage(octets("Content-Transfer-Encoding: x-uuencode\n\nbegin 600 a\n#0V%T\n`\nend\n"))
        #expect(text(message.content(of: message.parts[0])) == "Cat")
    }

    @Test("Files within a text are given out with their names")
    func uuencodedFiles() {
        let message = ParsedMessage(crlf("Subject: x\n\nHello,\nbegin 644 c\u{e4}t.txt\n#0V%T\n`\nend\nbye\n"))
        let files = message.uuencodedFiles(in: message.parts[0])
        #expect(files == [UuencodedFile(name: "c\u{e4}t.txt", content: octets("Cat"), offset: 8, isComplete: true)])
    }
}
