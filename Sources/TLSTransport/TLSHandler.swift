import MailTypes
import NIOCore
import OpenSSLKit

/// Protects a connection: the network's side speaks TLS, the other side sees plaintext.
///
/// It may be in the pipeline from the start or be added first in the pipeline of a live connection (STARTTLS); what was
/// received in clear text before must have been discarded by then. The handshake begins at once. What is written before it is
/// done waits. It sets no time limit on the peer's part of the handshake: whoever adds it does.
///
/// A `TLSEvent` tells how the handshake ended. An error later on goes through the pipeline as `TLSError` and closes the
/// connection.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// How long a close waits for the peer to take our last octets; a peer that reads nothing cannot hold a connection open.
    package static let closeLimit = TimeAmount.seconds(5)

    /// Octets given to the engine at once, so that its buffers stay small: a full record with its frame fits.
    private static let inputPiece = 17 * 1024
    /// Octets of output written at once: four full records.
    private static let outputPiece = 64 * 1024
    /// Room for the plaintext of the rest of a record that came in two pieces.
    private static let smallestRead = 512

    /// Goes forward only; `closed` may follow any.
    private enum State {
        /// The connection is not open yet.
        case waiting
        case handshaking
        case established
        /// We said `close_notify` and wait for it to be sent.
        case closing
        case closed
    }

    private let engine: TLSEngine
    private var state = State.waiting
    private var pendingWrites = MarkedCircularBuffer<(ByteBuffer, EventLoopPromise<Void>?)>(initialCapacity: 2)
    /// Whoever reads from us asked for data and got none yet.
    private var wantsRead = false
    /// The peer said `close_notify`.
    private var inputEnded = false
    /// We said `close_notify` but still read.
    private var outputEnded = false
    private var closeTimer: Scheduled<Void>?

    package init(engine: TLSEngine) {
        self.engine = engine
    }

    // MARK: Life

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.start(context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.state = .closed
        self.closeTimer?.cancel()
        self.failPendingWrites()
    }

    package func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        let before = self.state
        self.state = .closed
        self.failPendingWrites()
        if case .handshaking = before {
            self.fireFailure(context, "the connection was closed during the handshake")
        }
        context.fireChannelInactive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard case .waiting = self.state else { return }
        self.state = .handshaking
        self.continueHandshake(context)
        // Nobody above asks for data before the handshake is done, so with automatic reading off we must.
        if case .handshaking = self.state { context.read() }
    }

    // MARK: From the network

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        while let piece = bytes.readSlice(length: min(bytes.readableBytes, Self.inputPiece)), piece.readableBytes > 0 {
            switch self.state {
            case .waiting, .handshaking, .established: break
            case .closing, .closed: return
            }
            guard !self.inputEnded else { return }
            self.engine.receive(piece.readableBytesSpan)
            if case .handshaking = self.state { self.continueHandshake(context) }
            if case .established = self.state { self.deliver(context) }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        switch self.state {
        case .handshaking:
            context.read()
        case .established:
            self.engine.releaseStorage()
            // A part of a record is nothing to those above: ask for the rest in their place.
            if self.wantsRead, !self.inputEnded { context.read() }
        case .waiting, .closing, .closed:
            break
        }
        context.fireChannelReadComplete()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed? = event as? ChannelEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        if case .handshaking = self.state {
            self.failHandshake(context, "the peer closed the connection during the handshake")
        } else if !self.inputEnded {
            // Without close_notify the data may be cut off; SMTP marks its own ends, so those above need no word about it.
            self.inputEnded = true
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection reset in the handshake is its failure; those above would else close without having heard of one.
        if case .handshaking = self.state {
            self.failHandshake(context, "\(error)")
        } else {
            context.fireErrorCaught(error)
        }
    }

    private func continueHandshake(_ context: ChannelHandlerContext) {
        switch self.engine.handshake() {
        case .incomplete:
            self.sendOutput(context)
            context.flush()
        case .complete:
            self.state = .established
            self.sendOutput(context)
            self.sealFlushedWrites(context)
            context.flush()
            context.fireUserInboundEventTriggered(TLSEvent.established(TLSFacts(self.engine.agreement)))
        case .failed(let error):
            // The alert that says why.
            self.sendOutput(context)
            context.flush()
            self.failHandshake(context, error.description)
        }
    }

    private func failHandshake(_ context: ChannelHandlerContext, _ reason: String) {
        self.state = .closed
        self.failPendingWrites()
        self.fireFailure(context, reason)
        context.close(promise: nil)
    }

    private func fireFailure(_ context: ChannelHandlerContext, _ reason: String) {
        context.fireUserInboundEventTriggered(TLSEvent.failed(reason))
    }

    /// Passes on all plaintext there is, a record's worth at a time.
    private func deliver(_ context: ChannelHandlerContext) {
        var result = TLSEngine.Read.complete(0)
        // Those above may close the connection while they read.
        while case .complete = result, case .established = self.state {
            let room = min(max(self.engine.unreadInput, Self.smallestRead), TLSEngine.maximumRecord)
            var plaintext = context.channel.allocator.buffer(capacity: room)
            plaintext.writeWithOutputRawSpan(minimumWritableBytes: room) { span in
                repeat {
                    result = self.engine.unwrap(into: &span)
                } while result.isComplete && span.freeCapacity > 0
            }
            if plaintext.readableBytes > 0 {
                self.wantsRead = false
                context.fireChannelRead(self.wrapInboundOut(plaintext))
            }
        }
        guard case .established = self.state else { return }
        // Answers of TLS itself: a key update, an alert.
        if self.engine.pendingOutput > 0 {
            self.sendOutput(context)
            context.flush()
        }
        switch result {
        case .complete, .incomplete: break
        case .closed: self.peerEnded(context)
        case .failed(let error): self.abort(context, error)
        }
    }

    /// The peer's `close_notify` is to those above what the end of the input is without TLS.
    private func peerEnded(_ context: ChannelHandlerContext) {
        self.inputEnded = true
        let keepsOutput = try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)
        if keepsOutput == true {
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        } else {
            self.close(context: context, mode: .all, promise: nil)
        }
    }

    private func abort(_ context: ChannelHandlerContext, _ error: TLSError) {
        self.state = .closed
        self.failPendingWrites()
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    // MARK: To the network

    package func read(context: ChannelHandlerContext) {
        self.wantsRead = true
        context.read()
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.state {
        case .waiting, .handshaking, .established:
            if self.outputEnded {
                promise?.fail(ChannelError.outputClosed)
            } else {
                self.pendingWrites.append((self.unwrapOutboundIn(data), promise))
            }
        case .closing, .closed:
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    package func flush(context: ChannelHandlerContext) {
        self.pendingWrites.mark()
        if case .established = self.state { self.sealFlushedWrites(context) }
        context.flush()
    }

    /// Encrypts what was written up to the last flush. Small writes share a record, large ones are cut.
    private func sealFlushedWrites(_ context: ChannelHandlerContext) {
        var gathered = ByteBuffer()
        var promises: [EventLoopPromise<Void>] = []
        while case .established = self.state, self.pendingWrites.hasMark {
            var (bytes, promise) = self.pendingWrites.removeFirst()
            if gathered.readableBytes + bytes.readableBytes > TLSEngine.maximumRecord {
                self.seal(context, &gathered)
                self.sendOutput(context, &promises)
            }
            if let promise { promises.append(promise) }
            if bytes.readableBytes >= TLSEngine.maximumRecord {
                self.seal(context, &bytes)
            } else if gathered.readableBytes == 0 {
                gathered = bytes
            } else {
                gathered.writeBuffer(&bytes)
            }
        }
        self.seal(context, &gathered)
        self.sendOutput(context, &promises)
    }

    private func seal(_ context: ChannelHandlerContext, _ bytes: inout ByteBuffer) {
        while let record = bytes.readSlice(length: min(bytes.readableBytes, TLSEngine.maximumRecord)), record.readableBytes > 0 {
            guard case .established = self.state else { return }
            if case .failed(let error) = self.engine.wrap(record.readableBytesSpan) {
                return self.abort(context, error)
            }
            if bytes.readableBytes > 0, self.engine.pendingOutput >= Self.outputPiece { self.sendOutput(context) }
        }
    }

    /// Writes what the engine has for the network; `promises` are kept when it is written, and the list is empty afterwards.
    private func sendOutput(_ context: ChannelHandlerContext, _ promises: inout [EventLoopPromise<Void>]) {
        defer { promises.removeAll() }
        if case .closed = self.state {
            for promise in promises { promise.fail(ChannelError.ioOnClosedChannel) }
            return
        }
        for promise in promises.dropFirst() {
            promises[0].futureResult.cascade(to: promise)
        }
        self.sendOutput(context, promise: promises.first)
    }

    private func sendOutput(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil) {
        let count = self.engine.pendingOutput
        guard count > 0 else {
            promise?.succeed()
            return
        }
        var output = context.channel.allocator.buffer(capacity: count)
        output.writeWithOutputRawSpan(minimumWritableBytes: count) { self.engine.takeOutput(into: &$0) }
        context.write(self.wrapOutboundOut(output), promise: promise)
    }

    private func failPendingWrites() {
        while let (_, promise) = self.pendingWrites.popFirst() {
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    // MARK: Closing

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch (mode, self.state) {
        case (.all, .established):
            self.state = .closing
            self.failPendingWrites()
            self.sayGoodbye(context, then: .all, promise)
        case (.output, .established):
            self.failPendingWrites()
            self.sayGoodbye(context, then: .output, promise)
        case (.input, _), (.output, _):
            context.close(mode: mode, promise: promise)
        case (.all, .waiting), (.all, .handshaking), (.all, .closing), (.all, .closed):
            // Nothing to say, or no patience left for it.
            self.state = .closed
            self.closeTimer?.cancel()
            self.failPendingWrites()
            context.close(mode: mode, promise: promise)
        }
    }

    /// Sends `close_notify` (RFC 8446 §6.1) and closes when it is out. The peer's own is not waited for.
    private func sayGoodbye(_ context: ChannelHandlerContext, then mode: CloseMode, _ promise: EventLoopPromise<Void>?) {
        if !self.outputEnded {
            self.outputEnded = true
            self.engine.close()
        }
        let sent = context.eventLoop.makePromise(of: Void.self)
        self.sendOutput(context, promise: sent)
        context.flush()
        var isDone = false
        sent.futureResult.assumeIsolated().whenComplete { _ in
            isDone = true
            self.finishClose(context, mode, promise)
        }
        guard !isDone else { return }
        self.closeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.closeLimit) {
            self.closeTimer = nil
            self.state = .closed
            // Fails the write above, which closes in the mode asked for.
            context.close(mode: .all, promise: nil)
        }
    }

    private func finishClose(_ context: ChannelHandlerContext, _ mode: CloseMode, _ promise: EventLoopPromise<Void>?) {
        self.closeTimer?.cancel()
        self.closeTimer = nil
        if case .closed = self.state {
            // Closed already, by the peer or the timer.
            promise?.succeed()
            return
        }
        if case .all = mode { self.state = .closed }
        context.close(mode: mode, promise: promise)
    }
}

extension TLSEngine.Read {
    fileprivate var isComplete: Bool {
        if case .complete = self { true } else { false }
    }
}
