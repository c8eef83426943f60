import ContentStorage
import Logging
import MailTypes
import NIOCore
import NIOPosix
import SMTPClient
import SMTPCore

/// One event loop with its pool, driven from a test's task.
final class Peer: Sendable {
    let loop: any EventLoop
    let directory: DownstreamDirectory
    let route: DownstreamRoute
    private let pool: NIOLoopBoundBox<DownstreamPool>

    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    convenience init(_ servers: RecordingDownstream..., change: (inout DownstreamRoute) -> Void = { _ in }) throws {
        try self.init(ports: servers.map(\.port), change: change)
    }

    init(
        ports: [UInt16],
        loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
        directory: DownstreamDirectory = DownstreamDirectory(),
        change: (inout DownstreamRoute) -> Void = { _ in }
    ) throws {
        var route = DownstreamRoute(
            hosts: ports.map { DownstreamHost(name: "127.0.0.1", port: $0) },
            connectSeconds: 5,
            replySeconds: 10,
            finalReplySeconds: 10,
            heloName: "gateway.test"
        )
        change(&route)
        self.route = route
        self.loop = loop
        self.directory = directory
        self.pool = try loop.submit {
            NIOLoopBoundBox(DownstreamPool(eventLoop: loop, directory: directory, logger: Peer.silent), eventLoop: loop)
        }.wait()
    }

    static let client = ClientIdentity(address: IPAddress("192.0.2.7")!, port: 4711, helo: "client.example.com")

    static func mail(_ parameters: MailParameters = MailParameters()) -> MailCommand {
        MailCommand(reversePath: .mailbox(MailAddress("sender@example.com")!), parameters: parameters)
    }

    func begin(_ mail: MailCommand = Peer.mail(), client: ClientIdentity = Peer.client) async throws -> Transaction {
        let box = try await self.loop.submit {
            NIOLoopBound(self.pool.value.begin(mail, client: client, route: self.route), eventLoop: self.loop)
        }.get()
        return Transaction(loop: self.loop, box: box)
    }

    func shutdown() async throws {
        try await self.loop.submit { self.pool.value.shutdown() }.get()
    }

    /// The whole of a transaction.
    func send(to recipients: [String], text: String = "Subject: test\r\n\r\ntext\r\n") async -> DeliveryResult {
        do {
            let transaction = try await self.begin()
            let replies = try await transaction.add(recipients)
            guard replies.contains(where: \.isPositive) else {
                try await transaction.abort()
                return DeliveryResult(recipients: replies, outcome: nil)
            }
            let outcome = try await transaction.deliver(.memory(Array(text.utf8)), header: "X-Seen: yes\r\n")
            return DeliveryResult(recipients: replies, outcome: outcome)
        } catch {
            return DeliveryResult(recipients: [], outcome: .internalError("\(error)"))
        }
    }
}

/// A transaction that a test's task can drive.
struct Transaction: Sendable {
    let loop: any EventLoop
    let box: NIOLoopBound<DownstreamTransaction>

    func add(_ recipients: [String]) async throws -> [SMTPReply] {
        try await self.add(recipients.map { Recipient(MailAddress($0, allowUTF8: true)!) })
    }

    func add(_ recipients: [Recipient]) async throws -> [SMTPReply] {
        let promise = self.loop.makePromise(of: [SMTPReply].self)
        self.loop.execute { self.box.value.add(recipients) { promise.succeed($0) } }
        return try await promise.futureResult.get()
    }

    func startDelivery(
        _ content: MessageContent,
        header: String = "",
        facts: ContentFacts = ContentFacts()
    ) -> EventLoopFuture<DeliveryOutcome> {
        let promise = self.loop.makePromise(of: DeliveryOutcome.self)
        self.loop.execute {
            self.box.value.deliver(header: Array(header.utf8), content: content, facts: facts) { promise.succeed($0) }
        }
        return promise.futureResult
    }

    func deliver(
        _ content: MessageContent,
        header: String = "",
        facts: ContentFacts = ContentFacts()
    ) async throws -> DeliveryOutcome {
        try await self.startDelivery(content, header: header, facts: facts).get()
    }

    func abort() async throws {
        try await self.loop.submit { self.box.value.abort() }.get()
    }

    var accepted: [String] {
        get async throws { try await self.loop.submit { self.box.value.acceptedRecipients.map(\.forwardPath.text) }.get() }
    }

    var awayReason: String? {
        get async throws { try await self.loop.submit { self.box.value.awayReason }.get() }
    }
}

extension DeliveryOutcome {
    /// What the downstream said, if it took the message.
    var acceptedText: String? {
        if case .accepted(let reply) = self { reply.description } else { nil }
    }

    /// Without the words.
    var kind: String {
        switch self {
        case .accepted: "accepted"
        case .refused(let reply): "refused \(reply.code)"
        case .away: "away"
        case .unknown: "unknown"
        case .internalError(let text): "internal error \(text)"
        }
    }
}
