import Foundation
import Logging
import MailTypes
import NIOCore
import NIOPosix
import OpenSSLKit
import OutpostTestKit
import SMTPCore
import SMTPServer
import Synchronization
import TLSTransport
import Testing

/// Says EHLO and STARTTLS, puts TLS below, then says all the rest; keeps what the server says.
private final class StartTLSClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let context: TLSClientContext
    private let rest: String
    private let done: EventLoopPromise<String>
    private var plain = ""
    private var secured = ""
    private var isSecured = false
    private var isSecuring = false

    init(_ context: TLSClientContext, rest: String, done: EventLoopPromise<String>) {
        self.context = context
        self.rest = rest
        self.done = done
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let text = String(buffer: self.unwrapInboundIn(data))
        if self.isSecured {
            self.secured += text
            return
        }
        let old = self.plain
        self.plain += text
        if old.isEmpty { self.send("EHLO before\r\n", context) }
        if self.plain.hasSuffix("250 CHUNKING\r\n") { self.send("STARTTLS\r\n", context) }
        guard self.plain.hasSuffix("220 2.0.0 Ready to start TLS\r\n"), !self.isSecuring else { return }
        self.isSecuring = true
        do {
            let engine = try self.context.makeEngine(serverName: nil)
            try context.pipeline.syncOperations.addHandler(TLSHandler(engine: engine), position: .first)
        } catch {
            self.done.fail(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .established? = event as? TLSEvent else { return }
        self.isSecured = true
        self.send(self.rest, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.done.succeed(self.secured)
    }

    private func send(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}

@Suite("STARTTLS over sockets")
struct StartTLSTests {
    @Test("a session begins anew behind the handshake and carries a message", .timeLimit(.minutes(1)))
    func session() async throws {
        let files = try TestCertificates.shared.get().make(["mx.test"])
        let server = try TLSServerContext(
            certificates: [CertificateFiles(certificate: files.certificate, privateKey: files.privateKey)]
        )
        let client = try TLSClientContext(authorities: nil, verifies: false)
        let log = SessionLog()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let listener = try await SMTPListener.bind(
            SMTPListener.Configuration(port: 0, hostname: "mx.test", tlsRequired: true),
            group: MultiThreadedEventLoopGroup.singleton,
            gate: ConnectionGate(total: 10, perAddress: 10),
            tls: server,
            logger: logger
        ) { ScriptedSession($0, $1, log, .nextTick) }
        let address = try #require(listener.localAddress)
        let body = String(repeating: "0123456789\r\n", count: 10_000)
        let rest = "MAIL FROM:<a@b.c>\r\nEHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n\(body).\r\nQUIT\r\n"
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let done = loop.makePromise(of: String.self)
        _ = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StartTLSClient(client, rest: rest, done: done))
                }
            }
            .connect(to: address).get()
        let replies = try await done.futureResult.get()
        let codes = replies.split(separator: "\r\n").filter { $0.dropFirst(3).first == " " }.compactMap { Int($0.prefix(3)) }
        #expect(codes == [503, 250, 250, 250, 354, 250, 221])
        #expect(!replies.contains("STARTTLS"))
        #expect(log.messages == [Array(body.utf8)])
        await listener.shutdown(grace: .seconds(1))
        #expect(log.summaries.first?.client.tls?.version == "TLSv1.3")
        #expect(log.summaries.first?.reason == "quit")
    }
}
