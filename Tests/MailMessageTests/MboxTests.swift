import MailMessage
import Testing

@Suite("Mbox files")
struct MboxTests {
    @Test("Messages are told apart by From lines behind an empty line, and quoting is undone")
    func split() {
        let file =
            "From a Mon Nov 23 18:30:35 2026\nSubject: 1\n\nFrom here on\n\n>From quoted\n>>From twice\n\nFrom b Tue Nov 24 08:00:00 2026\r\nSubject: 2\r\n\r\nx\r\n"
        let bytes = Array(file.utf8)
        #expect(Mbox.isMbox(bytes))
        let messages = Mbox.ranges(in: bytes).map { String(decoding: Mbox.unquoted(bytes[$0]), as: UTF8.self) }
        #expect(messages == ["Subject: 1\n\nFrom here on\n\nFrom quoted\n>From twice\n\n", "Subject: 2\r\n\r\nx\r\n"])
    }

    @Test("A field called From is no mark", arguments: ["From: a@example.org\n\nx\n", "", "Fro"])
    func noMbox(text: String) {
        #expect(!Mbox.isMbox(Array(text.utf8)))
        #expect(Mbox.ranges(in: Array(text.utf8)) == [])
    }
}
