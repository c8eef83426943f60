import Foundation
import MailTypes
import NIOCore
import NIOPosix
import OpenSSLKit
import OutpostTestKit
import TLSTransport
import Testing

@Suite("TLS over loopback")
struct LoopbackTests {
    let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    private func withServer(
        _ context: TLSServerContext? = nil,
        _ body: (LoopbackServer) async throws -> Void
    ) async throws {
        let server = try await LoopbackServer(context ?? self.certificates.server())
        do {
            try await body(server)
        } catch {
            try? await server.stop()
            throw error
        }
        try await server.stop()
    }

    private static func facts(_ log: ConnectionLog) -> [TLSFacts] {
        log.events.compactMap { if case .established(let facts) = $0 { facts } else { nil } }
    }

    @Test("s_client speaks with it", arguments: ["1_2", "1_3"], TestCertificates.Key.allCases)
    func client(version: String, key: TestCertificates.Key) async throws {
        try await self.withServer(self.certificates.server(key: key)) { server in
            let result = try await server.client(
                ["-tls\(version)", "-quiet", "-verify_return_error", "-CAfile", self.certificates.authority, "-verify_hostname"]
                    + ["mx.example.org", "-servername", "mx.example.org"],
                input: "hello over TLS\nquit\n"
            )
            #expect(result.status == 0, "\(result.output)")
            #expect(result.output.contains("hello over TLS\nquit\n"))
            let facts = Self.facts(server.log)
            #expect(facts.map(\.version) == ["TLSv\(version.replacing("_", with: "."))"])
            #expect(facts.first?.serverName == "mx.example.org")
        }
    }

