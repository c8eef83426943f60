import ContentStorage
import Logging
import MailTypes
import NIOCore
import NIOPosix
import OpenSSLKit
import SMTPCore
import TLSTransport

/// A connection to a downstream server: translates between its channel and the relay machine.
final class DownstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct SetUpFailure: Error {
        let loss: ConnectionLoss
    }

    /// Octets that wait in the channel before a message's next piece is read, and when reading goes on: what a fast
    /// network carries in some milliseconds.
    static let writeBuffer = ChannelOptions.Types.WriteBufferWaterMark(low: 128 * 1024, high: 512 * 1024)

    let id: PoolMachine.ConnectionID
    let host: DownstreamHost
    private let pool: RoutePool
    private var machine: ClientSessionMachine
    private var decoder = ReplyDecoder()
    private var unread = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var content: OutgoingContent?
    private var deadline: NIODeadline?
    private var timer: (due: NIODeadline, task: Scheduled<Void>)?
    /// Held until it is over: whoever began it delivers or aborts it.
    private var transaction: DownstreamTransaction?
    private var isMember = false

    private var setUpResult: Result<DownstreamCapabilities, SetUpFailure>?
    /// Called once, when the connection is ready or cannot become so. It is set when the attempt has chosen this channel
    /// among those to the addresses of a host.
    var whenSetUp: ((Result<DownstreamCapabilities, SetUpFailure>) -> Void)? {
        didSet { self.reportSetUp() }
    }
    /// It has carried a transaction before.
    private(set) var isUsed = false

    init(id: PoolMachine.ConnectionID, host: DownstreamHost, pool: RoutePool, withoutTLS: Bool) {
        self.id = id
        self.host = host
        self.pool = pool
        let security: ClientSessionSettings.Security =
            switch pool.route.tls {
            case .none: .none
            case .opportunistic: withoutTLS ? .none : .opportunistic
            case .required: .required
            }
        self.machine = ClientSessionMachine(
            settings: ClientSessionSettings(
                heloName: pool.route.heloName,
                security: security,
                sendsXCLIENT: pool.route.sendsXCLIENT
            )
        )
    }

    // MARK: The transaction's wishes

    func begin(_ transaction: DownstreamTransaction) {
        self.transaction = transaction
        self.machine.begin(transaction.mail, client: transaction.client)
    }

    func add(_ recipients: [Recipient]) {
        self.perform(self.machine.add(recipients))
    }

    func deliver(_ content: OutgoingContent, facts: ContentFacts) {
        self.content = content
        self.perform(self.machine.startContent(facts))
    }

    func abort() {
        self.perform(self.machine.abort())
    }

    /// The transaction goes on without this connection, which is reset and used again.
    func forsake() {
        self.transaction = nil
        self.perform(self.machine.abort())
    }

    /// Since when its transaction has not needed it.
    var restingSince: NIODeadline? { self.transaction?.restingSince }

    func park() {
        self.transaction?.park()
    }

    /// The end mark is sent: only the server's reply can say what became of the message.
    var mayHaveDelivered: Bool { self.machine.wait == .finalReply }

    /// What it promised with EHLO: notices of its own (RFC 3461), so that requests for them are passed on.
    var offersDSN: Bool { self.machine.capabilities.dsn }

    func quit() {
        self.perform(self.machine.quit())
    }

    /// The pool has taken it in: from now on it reports when it is gone.
    func adopt() {
        self.isMember = true
    }

    // MARK: The channel's events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        self.setDeadline()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.ended()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        if self.unread.readableBytes == 0 {
            self.unread = bytes
        } else {
            self.unread.writeBuffer(&bytes)
        }
        self.decode()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.perform(self.machine.closed())
        self.ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.pool.logger.debug("downstream connection failed", metadata: ["host": "\(self.host)", "error": "\(error)"])
        self.perform(self.machine.closed())
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.sendContent()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSEvent {
        case .established: self.perform(self.machine.tlsEstablished())
        case .failed(let reason): self.perform(self.machine.tlsFailed(reason))
        case nil: context.fireUserInboundEventTriggered(event)
        }
    }

    private func decode() {
        while !self.machine.isClosed {
            do {
                guard let reply = try self.decoder.next(&self.unread) else { return }
                self.perform(self.machine.received(reply, unread: self.unread.readableBytes))
            } catch {
                self.perform(self.machine.received(error))
            }
        }
        self.unread.clear()
    }

    private func ended() {
        self.timer?.task.cancel()
        self.timer = nil
        self.context = nil
        self.setUpEnded(.failure(SetUpFailure(loss: .closed)))
        if self.isMember {
            self.isMember = false
            self.pool.closed(self)
        }
    }
}

// MARK: - Actions

