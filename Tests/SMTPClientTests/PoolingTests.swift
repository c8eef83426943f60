import ContentStorage
import MailTypes
import NIOCore
import NIOPosix
import SMTPClient
import SMTPCore
import Testing

@Suite("Pooled connections", .timeLimit(.minutes(1)))
struct PoolingTests {
    @Test("a hundred messages in a row need one connection")
    func reuses() async throws {
        let server = try await RecordingDownstream()
        let peer = try Peer(server)
        for _ in 0..<100 {
            #expect(await peer.send(to: ["a@example.org"]).outcome?.kind == "accepted")
        }
        #expect(server.seen.connections == 1)
        #expect(server.seen.messages.count == 100)
        await server.stop()
    }

    @Test("an aborted transaction is reset before the connection serves another")
    func resets() async throws {
        let server = try await RecordingDownstream()
        let peer = try Peer(server)
        let transaction = try await peer.begin()
        _ = try await transaction.add(["a@example.org"])
        try await transaction.abort()
        try await transaction.abort()
        #expect(await peer.send(to: ["b@example.org"]).outcome?.kind == "accepted")
        let verbs = server.seen.lines.map { $0.prefix(4) }
        let isReused = verbs == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]
        // When the new transaction comes before the reset is answered, it has a connection of its own.
        #expect(isReused || server.seen.connections == 2)
        #expect(server.seen.messages.map(\.recipients) == [["RCPT TO:<b@example.org>"]])
        await server.stop()
    }

    @Test(
        "a kept connection that has died is replaced without a word",
        arguments: [
            RecordingDownstream.Response.close, .replyAndClose("421 4.4.2 Timeout, closing"), .reply("421 4.3.2 Shutting down"),
        ]
    )
    func replacesStale(response: RecordingDownstream.Response) async throws {
        let server = try await RecordingDownstream { line, connection in
            connection == 1 && line.hasPrefix("MAIL FROM:<>") ? response : nil
        }
        let peer = try Peer(server)
        #expect(await peer.send(to: ["a@example.org"]).outcome?.kind == "accepted")
        let transaction = try await peer.begin(MailCommand(reversePath: .null))
        #expect(try await transaction.add(["b@example.org"]).map(\.code) == [250])
        #expect(try await transaction.deliver(.memory([])).kind == "accepted")
        #expect(server.seen.connections == 2)
        await server.stop()
    }

    @Test(
        "a kept connection that was closed or spoke unasked is not used again",
        arguments: [nil, "421 4.4.2 Idle\r\n", "250 Hm\r\n"]
    )
    func dropsIdle(words: String?) async throws {
        let server = try await RecordingDownstream()
        let peer = try Peer(server)
        #expect(await peer.send(to: ["a@example.org"]).outcome?.kind == "accepted")
        if let words { try await server.say(words) } else { await server.dropConnections() }
        try await server.waitUntil { $0.open == 0 }
        #expect(await peer.send(to: ["a@example.org"]).outcome?.kind == "accepted")
        #expect(server.seen.connections == 2)
        await server.stop()
    }

    @Test("a transaction whose connection is lost before DATA is said again on another")
    func repeatsTransaction() async throws {
        let server = try await RecordingDownstream { line, connection in connection == 1 && line == "DATA" ? .close : nil }
        let peer = try Peer(server)
        let transaction = try await peer.begin()
        #expect(try await transaction.add(["a@example.org", "b@example.org"]).map(\.code) == [250, 250])
        #expect(try await transaction.deliver(.memory(Array("x\r\n".utf8))).kind == "accepted")
        #expect(server.seen.messages.map(\.recipients.count) == [2])
        #expect(server.seen.connections == 2)
        await server.stop()
    }

    @Test("said again and answered otherwise, the transaction fails: the client was told something else")
    func repeatsOnlyTheSame() async throws {
        let server = try await RecordingDownstream { line, connection in
            connection == 1 && line == "DATA" ? .close : connection == 2 && line.contains("<b@") ? .reply("550 5.1.1 No") : nil
        }
        let peer = try Peer(server)
        let transaction = try await peer.begin()
        #expect(try await transaction.add(["a@example.org", "b@example.org"]).map(\.code) == [250, 250])
        #expect(try await transaction.deliver(.memory(Array("x\r\n".utf8))).kind == "away")
        #expect(server.seen.messages.isEmpty)
        await server.stop()
    }

    @Test("the next host takes over, and the one that is away is left alone for a while")
    func failsOver() async throws {
        let away = try await RecordingDownstream { line, _ in line == "<greeting>" ? .reply("421 4.3.2 Not today") : nil }
        let server = try await RecordingDownstream()
        let peer = try Peer(away, server) { $0.maxConnections = 5 }
        let first = try await peer.begin()
        let second = try await peer.begin()
        #expect(try await first.add(["a@example.org"]).map(\.code) == [250])
        #expect(try await second.add(["b@example.org"]).map(\.code) == [250])
        #expect(away.seen.connections == 1)
        #expect(server.seen.connections == 2)
        try await first.abort()
        try await second.abort()
        await away.stop()
        await server.stop()
    }

    @Test("with every host away each recipient is put off")
    func allAway() async throws {
        let server = try await RecordingDownstream()
        let port = server.port
        await server.stop()
        let peer = try Peer(ports: [port])
        let transaction = try await peer.begin()
        let replies = try await transaction.add(["a@example.org", "b@example.org"])
        #expect(replies.map { "\($0.code) \($0.enhanced?.description ?? "")" } == ["451 4.4.1", "451 4.4.1"])
        #expect(try await transaction.awayReason != nil)
        #expect(try await transaction.add(["c@example.org"]).map(\.code) == [451])
        #expect(peer.directory.openConnections(of: peer.route) == 0)
    }

    @Test("the cap holds over event loops, and who waits is served in turn")
    func cap() async throws {
        let server = try await RecordingDownstream()
        let directory = DownstreamDirectory()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        let peers = try (0..<3).map { _ in
            try Peer(ports: [server.port], loop: group.next(), directory: directory) {
                $0.maxConnections = 2
                // Nobody is to be put off here, however busy the machine is.
                $0.connectSeconds = 50
            }
        }
        let kinds = await withTaskGroup(of: String.self) { tasks in
            for index in 0..<60 {
                tasks.addTask { await peers[index % 3].send(to: ["a@example.org"]).outcome?.kind ?? "none" }
            }
            return await tasks.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(kinds == ["accepted": 60])
        #expect(server.seen.messages.count == 60)
        // One may have gone from us that the server has not seen close.
        #expect(server.seen.maximumOpen <= 4)
        for peer in peers { try await peer.shutdown() }
        try await server.waitUntil { $0.open == 0 }
        await server.stop()
        try await group.shutdownGracefully()
    }

    @Test("who waits too long for a connection is put off")
    func waitsInVain() async throws {
        let server = try await RecordingDownstream()
        let peer = try Peer(server) {
            $0.maxConnections = 1
            $0.connectSeconds = 1
            $0.restMilliseconds = 60_000
        }
        let holder = try await peer.begin()
        #expect(try await holder.add(["a@example.org"]).map(\.code) == [250])
        let waiter = try await peer.begin()
        #expect(try await waiter.add(["b@example.org"]) == [DownstreamReply.busy])
        try await holder.abort()
        #expect(await peer.send(to: ["c@example.org"]).outcome?.kind == "accepted")
        #expect(server.seen.connections == 1)
        await server.stop()
    }

    @Test("who drips its message gives its connection to who waits, and is served when it is ready", arguments: [true, false])
    func restingIsParked(onOneLoop: Bool) async throws {
        let server = try await RecordingDownstream()
        let directory = DownstreamDirectory()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let loops = [group.next(), group.next()]
        let peers = try [loops[0], loops[onOneLoop ? 0 : 1]].map { loop in
            try Peer(ports: [server.port], loop: loop, directory: directory) {
                $0.maxConnections = 1
                $0.connectSeconds = 50
                $0.restMilliseconds = 50
            }
        }
        let slow = try await peers[0].begin()
        #expect(try await slow.add(["a@example.org"]).map(\.code) == [250])
        #expect(await peers[1].send(to: ["b@example.org"]).outcome?.kind == "accepted")
        #expect(try await slow.add(["c@example.org"]).map(\.code) == [250])
        #expect(await peers[1].send(to: ["d@example.org"]).outcome?.kind == "accepted")
        #expect(try await slow.deliver(.memory(Array("x\r\n".utf8))).kind == "accepted")
        #expect(
            server.seen.messages.map(\.recipients) == [
                ["RCPT TO:<b@example.org>"], ["RCPT TO:<d@example.org>"], ["RCPT TO:<a@example.org>", "RCPT TO:<c@example.org>"],
            ]
        )
        #expect(server.seen.maximumOpen <= 2)
        for peer in peers { try await peer.shutdown() }
        await server.stop()
        try await group.shutdownGracefully()
    }

    @Test("an unused connection is left with QUIT")
    func idleLimit() async throws {
        let server = try await RecordingDownstream()
        let peer = try Peer(server) { $0.idleSeconds = 1 }
        #expect(await peer.send(to: ["a@example.org"]).outcome?.kind == "accepted")
        try await server.waitUntil { $0.open == 0 }
        #expect(server.seen.lines.last == "QUIT")
        await server.stop()
    }

    @Test("the client is introduced anew for each transaction")
    func introducesClient() async throws {
        let server = try await RecordingDownstream(keywords: ["PIPELINING", "XCLIENT ADDR NAME HELO"])
        let peer = try Peer(server) { $0.sendsXCLIENT = true }
        for address in ["192.0.2.1", "2001:db8::1"] {
            let client = ClientIdentity(address: IPAddress(address)!, helo: "c+d.example")
            let transaction = try await peer.begin(client: client)
            #expect(try await transaction.add(["a@example.org"]).map(\.code) == [250])
            #expect(try await transaction.deliver(.memory([])).kind == "accepted")
        }
        #expect(
            server.seen.lines.filter { $0.hasPrefix("XCLIENT") } == [
                "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1 HELO=c+2Bd.example",
                "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 HELO=c+2Bd.example",
            ]
        )
        #expect(server.seen.connections == 1)
        #expect(
            server.seen.lines.filter { $0.hasPrefix("EHLO") } == ["EHLO gateway.test", "EHLO c+d.example", "EHLO c+d.example"]
        )
        await server.stop()
    }

    @Test("a probe learns what the server can do")
    func probes() async throws {
        let server = try await RecordingDownstream(keywords: ["SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN"])
        let peer = try Peer(server)
        #expect(peer.directory.capabilities(of: peer.route) == nil)
        await peer.directory.probe([peer.route], on: MultiThreadedEventLoopGroup.singleton, logger: Peer.silent)
        let capabilities = try #require(peer.directory.capabilities(of: peer.route))
        #expect(capabilities.size == 1_000 && capabilities.smtpUTF8 && capabilities.dsn && !capabilities.pipelining)
        try await server.waitUntil { $0.open == 0 }
        await server.stop()
    }
}