    @Test("TLS 1.1 is refused with a reason")
    func oldVersion() async throws {
        try await self.withServer { server in
            let result = try await server.client(["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], input: "quit\n")
            #expect(result.status != 0)
            #expect(try await eventually { server.log.closed == 1 })
            guard case .failed(let reason)? = server.log.events.first else {
                Issue.record("TLS 1.1 was not refused: \(server.log.events)")
                return
            }
            #expect(reason.contains("unsupported protocol"))
        }
    }

    @Test("both keys of a name are offered, and other names have their own certificate")
    func certificateChoice() async throws {
        let context = try TLSServerContext(certificates: [
            CertificateFiles(try self.certificates.make(["mx.example.org"], key: .rsa)),
            CertificateFiles(try self.certificates.make(["mx.example.org"], key: .p256)),
            CertificateFiles(try self.certificates.make(["mail.example.net"], key: .p256)),
        ])
        try await self.withServer(context) { server in
            for (name, algorithms, expected, signature) in [
                ("mx.example.org", "RSA-PSS+SHA256", "CN = mx.example.org", "RSA-PSS"),
                ("mx.example.org", "ECDSA+SHA256", "CN = mx.example.org", "ECDSA"),
                ("mail.example.net", "ECDSA+SHA256", "CN = mail.example.net", "ECDSA"),
            ] {
                let result = try await server.client(["-servername", name, "-sigalgs", algorithms], input: "quit\n")
                #expect(result.output.contains("subject=\(expected)"))
                #expect(result.output.contains("Peer signature type: \(signature)"))
            }
        }
    }

    @Test("a session is taken up again", arguments: ["-tls1_2", "-tls1_3"])
    func resumption(version: String) async throws {
        let directory = try TemporaryDirectory()
        let session = "\(directory.path)/session.pem"
        try await self.withServer { server in
            let first = try await server.client([version, "-sess_out", session], input: "quit\n")
            let second = try await server.client([version, "-sess_in", session], input: "quit\n")
            #expect(first.output.contains("New, TLS"))
            #expect(second.output.contains("Reused, TLS"), "\(second.output)")
            #expect(Self.facts(server.log).map(\.resumed) == [false, true])
        }
        // Another context has other keys: a full handshake, no failure.
        try await self.withServer { server in
            let third = try await server.client([version, "-sess_in", session], input: "quit\n")
            #expect(third.output.contains("New, TLS"))
        }
    }

    @Test("a renegotiation is refused")
    func renegotiation() async throws {
        try await self.withServer { server in
            let result = try await server.client(["-tls1_2"], ending: [], input: "R\n")
            #expect(result.output.contains("no renegotiation"), "\(result.output)")
            #expect(Self.facts(server.log).count == 1)
        }
    }

    @Test("a client speaks with s_server", arguments: ["-tls1_2", "-tls1_3"])
    func server(version: String) async throws {
        let files = try self.certificates.make(["mx.example.org"])
        let peer = Process()
        peer.executableURL = URL(filePath: "/usr/bin/env")
        peer.arguments = [
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-rev", version, "-cert", files.certificate, "-key",
            files.privateKey,
        ]
        let output = Pipe()
        peer.standardInput = FileHandle.nullDevice
        peer.standardOutput = output
        peer.standardError = FileHandle.nullDevice
        try peer.run()
        defer { kill(peer.processIdentifier, SIGKILL) }
        let port = try await onOwnThread { try acceptPort(output.fileHandleForReading) }

        let trusting = try TLSClientContext(authorities: self.certificates.authority, verifies: true)
        let good = try await TransferClient.connect(
            port: port,
            engine: { try trusting.makeEngine(serverName: "mx.example.org") },
            bytes: ByteBuffer(string: "abc\n")
        )
        #expect(try await good.received.get() == ByteBuffer(string: "cba\n"))
        try await good.stop()
        let bad = try await TransferClient.connect(
            port: port,
            engine: { try trusting.makeEngine(serverName: "mx.example.net") },
            bytes: ByteBuffer(string: "abc\n")
        )
        let error = await #expect(throws: TLSError.self) { _ = try await bad.received.get() }
        #expect(error?.reason.lowercased().contains("hostname mismatch") == true)
        try await bad.stop()
    }

    @Test("10 MiB go both ways with back-pressure")
    func bulk() async throws {
        try await self.withServer { server in
            var bytes = ByteBuffer()
            for number in 0..<(10 * 1024 * 1024 / 8) { bytes.writeInteger(UInt64(number) &* 0x9e37_79b9_7f4a_7c15) }
            let client = try await TransferClient.connect(
                port: server.port,
                engine: { try TLSClientContext(authorities: nil, verifies: false).makeEngine(serverName: nil) },
                bytes: bytes
            )
            #expect(try await client.received.get() == bytes)
            try await client.stop()
        }
    }

    @Test("connections that end in the handshake leave nothing behind")
    func halfOpen() async throws {
        try await self.withServer { server in
            let group = server.group
            let hello = try TLSClientContext(authorities: nil, verifies: false).makeEngine(serverName: nil)
            _ = hello.handshake()
            let bytes = hello.output()
            for octets in [0, 1, 5, 6, 100, bytes.readableBytes] {
                let channel = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: server.port).get()
                if let part = bytes.getSlice(at: 0, length: octets), octets > 0 { try await channel.writeAndFlush(part) }
                try await channel.close()
            }
            #expect(try await eventually { server.log.closed == 6 })
            #expect(server.log.events.allSatisfy { if case .failed = $0 { true } else { false } })
            #expect(server.log.events.count == 6, "\(server.log.events)")
            let log = server.log
            #expect(try await eventually { try await group.next().submit { log.livingEngines }.get() == 0 })
        }
    }
}

/// The port in s_server's line `ACCEPT 127.0.0.1:12345`.
private func acceptPort(_ output: FileHandle) throws -> Int {
    var text = ""
    while case let data = output.availableData, !data.isEmpty {
        text += String(decoding: data, as: UTF8.self)
        if let match = text.firstMatch(of: /ACCEPT [0-9.]+:([0-9]+)\n/), let port = Int(match.1) { return port }
    }
    throw TLSError("s_server did not start: \(text)")
}

/// Sends octets while the connection takes them, and waits for as many to come back.
private struct TransferClient {
    let group: MultiThreadedEventLoopGroup
    let channel: any Channel
    let received: EventLoopFuture<ByteBuffer>

    static func connect(
        port: Int,
        engine: @escaping @Sendable () throws -> TLSEngine,
        bytes: ByteBuffer
    ) async throws -> TransferClient {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let promise = group.next().makePromise(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        TLSHandler(engine: try engine()), TransferHandler(bytes: bytes, done: promise),
                    ])
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return TransferClient(group: group, channel: channel, received: promise.futureResult)
    }

    func stop() async throws {
        try? await self.channel.close()
        try await self.group.shutdownGracefully()
    }
}

private final class TransferHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var toSend: ByteBuffer
    private let expected: Int
    private var received = ByteBuffer()
    private let done: EventLoopPromise<ByteBuffer>

    init(bytes: ByteBuffer, done: EventLoopPromise<ByteBuffer>) {
        self.toSend = bytes
        self.expected = bytes.readableBytes
        self.done = done
    }

    private func send(_ context: ChannelHandlerContext) {
        while context.channel.isWritable, self.toSend.readableBytes > 0 {
            let piece = self.toSend.readSlice(length: min(100_000, self.toSend.readableBytes))!
            context.writeAndFlush(self.wrapOutboundOut(piece), promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSEvent {
        case .established: self.send(context)
        case .failed(let reason): self.done.fail(TLSError(reason))
        case nil: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.send(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
        if self.received.readableBytes >= self.expected { self.done.succeed(self.received) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.done.fail(ChannelError.eof)
    }
}