extension DownstreamConnection {
    /// The outcome is told last: whoever hears it may begin the next message at once, and by then this connection can be
    /// back in the pool.
    private func perform(_ actions: [ClientSessionMachine.Action]) {
        var ended: (transaction: DownstreamTransaction, outcome: DeliveryOutcome)?
        for action in actions {
            if case .outcome(let outcome) = action {
                ended = self.release().map { ($0, outcome) }
            } else {
                self.perform(action)
            }
        }
        self.setDeadline()
        if let ended { ended.transaction.ended(ended.outcome) }
    }

    private func perform(_ action: ClientSessionMachine.Action) {
        switch action {
        case .send(let bytes): self.write(ByteBuffer(bytes: bytes))
        case .upgradeToTLS: self.upgrade()
        case .ready(let capabilities): self.setUpEnded(.success(capabilities))
        case .answer(let replies): self.transaction?.answered(replies)
        case .sendContent: self.sendContent()
        case .outcome: preconditionFailure("outcomes are told when all else is done")
        case .idle:
            self.release()
            self.isUsed = true
            self.pool.giveBack(self)
        case .lost(let loss):
            self.setUpEnded(.failure(SetUpFailure(loss: loss)))
            self.release()?.lost(loss, wasUsed: self.isUsed)
            self.context?.close(promise: nil)
        case .close:
            self.context?.close(promise: nil)
        }
    }

    @discardableResult
    private func release() -> DownstreamTransaction? {
        defer {
            self.transaction = nil
            self.content = nil
        }
        return self.transaction
    }

    private func setUpEnded(_ result: Result<DownstreamCapabilities, SetUpFailure>) {
        guard self.setUpResult == nil else { return }
        self.setUpResult = result
        self.reportSetUp()
    }

    private func reportSetUp() {
        guard let result = self.setUpResult, let whenSetUp = self.whenSetUp else { return }
        self.whenSetUp = nil
        whenSetUp(result)
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context = self.context else { return }
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
    }

    private func upgrade() {
        guard let context = self.context else { return }
        do {
            let engine = try self.pool.directory.trust(for: self.pool.route).makeEngine(serverName: self.host.name)
            try context.pipeline.syncOperations.addHandler(TLSHandler(engine: engine), position: .before(self))
        } catch {
            self.perform(self.machine.tlsFailed("\(error)"))
        }
    }
}

// MARK: - Content

extension DownstreamConnection {
    /// Writes piece after piece while the channel takes it; goes on when it takes more.
    private func sendContent() {
        guard self.machine.wait == .contentProgress, let context = self.context else { return }
        while context.channel.isWritable, var content = self.content, !content.isReading {
            self.deadline = NIODeadline.now() + self.time(for: .contentProgress)
            switch content.next(allocator: context.channel.allocator) {
            case .bytes(let bytes, let isLast):
                self.content = isLast ? nil : content
                if isLast { self.machine.contentEnds() }
                self.write(bytes)
            case .read(let file, let count, let offset):
                self.content = content
                self.read(file, count: count, at: offset)
            }
        }
        self.setDeadline()
    }

    private func read(_ file: MessageContent, count: Int, at offset: Int) {
        NIOThreadPool.singleton.runIfActive(eventLoop: self.pool.eventLoop) { try file.read(count: count, at: offset) }
            .assumeIsolated()
            .whenComplete { result in
                guard self.content?.isReading == true, self.machine.wait == .contentProgress else { return }
                switch result {
                case .success(let bytes) where bytes.count == count:
                    self.content?.take(bytes)
                    self.sendContent()
                case .success:
                    self.perform(self.machine.contentFailed("the message's file is shorter than it was"))
                case .failure(let error):
                    self.perform(self.machine.contentFailed("\(error)"))
                }
            }
    }
}

// MARK: - Time

extension DownstreamConnection {
    private func time(for wait: ClientSessionMachine.Wait) -> TimeAmount {
        switch wait {
        case .nothing, .reply, .handshake, .contentProgress: .seconds(Int64(self.pool.route.replySeconds))
        case .finalReply: .seconds(Int64(self.pool.route.finalReplySeconds))
        }
    }

    /// Starts the time for what is awaited now. One timer serves many waits: it is moved only to an earlier time.
    private func setDeadline() {
        let wait = self.machine.wait
        guard wait != .nothing, self.context != nil else {
            self.deadline = nil
            return
        }
        let deadline = NIODeadline.now() + self.time(for: wait)
        self.deadline = deadline
        if let timer = self.timer {
            if timer.due <= deadline { return }
            timer.task.cancel()
        }
        self.schedule(deadline)
    }

    private func schedule(_ due: NIODeadline) {
        let task = self.pool.eventLoop.assumeIsolated().scheduleTask(deadline: due) { [weak self] () -> Void in
            self?.timerFired()
        }
        self.timer = (due, task)
    }

    private func timerFired() {
        self.timer = nil
        guard let deadline = self.deadline else { return }
        if deadline > .now() {
            self.schedule(deadline)
        } else {
            self.perform(self.machine.timedOut())
        }
    }
}
