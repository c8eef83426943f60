import ContentStorage
import Logging
import MailTypes
import NIOCore
import NIOPosix
import SMTPClient
import SMTPCore
import Testing

@Suite("Delivery to a downstream server", .timeLimit(.minutes(1)))
struct DeliveryTests {
    @Test("a message reaches the downstream octet for octet, and its reply comes back")
    func delivers() async throws {
        let server = try await RecordingDownstream()
        let peer = try Peer(server)
        let text = "Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nlast\r\n"
        let result = await peer.send(to: ["a@example.org", "b@example.org"], text: text)
        #expect(result.outcome?.acceptedText == "250 2.0.0 Ok: taken")
        #expect(result.recipients.map(\.code) == [250, 250])
        let message = try #require(server.seen.messages.first)
        #expect(String(decoding: message.content, as: UTF8.self) == "X-Seen: yes\r\n" + text)
        #expect(message.mail == "MAIL FROM:<sender@example.com>")
        #expect(message.recipients == ["RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>"])
        await server.stop()
    }
}
