import ContentStorage
import Glibc
import Logging
import MailTypes
import NIOCore
import OpenSSLKit
import SMTPCore
import TLSTransport

/// What a listener tells its connections, sent through their pipelines.
enum ServiceEvent: Sendable {
    case shutdown
    case graceIsOver
}

/// Carries out what `ServerSessionMachine` says, on the connection's event loop. Holds no rule of the protocol.
final class SMTPServerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Seconds for which a closed connection is still read, so that the last reply is not lost to a reset.
    private static let lingerSeconds: Int64 = 2
    /// After which a client's system has acknowledged the last replies: more than most ways there and back take.
    private static let acknowledgementMilliseconds: Int64 = 200

    private let settings: ListenerSettings
    private let gate: ConnectionGate
    private let logger: Logger
    private var machine: ServerSessionMachine
    private var session: (any SMTPSession)?
    /// The session that is over while its client may still be seen to have heard the last replies.
    private var farewell: (any SMTPSession)?
    private var writer: ContentWriter?
    private var outgoing: ByteBuffer?
    private var question: UInt64 = 0
    private var admitted: IPAddress?
    private var isEntered = false
    private var refusedAtEntry: ConnectionGate.Refusal?
    private var isPumping = false
    private var isFinished = false
    private var inputIsClosed = false
    private var readIsHeldBack = false
    private let started = NIODeadline.now()
    private var lastActivity = NIODeadline.now()
    private var pace = TransferPace()
    private var timer: Scheduled<Void>?
    private var greetingTimer: Scheduled<Void>?
    private var lingerTimer: Scheduled<Void>?

    init(settings: ListenerSettings, gate: ConnectionGate, client: ClientIdentity, logger: Logger) {
        self.settings = settings
        self.gate = gate
        self.logger = logger
        self.machine = ServerSessionMachine(configuration: settings.machineConfiguration(for: client.address), client: client)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard !self.isEntered else { return }
        self.isEntered = true
        self.refusedAtEntry = self.gate.enter()
        self.machine.connected()
        self.pump(context)
        self.armTimer(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        guard !self.isFinished else { return }
        self.machine.received(bytes)
        if self.machine.wait == .content {
            self.lastActivity = .now()
            self.pace.received(0, at: self.lastActivity)
        }
        self.pump(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
    }

    /// Reading stops while a question is open and while the client does not take its replies: that is the back-pressure.
    /// An end of the connection is noticed all the same, the event loop watches for it without reading.
    func read(context: ChannelHandlerContext) {
        if self.isFinished || self.machine.wantsBytes && context.channel.isWritable {
            context.read()
        } else {
            self.readIsHeldBack = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.resumeReading(context)
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as TLSEvent:
            switch event {
            case .established(let facts): self.machine.tlsEstablished(facts)
            case .failed(let reason): self.machine.tlsFailed(reason)
            }
            self.pump(context)
        case let event as ServiceEvent:
            switch event {
            case .shutdown: self.machine.shutdownRequested()
            case .graceIsOver: self.machine.shutdownForced()
            }
            self.pump(context)
        case ChannelEvent.inputClosed:
            self.inputClosed(context)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// The client has closed its side. Commands that came before are still answered, for clients that send everything and
    /// then close one half; with nothing left to do, or a question open and nothing behind it, nobody is there any more.
    private func inputClosed(_ context: ChannelHandlerContext) {
        self.inputIsClosed = true
        self.noteHearing(context)
        self.closeIfAbandoned(context)
    }

    private func noteHearing(_ context: ChannelHandlerContext) {
        guard self.machine.owesHearing, self.hasTakenEverything(context) else { return }
        self.machine.repliesHeard()
        // At once, also where this is part of carrying out something else: the session hears of it before the connection closes.
        self.carryOut(context)
    }

    /// Whether the client's system has acknowledged all that was sent. A client that then closes in order has read it, too: where
    /// octets are unread at the close, the connection is reset (RFC 1122 §4.2.2.13).
    private func hasTakenEverything(_ context: ChannelHandlerContext) -> Bool {
        guard let socket = context.channel as? any SocketOptionProvider else { return context.channel.isWritable }
        var isTaken = false
        // On the event loop the answer is there at once.
        // After a reset nothing is unacknowledged either, and where the client had closed before that, it is its close that is read.
        socket.getTCPInfo().assumeIsolated().whenSuccess {
            isTaken = $0.tcpi_unacked == 0 && Int($0.tcpi_state) != TCP_CLOSE
        }
        return isTaken
    }

    private func closeIfAbandoned(_ context: ChannelHandlerContext) {
        guard self.inputIsClosed else { return }
        if !self.isFinished, self.machine.wait == .answer, self.machine.unreadOctets > 0 { return }
        // The timer closes, when the client's system has had time to acknowledge the last replies.
        if self.isFinished, self.machine.owesHearing, self.lingerTimer != nil { return }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.lingerTimer?.cancel()
        self.machine.connectionLost()
        self.finish()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.farewell = nil }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.logger.debug("Connection failed", metadata: ["client": "\(self.machine.client.address)", "error": "\(error)"])
        context.close(promise: nil)
    }

    // MARK: - Actions

    /// Carries out all that there is to do, then sends the replies in one piece.
    private func pump(_ context: ChannelHandlerContext) {
        guard !self.isPumping else { return }
        self.isPumping = true
        self.carryOut(context)
        self.isPumping = false
        self.flush(context)
        self.resumeReading(context)
        self.closeIfAbandoned(context)
    }

    private func carryOut(_ context: ChannelHandlerContext) {
        while let action = self.machine.nextAction() {
            if self.machine.wait != .content { self.lastActivity = .now() }
            self.perform(action, context)
        }
    }

    private func perform(_ action: ServerAction, _ context: ChannelHandlerContext) {
        switch action {
        case .reply(let reply): self.write(reply, context)
        case .ask(let question): self.ask(question, context)
        case .content(let bytes): self.store(bytes)
        case .discardContent: self.writer = nil
        case .transactionReset:
            self.writer = nil
            self.pace.ended()
            self.session?.transactionReset()
        case .repliesHeard: (self.session ?? self.farewell)?.repliesHeard()
        case .holdGreeting(let milliseconds): self.holdGreeting(milliseconds, context)
        case .startTLS(let reply): self.startTLS(reply, context)
        case .close(let reply): self.close(reply, context)
        }
    }

    private func write(_ reply: SMTPReply, _ context: ChannelHandlerContext) {
        if self.outgoing == nil { self.outgoing = context.channel.allocator.buffer(capacity: 256) }
        self.outgoing!.writeReply(reply)
    }

    private func flush(_ context: ChannelHandlerContext) {
        guard let bytes = self.outgoing else { return }
        self.outgoing = nil
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
    }

    private func resumeReading(_ context: ChannelHandlerContext) {
        guard self.readIsHeldBack, self.isFinished || self.machine.wantsBytes && context.channel.isWritable else { return }
        self.readIsHeldBack = false
        context.read()
    }

    // MARK: - Questions

    private func ask(_ question: ServerQuestion, _ context: ChannelHandlerContext) {
        var content: MessageContent?
        switch question {
        case .connected(let client):
            if let refusal = self.admit(client) {
                self.machine.answered(.close(refusal))
                return
            }
        case .message:
            self.pace.ended()
            do {
                content = try self.finishedContent()
            } catch {
                self.logger.error("Content cannot be stored", metadata: ["error": "\(error)"])
                self.session?.transactionReset()
                self.machine.answered(.replies([ServerReplies.storageFailed]))
                return
            }
        case .hello, .mail, .recipients, .data: break
        }
        guard let session = self.session else { preconditionFailure("a session is made before anything is asked") }
        self.question += 1
        let number = self.question
        let loop = context.eventLoop
        session.ask(question, content: content) { answer in
            loop.preconditionInEventLoop()
            self.answer(answer, to: number, context)
        }
    }

    private func answer(_ answer: ServerAnswer, to number: UInt64, _ context: ChannelHandlerContext) {
        guard number == self.question, !self.isFinished else { return }
        self.question += 1
        self.machine.answered(answer)
        self.pump(context)
    }

    /// The first `.connected` makes the session; a later one, behind XCLIENT, keeps it.
    private func admit(_ client: ClientIdentity) -> SMTPReply? {
        guard self.session == nil else { return nil }
        if self.refusedAtEntry != nil { return ServerReplies.serverBusy }
        if let refusal = self.gate.admit(client.address) {
            return refusal == .perNetwork ? ServerReplies.tooManyFromNetwork : ServerReplies.tooManyConnections
        }
        self.admitted = client.address
        self.session = self.settings.makeSession(self.settings.loop, client)
        return nil
    }

    // MARK: - Content

    /// Writes to the file in pieces of 64 KiB on the event loop. That is a copy into the page cache, some ten
    /// microseconds; handing each piece to a thread and back would cost more and hold two copies meanwhile.
    private func store(_ bytes: ByteBuffer) {
        self.pace.received(bytes.readableBytes, at: .now())
        if self.writer == nil {
            self.writer = ContentWriter(
                directory: self.settings.configuration.contentDirectory,
                threshold: self.settings.configuration.memoryThreshold
            )
        }
        do {
            try self.writer!.append(bytes.readableBytesView)
        } catch {
            self.logger.error("Content cannot be stored", metadata: ["error": "\(error)"])
            self.writer = nil
            self.machine.contentStorageFailed()
        }
    }

    private func finishedContent() throws -> MessageContent {
        defer { self.writer = nil }
        return try self.writer?.finish() ?? .memory([])
    }

    // MARK: - TLS and the greeting

    /// The machine has made sure that no octet is left over, and takes none until the handshake is done.
    private func startTLS(_ reply: SMTPReply, _ context: ChannelHandlerContext) {
        do {
            guard let tls = self.settings.tls else { preconditionFailure("STARTTLS is offered with a certificate alone") }
            let engine = try tls.makeEngine()
            self.write(reply, context)
            self.flush(context)
            try context.pipeline.syncOperations.addHandler(TLSHandler(engine: engine), position: .first)
        } catch {
            self.logger.error("TLS cannot be started", metadata: ["error": "\(error)"])
            self.write(ServerReplies.tlsUnavailable, context)
            self.machine.tlsFailed("\(error)")
        }
    }

    private func holdGreeting(_ milliseconds: Int, _ context: ChannelHandlerContext) {
        self.greetingTimer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(milliseconds))) {
            self.machine.greetingDelayElapsed()
            self.pump(context)
        }
    }

    // MARK: - Clocks

    /// One task a connection, armed anew only when it fires. Between commands the clock runs from the last command, not
    /// from the last octet: a client that drips single octets gets no more time than one that is silent.
    private func armTimer(_ context: ChannelHandlerContext) {
        guard !self.isFinished else { return }
        let limits = self.settings.configuration.limits
        let seconds: Int
        switch self.machine.wait {
        case .command: seconds = limits.idleSeconds
        case .content: seconds = limits.dataSeconds
        case .handshake: seconds = limits.handshakeSeconds
        case .answer, .greeting, .nothing: seconds = limits.handshakeSeconds
        }
        let deadline = max(self.lastActivity + .seconds(Int64(seconds)), .now() + .milliseconds(10))
        // A wait with a shorter bound may begin meanwhile.
        let soonest = min(deadline, .now() + .seconds(Int64(min(limits.handshakeSeconds, seconds))))
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: soonest) { self.timerFired(context) }
    }

    private func timerFired(_ context: ChannelHandlerContext) {
        guard !self.isFinished else { return }
        let limits = self.settings.configuration.limits
        let now = NIODeadline.now()
        let idle = now - self.lastActivity
        let isTooSlow = self.pace.isTooSlow(at: now, grace: limits.dataSeconds, rate: limits.dataRate)
        let isOver: Bool
        switch self.machine.wait {
        case .command: isOver = isTooSlow || idle >= .seconds(Int64(limits.idleSeconds))
        case .content: isOver = isTooSlow || idle >= .seconds(Int64(limits.dataSeconds))
        case .handshake: isOver = idle >= .seconds(Int64(limits.handshakeSeconds))
        case .answer, .greeting, .nothing:
            // The session's own budget bounds its answers; the client's time starts anew behind them.
            self.lastActivity = .now()
            isOver = false
        }
        if isOver {
            self.machine.timedOut()
            self.pump(context)
        }
        self.armTimer(context)
    }

    // MARK: - The end

    /// Sends the last reply and closes. Our side is closed first and the client's octets are thrown away for a moment:
    /// closing with octets unread would reset the connection, and the reply might never arrive.
    private func close(_ reply: SMTPReply?, _ context: ChannelHandlerContext) {
        if let reply { self.write(reply, context) }
        self.flush(context)
        self.finish()
        self.noteHearing(context)
        guard self.machine.owesHearing else { return self.close(behind: reply, context) }
        // It has said QUIT without waiting for the reply to its message.
        self.lingerTimer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Self.acknowledgementMilliseconds)) {
            self.noteHearing(context)
            self.close(behind: reply, context)
        }
    }

    private func close(behind reply: SMTPReply?, _ context: ChannelHandlerContext) {
        // A client that says QUIT has nothing more to say: with nothing unread, no reset can overtake the reply.
        let isFarewell = reply?.code == SMTPReply.Success.closing.rawValue && self.machine.unreadOctets == 0
        guard reply != nil, !self.inputIsClosed, !isFarewell else {
            context.close(promise: nil)
            return
        }
        context.close(mode: .output, promise: nil)
        self.lingerTimer = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(Self.lingerSeconds)) {
            context.close(promise: nil)
        }
    }

    /// Tells the session, gives the place back. Once.
    private func finish() {
        guard !self.isFinished else { return }
        self.isFinished = true
        self.timer?.cancel()
        self.greetingTimer?.cancel()
        self.timer = nil
        self.greetingTimer = nil
        self.writer = nil
        if self.isEntered { self.gate.leave(self.admitted) }
        let summary = self.summary
        self.session?.connectionClosed(summary)
        self.farewell = self.session
        self.session = nil
        self.logger.debug(
            "Connection closed",
            metadata: ["client": "\(summary.client.address)", "reason": "\(summary.reason)", "commands": "\(summary.commands)"]
        )
    }

    private var summary: ConnectionSummary {
        ConnectionSummary(
            client: self.machine.client,
            commands: self.machine.counts.commands,
            errors: self.machine.counts.errors,
            accepted: self.machine.counts.accepted,
            refused: self.machine.counts.refused,
            reason: self.machine.closeReason ?? "closed",
            milliseconds: Int((NIODeadline.now() - self.started).nanoseconds / 1_000_000)
        )
    }
}
