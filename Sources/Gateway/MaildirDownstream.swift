import ContentStorage
import Glibc
import Logging
import MailTypes
import NIOCore
import NIOPosix
import SMTPCore
import SMTPServer
import SystemKit

/// A small mail server for trying the gateway out: accepts mail for every recipient but those whose local part is
/// `nobody`, and keeps each message as a file in a Maildir. It is no mail server to rely on.
package final class MaildirDownstream: Sendable {
    private let listener: SMTPListener
    private let group: MultiThreadedEventLoopGroup

    /// Listens on 127.0.0.1.
    package static func start(maildir: String, port: UInt16, logger: Logger) async throws -> MaildirDownstream {
        for directory in [maildir, maildir + "/tmp", maildir + "/new", maildir + "/cur"] {
            try Directory.make(directory)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let clock = TransactionClock()
        let configuration = SMTPListener.Configuration(
            address: IPAddress.loopback4.description,
            port: Int(port),
            backlog: 128,
            hostname: "downstream.localhost",
            limits: SessionLimits(),
            bareLineEnds: .accept,
            maximumSize: 100 * 1_048_576,
            proxyProtocolFrom: [],
            xclientFrom: [],
            tlsRequired: false,
            contentDirectory: maildir + "/tmp",
            memoryThreshold: ContentWriter.defaultThreshold
        )
        let listener = try await SMTPListener.bind(
            configuration,
            group: group,
            gate: ConnectionGate(total: 1_000, perAddress: 1_000),
            tls: nil,
            logger: logger
        ) { eventLoop, _ in
            MaildirSession(maildir: maildir, clock: clock, eventLoop: eventLoop)
        }
        return MaildirDownstream(listener: listener, group: group)
    }

    private init(listener: SMTPListener, group: MultiThreadedEventLoopGroup) {
        self.listener = listener
        self.group = group
    }

    package var port: Int? { self.listener.localAddress?.port }

    package func stop() async {
        await self.listener.shutdown(grace: .seconds(1))
        try? await self.group.shutdownGracefully()
    }
}

private final class MaildirSession: SMTPSession {
    private let maildir: String
    private let clock: TransactionClock
    private let eventLoop: any EventLoop

    init(maildir: String, clock: TransactionClock, eventLoop: any EventLoop) {
        self.maildir = maildir
        self.clock = clock
        self.eventLoop = eventLoop
    }

    func ask(_ question: ServerQuestion, content: MessageContent?, answer: @escaping (ServerAnswer) -> Void) {
        switch question {
        case .connected, .data:
            answer(.proceed)
        case .hello:
            answer(.capabilities(ServerCapabilities(size: 100 * 1_048_576, eightBitMIME: true, smtpUTF8: true, dsn: true)))
        case .mail:
            answer(.replies([.success(.ok, (1, 0), "Ok")]))
        case .recipients(let recipients):
            answer(
                .replies(
                    recipients.map {
                        $0.forwardPath.localPart == "nobody"
                            ? .permanent(.mailboxUnavailable, (1, 1), "<\($0.forwardPath)>: there is no such user here")
                            : .success(.ok, (1, 5), "Ok")
                    }
                )
            )
        case .message:
            guard let content else { preconditionFailure("a message without content") }
            self.keep(content, answer: answer)
        }
    }

    func transactionReset() {}
    func repliesHeard() {}
    func connectionClosed(_ summary: ConnectionSummary) {}

    private func keep(_ content: MessageContent, answer: @escaping (ServerAnswer) -> Void) {
        let id = self.clock.nextID()
        let maildir = self.maildir
        NIOThreadPool.singleton.runIfActive(eventLoop: self.eventLoop) {
            let file = try File(creating: "\(maildir)/tmp/\(id).eml")
            try file.write(content.bytes(), at: 0)
            try file.synchronize()
            guard rename("\(maildir)/tmp/\(id).eml", "\(maildir)/new/\(id).eml") == 0 else { throw SystemError("rename") }
            try File.synchronizeDirectory(maildir + "/new")
        }
        .assumeIsolated()
        .whenComplete { result in
            switch result {
            case .success: answer(.replies([.success(.ok, (0, 0), "Ok: kept as \(id)")]))
            case .failure: answer(.replies([.transient(.localError, (3, 0), "Cannot keep the message")]))
            }
        }
    }
}
