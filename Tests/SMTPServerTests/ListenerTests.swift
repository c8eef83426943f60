import Foundation
import Logging
import MailTypes
import NIOCore
import NIOPosix
import OutpostTestKit
import SMTPCore
import SMTPServer
import Synchronization
import Testing

@Suite("Listener over sockets")
struct ListenerTests {
    private struct Server {
        var listener: SMTPListener
        var log: SessionLog
        var gate: ConnectionGate
        var port: Int { self.listener.localAddress?.port ?? 0 }

        func client() throws -> SocketClient { try SocketClient(port: self.port) }

        /// Waits until so many connections have ended; the count of summaries then.
        func ended(_ count: Int) async -> [ConnectionSummary] {
            for _ in 0..<500 where self.log.summaries.count < count {
                try? await Task.sleep(for: .milliseconds(10))
            }
            return self.log.summaries
        }
    }

    private static func start(
        timing: ScriptedSession.Timing = .atOnce,
        gate: ConnectionGate = ConnectionGate(total: 100, perAddress: 100),
        _ configure: (inout SMTPListener.Configuration) -> Void = { _ in }
    ) async throws -> Server {
        var configuration = SMTPListener.Configuration(address: "127.0.0.1", port: 0, hostname: "mx.test")
        configuration.contentDirectory = FileManager.default.temporaryDirectory.path
        configure(&configuration)
        let log = SessionLog()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let listener = try await SMTPListener.bind(
            configuration,
            group: MultiThreadedEventLoopGroup.singleton,
            gate: gate,
            tls: nil,
            logger: logger
        ) { loop, client in ScriptedSession(loop, client, log, timing) }
        return Server(listener: listener, log: log, gate: gate)
    }

    private static let envelope = "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n"

    @Test("a message comes in whole, answered at once or later", arguments: [true, false])
    func ordinary(atOnce: Bool) async throws {
        let server = try await Self.start(timing: atOnce ? .atOnce : .nextTick)
        let client = try server.client()
        #expect(try client.reply() == "220 mx.test ESMTP Outpost")
        client.write("\(Self.envelope)DATA\r\n")
        #expect(try client.codes(4) == [250, 250, 250, 354])
        client.write("Subject: x\r\n\r\n..\r\n.\r\nQUIT\r\n")
        #expect(client.codesToEnd() == [250, 221])
        #expect(server.log.messages == [Array("Subject: x\r\n\r\n.\r\n".utf8)])
        let summaries = await server.ended(1)
        #expect(summaries.first?.reason == "quit")
        #expect(summaries.first?.accepted == 1)
        await server.listener.shutdown(grace: .seconds(1))
        #expect(server.gate.open == 0)
    }

    @Test("dripped octet by octet it is the same message")
    func drip() async throws {
        let server = try await Self.start(timing: .nextTick)
        let client = try server.client()
        for byte in "\(Self.envelope)DATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n".utf8 { client.write([byte]) }
        #expect(client.codesToEnd() == [220, 250, 250, 250, 354, 250, 221])
        #expect(server.log.messages == [Array("Subject: x\r\n\r\n.\r\n".utf8)])
        await server.listener.shutdown(grace: .seconds(1))
    }

    @Test("a large message goes to a file, octet for octet")
    func spill() async throws {
        let server = try await Self.start { $0.memoryThreshold = 100_000 }
        let client = try server.client()
        let line = Array("0123456789012345678901234567890123456789012345678901234567890123456789\r\n".utf8)
        let body = [UInt8]((0..<50_000).map { _ in line }.joined())
        client.write(Array("\(Self.envelope)DATA\r\n".utf8) + body + Array(".\r\nQUIT\r\n".utf8))
        #expect(client.codesToEnd() == [220, 250, 250, 250, 354, 250, 221])
        #expect(server.log.messages == [body])
        #expect(server.log.entries.withLock { $0.fileBacked } == 1)
        await server.listener.shutdown(grace: .seconds(1))
    }

