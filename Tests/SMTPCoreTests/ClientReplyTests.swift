import MailTypes
import NIOCore
import SMTPCore
import Testing

@Suite("Replies of a downstream server")
struct ClientReplyTests {
    @Test(
        "replies are cut out of the bytes",
        arguments: [
            ("250 Ok\r\n", ["250 Ok"]),
            ("250\r\n", ["250 "]),
            ("250 \r\n", ["250 "]),
            ("250-one\r\n250-two\r\n250 three\r\n", ["250 one / two / three"]),
            ("250-one\r\n250\r\n", ["250 one / "]),
            ("550-5.1.1 no\r\n550 5.1.1 such user\r\n", ["550 5.1.1 no / such user"]),
            ("250 2.1.0 Ok\r\n451 4.3.0 later\r\n354 go\r\n", ["250 2.1.0 Ok", "451 4.3.0 later", "354 go"]),
            ("250 5.1.1 not its class\r\n", ["250 5.1.1 not its class"]),
            ("250 incomplete", []),
        ]
    )
    func reads(text: String, expected: [String]) throws {
        // All at once and octet by octet.
        for size in [text.utf8.count, 1] {
            var decoder = ReplyDecoder()
            var buffer = ByteBuffer()
            var replies: [String] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                buffer.writeBytes(rest.prefix(size))
                rest = rest.dropFirst(size)
                while let reply = try decoder.next(&buffer) { replies.append(reply.description) }
            }
            #expect(replies == expected)
        }
    }

    @Test(
        "what is no reply is an error",
        arguments: [
            ("25\r\n", ReplyError.malformed), ("2500 x\r\n", .malformed), ("abc x\r\n", .malformed), ("250 x\n", .malformed),
            ("\r\n", .malformed), ("199 x\r\n", .malformed), ("600 x\r\n", .malformed), ("250_x\r\n", .malformed),
            ("250-a\r\n251 b\r\n", .codesDiffer),
            (String(repeating: "2", count: ReplyDecoder.maximumLine), .lineTooLong),
            ("250 " + String(repeating: "x", count: ReplyDecoder.maximumLine) + "\r\n", .lineTooLong),
            (String(repeating: "250-x\r\n", count: ReplyDecoder.maximumLines + 1), .tooManyLines),
        ]
    )
    func refuses(text: String, expected: ReplyError) {
        var decoder = ReplyDecoder()
        var buffer = ByteBuffer(string: text)
        #expect(throws: expected) { while try decoder.next(&buffer) != nil {} }
    }

    @Test("capabilities are read from the answer to EHLO")
    func capabilities() throws {
        let lines = ["mx.example", "PIPELINING", "size 1000", "8bitmime", "STARTTLS", "DSN", "XCLIENT NAME addr", "AUTH LOGIN"]
        let reply = try #require(SMTPReply.received(code: 250, lines: lines))
        let capabilities = DownstreamCapabilities(ehlo: reply)
        #expect(capabilities.pipelining && capabilities.eightBitMIME && capabilities.startTLS && capabilities.dsn)
        #expect(!capabilities.smtpUTF8 && !capabilities.chunking && !capabilities.enhancedStatusCodes)
        #expect(capabilities.size == 1_000)
        #expect(capabilities.xclient == ["NAME", "ADDR"])
    }

    @Test("SIZE without a limit still lets the size be announced", arguments: ["SIZE", "SIZE 0"])
    func sizeWithoutLimit(line: String) throws {
        let capabilities = DownstreamCapabilities(ehlo: try #require(SMTPReply.received(code: 250, lines: ["mx", line])))
        #expect(capabilities.size == nil && capabilities.takesSize)
    }

    @Test("421 about the downstream's connection does not become 421 about ours")
    func speaksForDownstream() throws {
        let plain = try #require(SMTPReply.received(code: 421, lines: ["bye"]))
        #expect(plain.speakingForDownstream.description == "451 4.3.2 bye")
        let extended = try #require(SMTPReply.received(code: 421, lines: ["4.7.0 too", "4.7.0 many"]))
        #expect(extended.speakingForDownstream.description == "451 4.7.0 too / many")
        #expect(SMTPReply.success(.ok, (0, 0), "what").speakingForDownstream == DownstreamReply.confused)
    }
}
