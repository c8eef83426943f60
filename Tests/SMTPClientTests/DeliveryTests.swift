import ContentStorage
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

    @Test("fifty recipients go in one transaction, some refused", arguments: [true, false])
    func manyRecipients(pipelining: Bool) async throws {
        let server = try await RecordingDownstream(keywords: pipelining ? ["PIPELINING"] : []) { line, _ in
            line.contains("<r7@") ? .reply("550 5.1.1 No such user") : nil
        }
        let peer = try Peer(server)
        let result = await peer.send(to: (0..<50).map { "r\($0)@example.org" })
        #expect(result.recipients.count == 50)
        #expect(result.recipients[7].description == "550 5.1.1 No such user")
        #expect(result.recipients.filter(\.isPositive).count == 49)
        #expect(result.outcome?.kind == "accepted")
        #expect(server.seen.messages.map(\.recipients.count) == [49])
        #expect(server.seen.connections == 1)
        await server.stop()
    }

    @Test("a refused MAIL answers for every recipient")
    func refusedMail() async throws {
        let server = try await RecordingDownstream { line, _ in
            line.hasPrefix("MAIL") ? .reply("550 5.7.1 Not you") : line.hasPrefix("RCPT") ? .reply("503 5.5.1 MAIL first") : nil
        }
        let peer = try Peer(server)
        let result = await peer.send(to: ["a@example.org", "b@example.org"])
        #expect(result.recipients.map(\.description) == ["550 5.7.1 Not you", "550 5.7.1 Not you"])
        await server.stop()
    }

    @Test(
        "the reply to the message decides",
        arguments: [
            ("<content>", "452 4.3.1 Full", "refused 452"),
            ("<content>", "554 5.7.1 No", "refused 554"),
            ("<content>", "421 4.3.2 Going down", "refused 451"),
            ("<content>", "251 What", "unknown"),
            ("<content>", "354 More", "unknown"),
            ("<content>", "nonsense", "unknown"),
            ("DATA", "451 4.3.0 Not now", "refused 451"),
            ("DATA", "554 5.5.1 No", "refused 554"),
            ("DATA", "250 Ok", "away"),
        ]
    )
    func finalReplies(line: String, reply: String, expected: String) async throws {
        let server = try await RecordingDownstream { seen, _ in seen == line ? .reply(reply) : nil }
        let peer = try Peer(server)
        let result = await peer.send(to: ["a@example.org"])
        #expect(result.outcome?.kind == expected)
        await server.stop()
    }

    @Test(
        "a connection that is lost before the dot took nothing, behind it perhaps",
        arguments: [
            ("<greeting>", "451 4.4.1", nil), ("EHLO", "451 4.4.1", nil), ("MAIL", "451 4.4.2", nil), ("RCPT", "451 4.4.2", nil),
            ("DATA", nil, "away"), ("<content>", nil, "unknown"),
        ] as [(String, String?, String?)]
    )
    func dropsAtEachStep(step: String, atRecipients: String?, outcome: String?) async throws {
        let server = try await RecordingDownstream { line, _ in line.hasPrefix(step) ? .close : nil }
        let peer = try Peer(server)
        let result = await peer.send(to: ["a@example.org"])
        if let atRecipients {
            #expect(result.recipients.first?.description.hasPrefix(atRecipients) == true, "\(result.recipients)")
        }
        #expect(result.outcome?.kind == outcome)
        #expect(server.seen.messages.isEmpty)
        await server.stop()
    }

    @Test(
        "a server that says nothing is given up in time",
        arguments: [
            ("<greeting>", nil), ("MAIL", nil), ("DATA", "away"), ("<content>", "unknown"),
        ] as [(String, String?)]
    )
    func silence(step: String, outcome: String?) async throws {
        let server = try await RecordingDownstream { line, _ in line.hasPrefix(step) ? .silence : nil }
        let peer = try Peer(server) {
            $0.replySeconds = 1
            $0.finalReplySeconds = 1
        }
        let result = await peer.send(to: ["a@example.org"])
        #expect(result.outcome?.kind == outcome)
        if outcome == nil { #expect(result.recipients.map(\.code) == [451]) }
        await server.stop()
    }

    @Test(
        "replies that are none lose the connection, not the message",
        arguments: ["25", "250-a\r\n251 b", "250 bare\n250 x", "999 no"]
    )
    func malformedReplies(reply: String) async throws {
        let server = try await RecordingDownstream { line, _ in line.hasPrefix("RCPT") ? .reply(reply) : nil }
        let peer = try Peer(server)
        let result = await peer.send(to: ["a@example.org"])
        #expect(result.recipients.map(\.description) == ["451 4.3.0 The destination server gave no usable answer"])
        await server.stop()
    }

    @Test("8-bit text is not given to a server that takes none")
    func needs8Bit() async throws {
        let server = try await RecordingDownstream(keywords: ["PIPELINING"])
        let peer = try Peer(server) { $0.maxConnections = 1 }
        let transaction = try await peer.begin(Peer.mail(MailParameters(body: .eightBitMIME)))
        #expect(try await transaction.add(["a@example.org"]).map(\.code) == [250])
        let outcome = try await transaction.deliver(.memory([0xe4]), facts: ContentFacts(has8Bit: true))
        #expect(outcome == .refused(DownstreamReply.needs8BitMIME))
        #expect(await peer.send(to: ["a@example.org"]).outcome?.kind == "accepted")
        #expect(server.seen.connections == 1)
        await server.stop()
    }

    @Test("an internationalized address is not given to a server that takes none")
    func needsUTF8() async throws {
        let server = try await RecordingDownstream()
        let peer = try Peer(server)
        let transaction = try await peer.begin()
        let replies = try await transaction.add(["ä@example.org", "a@example.org"])
        #expect(replies.map(\.code) == [550, 250])
        try await transaction.abort()
        await server.stop()
    }

    @Test("a large message from a file waits for a slow reader and arrives whole")
    func largeFile() async throws {
        let directory = "/tmp"
        var writer = ContentWriter(directory: directory)
        let line = Array(".".utf8) + Array(repeating: UInt8(ascii: "x"), count: 997) + [13, 10]
        for _ in 0..<20_971 { try writer.append(line) }
        let content = try writer.finish()
        let server = try await RecordingDownstream(pausesAfter: 300_000)
        let peer = try Peer(server)
        let transaction = try await peer.begin()
        _ = try await transaction.add(["a@example.org"])
        let delivery = transaction.startDelivery(content, header: "X: y\r\n")
        // Once the server has stopped to read, and long before the file is through.
        try await server.hasPaused()
        server.resumeReading()
        #expect(try await delivery.get().kind == "accepted")
        let message = try #require(server.seen.messages.first)
        let expected = ByteBuffer(bytes: Array("X: y\r\n".utf8) + (try content.bytes()))
        #expect((ByteBuffer(bytes: message.content) == expected) == true)
        await server.stop()
    }

    @Test("one message by itself")
    func sendsAlone() async throws {
        let server = try await RecordingDownstream { line, _ in line.contains("<bad@") ? .reply("550 5.1.1 No") : nil }
        let peer = try Peer(server)
        let envelope = Envelope(
            client: Peer.client,
            reversePath: .null,
            recipients: [Recipient(MailAddress("a@example.org")!), Recipient(MailAddress("bad@example.org")!)]
        )
        let result = await SMTPDelivery.send(
            envelope: envelope,
            content: .memory(Array("\r\ntext".utf8)),
            facts: ContentFacts(),
            route: peer.route,
            on: MultiThreadedEventLoopGroup.singleton,
            logger: Peer.silent
        )
        #expect(result.recipients.map(\.code) == [250, 550])
        #expect(result.outcome?.kind == "accepted")
        #expect(server.seen.messages.first?.content == Array("\r\ntext\r\n".utf8))
        #expect(server.seen.messages.first?.mail == "MAIL FROM:<>")
        await server.stop()
    }
}
