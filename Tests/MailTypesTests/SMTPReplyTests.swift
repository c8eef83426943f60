import MailTypes
import Testing

@Suite("SMTP replies")
struct SMTPReplyTests {
    private func wire(_ reply: SMTPReply) -> String { String(decoding: reply.encoded, as: UTF8.self) }

    @Test("code, enhanced code and text go on each line")
    func encoded() {
        #expect(self.wire(.success(.ok, (1, 5), "fine")) == "250 2.1.5 fine\r\n")
        #expect(self.wire(.success(.ok, nil, "a", "b", "c")) == "250-a\r\n250-b\r\n250 c\r\n")
        #expect(self.wire(.transient(.localError, (3, 0), "a", "b")) == "451-4.3.0 a\r\n451 4.3.0 b\r\n")
        #expect(self.wire(.permanent(.transactionFailed, (7, 1), "no")) == "554 5.7.1 no\r\n")
        #expect(self.wire(.success(.ok, nil, lines: [])) == "250 \r\n")
    }

    @Test("a reply never carries a line end or another control character")
    func printable() {
        #expect(self.wire(.success(.ok, nil, "a\r\n250 b\u{0}\u{7f}\u{9b}")) == "250 a??250 b??\u{9b}\r\n")
        #expect(self.wire(SMTPReply.success(.ok, nil, "a").appending("x\ny")) == "250 a x?y\r\n")
    }

    @Test("a downstream's reply keeps its enhanced code when it agrees with the code")
    func received() throws {
        let reply = try #require(SMTPReply.received(code: 550, lines: ["5.1.1 nobody", "5.1.1 here"]))
        #expect(reply.enhanced == EnhancedStatusCode("5.1.1"))
        #expect(reply.lines == ["nobody", "here"])
        #expect(self.wire(reply) == "550-5.1.1 nobody\r\n550 5.1.1 here\r\n")
        let disagreeing = try #require(SMTPReply.received(code: 450, lines: ["5.1.1 nobody"]))
        #expect(disagreeing.enhanced == nil && disagreeing.lines == ["5.1.1 nobody"])
        #expect(SMTPReply.received(code: 250, lines: [])?.lines == [""])
        #expect(SMTPReply.received(code: 199, lines: []) == nil && SMTPReply.received(code: 600, lines: []) == nil)
    }

    @Test("classes", arguments: [(250, 2), (354, 3), (451, 4), (554, 5)])
    func classes(_ code: Int, _ first: Int) throws {
        let reply = try #require(SMTPReply.received(code: code, lines: ["x"]))
        #expect(
            [reply.isPositive, reply.isIntermediate, reply.isTransientFailure, reply.isPermanentFailure]
                == (2...5).map { $0 == first }
        )
    }

    @Test(
        "enhanced codes are read strictly",
        arguments: ["", "5.1", "5.1.1.1", "3.1.1", "5.1.1000", "5.a.1", "5..1", "٥.1.1", " 5.1.1"]
    )
    func refusedEnhanced(_ text: String) {
        #expect(EnhancedStatusCode(text) == nil)
    }

    @Test("a description is one line")
    func description() {
        #expect(SMTPReply.permanent(.mailboxUnavailable, (1, 1), "a", "b").description == "550 5.1.1 a / b")
    }
}