    @Test("when the content cannot be stored it is read to its end and refused for now")
    func cannotStore() async throws {
        let server = try await Self.start {
            $0.memoryThreshold = 10
            $0.contentDirectory = "/nonexistent/outpost"
        }
        let client = try server.client()
        let body = String(repeating: "x\r\n", count: 100_000)
        client.write("\(Self.envelope)DATA\r\n\(body).\r\nNOOP\r\nQUIT\r\n")
        #expect(client.codesToEnd() == [220, 250, 250, 250, 354, 452, 250, 221])
        #expect(server.log.messages.isEmpty)
        await server.listener.shutdown(grace: .seconds(1))
    }

    @Test("an early talker is told so and closed")
    func earlyTalker() async throws {
        let server = try await Self.start { $0.limits.greetingDelayMilliseconds = 60_000 }
        let client = try server.client()
        client.write("EHLO x\r\n")
        #expect(client.codesToEnd() == [554])
        let summaries = await server.ended(1)
        #expect(summaries.first?.reason == "early talker")
    }

    @Test("the gate counts by the address that the PROXY header tells")
    func gate() async throws {
        let server = try await Self.start(gate: ConnectionGate(total: 3, perAddress: 1)) {
            $0.proxyProtocolFrom = [IPNetwork(.loopback4)]
        }
        func client(_ address: String) throws -> SocketClient {
            let client = try server.client()
            client.write("PROXY TCP4 \(address) 192.0.2.1 1 25\r\n")
            return client
        }
        let first = try client("192.0.2.7")
        #expect(try first.codes(1) == [220])
        #expect(try client("192.0.2.7").codesToEnd() == [421])
        let second = try client("192.0.2.8")
        #expect(try second.codes(1) == [220])
        #expect(server.log.entries.withLock { $0.clients.map(\.address) } == [IPAddress("192.0.2.7"), IPAddress("192.0.2.8")])
        first.write("QUIT\r\n")
        #expect(first.codesToEnd() == [221])
        _ = await server.ended(1)
        #expect(try client("192.0.2.7").codes(1) == [220])
        await server.listener.shutdown(grace: .milliseconds(10))
        #expect(server.gate.open == 0)
    }

    @Test("a silent client is told of the timeout")
    func timeout() async throws {
        let server = try await Self.start { $0.limits.idleSeconds = 1 }
        let client = try server.client()
        #expect(client.codesToEnd() == [220, 421])
        let summaries = await server.ended(1)
        #expect(summaries.first?.reason == "timeout after CONNECT")
    }

    @Test("a client that goes away while its message is judged is noticed")
    func lostDuringQuestion() async throws {
        let server = try await Self.start(timing: .never)
        do {
            let client = try server.client()
            client.write("\(Self.envelope)DATA\r\nx\r\n.\r\n")
            #expect(try client.codes(5) == [220, 250, 250, 250, 354])
        }
        let summaries = await server.ended(1)
        #expect(summaries.first?.reason == "lost after end of data")
    }

    @Test("a client that goes on, or closes behind the reply, has heard it; one that is cut off has not")
    func heard() async throws {
        let server = try await Self.start()
        let message = "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n"
        func heard() -> Int { server.log.entries.withLock { $0.heard } }
        do {
            let client = try server.client()
            client.write("EHLO c\r\n\(message)")
            #expect(try client.codes(5) == [220, 250, 250, 250, 354])
            client.write("x\r\n.\r\n")
            #expect(try client.reply().hasPrefix("250"))
            #expect(heard() == 0)
            client.write("NOOP\r\n")
            #expect(try client.codes(1) == [250])
            #expect(heard() == 1)
            client.write(message)
            #expect(try client.codes(3) == [250, 250, 354])
            client.write("x\r\n.\r\nNOOP\r\n")
            #expect(try client.codes(2) == [250, 250])
            // NOOP was on its way before the reply.
            #expect(heard() == 1)
        }
        #expect(await server.ended(1).count == 1)
        #expect(heard() == 2)
        do {
            let client = try server.client()
            client.write("EHLO c\r\n\(message)")
            #expect(try client.codes(5) == [220, 250, 250, 250, 354])
            client.write("x\r\n.\r\n")
            #expect(try client.reply().hasPrefix("250"))
            client.abort()
        }
        #expect(await server.ended(2).count == 2)
        #expect(heard() == 2)
        await server.listener.shutdown(grace: .seconds(1))
    }

    @Test("a client that sends everything and closes its half gets its replies")
    func halfClose() async throws {
        let server = try await Self.start(timing: .nextTick)
        let client = try server.client()
        client.write("\(Self.envelope)DATA\r\nx\r\n.\r\nQUIT\r\n")
        client.endOutput()
        #expect(client.codesToEnd() == [220, 250, 250, 250, 354, 250, 221])
        #expect(server.log.entries.withLock { $0.heard } == 1)
        await server.listener.shutdown(grace: .seconds(1))
    }

    @Test("a client that drips octets gets no more time than its octets are worth", arguments: ["DATA\r\n", ""])
    func dripping(command: String) async throws {
        let server = try await Self.start {
            $0.limits.dataSeconds = 1
            $0.limits.idleSeconds = 1
        }
        let client = try server.client()
        client.write(Self.envelope + command)
        #expect(try client.codes(command.isEmpty ? 4 : 5).first == 220)
        // Never silent for a second; as text, and in chunks of one octet.
        let end = ContinuousClock.now + .seconds(20)
        var drips = 0
        while server.log.summaries.isEmpty, ContinuousClock.now < end {
            client.write(command.isEmpty ? "BDAT 1\r\nx" : "x")
            drips += 1
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(drips > 5 && drips < 60)
        #expect(client.codesToEnd().last == 421)
        #expect(server.log.messages.isEmpty)
    }

    @Test("shutdown closes idle sessions at once and lets a transaction finish")
    func shutdown() async throws {
        let server = try await Self.start()
        let idle = try server.client()
        let busy = try server.client()
        #expect(try idle.codes(1) == [220])
        busy.write(Self.envelope)
        #expect(try busy.codes(4) == [220, 250, 250, 250])
        async let ended: Void = server.listener.shutdown(grace: .seconds(20))
        #expect(idle.codesToEnd() == [421])
        busy.write("DATA\r\nx\r\n.\r\n")
        #expect(busy.codesToEnd() == [354, 250, 421])
        await ended
        #expect(server.log.messages.count == 1)
        #expect(throws: (any Error).self) { try server.client().codes(1) }
    }

    @Test("when the grace is over open transactions end with 421")
    func graceIsOver() async throws {
        let server = try await Self.start()
        let busy = try server.client()
        busy.write(Self.envelope)
        #expect(try busy.codes(4) == [220, 250, 250, 250])
        await server.listener.shutdown(grace: .milliseconds(50))
        #expect(busy.codesToEnd() == [421])
    }

    @Test("new connections get the new configuration")
    func update() async throws {
        let server = try await Self.start()
        let log = server.log
        var configuration = SMTPListener.Configuration(port: 0, hostname: "new.test")
        configuration.limits.errors = 1
        let old = try server.client()
        #expect(try old.reply() == "220 mx.test ESMTP Outpost")
        server.listener.update(configuration, tls: nil) { ScriptedSession($0, $1, log, .atOnce) }
        let new = try server.client()
        #expect(try new.reply() == "220 new.test ESMTP Outpost")
        new.write("WHAT\r\n")
        #expect(new.codesToEnd() == [500, 421])
        old.write("WHAT\r\nQUIT\r\n")
        #expect(old.codesToEnd() == [500, 221])
        await server.listener.shutdown(grace: .milliseconds(10))
    }

    @Test("end-of-data forms that are none", arguments: SmugglingForms.all)
    func smuggling(_ form: String) async throws {
        let server = try await Self.start()
        let client = try server.client()
        client.write(
            "\(Self.envelope)DATA\r\nSubject: x\r\n\r\nfirst\(form)MAIL FROM:<evil@example.com>\r\nRCPT TO:<x@y.z>\r\n.\r\nQUIT\r\n"
        )
        #expect(client.codesToEnd() == [220, 250, 250, 250, 354, 554, 221])
        #expect(server.log.messages.isEmpty)
        await server.listener.shutdown(grace: .seconds(1))
    }
}

enum SmugglingForms {
    static let all = [
        "\n.\n", "\r.\r", "\r.\n", "\n.\r", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r", "\r\n\u{0}.\r\n", "\r\n.\u{0}\r\n",
        "\r\n.\r\r\n", "\r\r\n.\r\r\n",
    ]
}
