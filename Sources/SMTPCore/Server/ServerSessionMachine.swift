import MailTypes
import NIOCore

/// The server's side of one SMTP connection (RFC 5321), as a value: octets, answers and clock events go in, `nextAction`
/// gives out what is to be done until it returns nil.
///
/// States and where they lead:
/// * `proxyHeader` -> `asking(.connected)`
/// * `asking` -> `holdingGreeting`, `ready`, `data`, `chunk`, `closed`
/// * `holdingGreeting` -> `ready`, `closed`
/// * `ready` -> `asking`, `swallowing`, `securing`, `closed`
/// * `data`, `chunk` -> `asking(.message)`, `ready`
/// * `swallowing` -> `ready`, `closed`
/// * `securing` -> `ready`, `closed`
package struct ServerSessionMachine: Sendable {
    package struct Configuration: Hashable, Sendable {
        /// In the greeting and in the reply to EHLO.
        package var hostname: String
        package var limits: SessionLimits
        package var bareLineEnds: BareLineEnds
        /// Octets; the session's capabilities may ask for less.
        package var maximumSize: Int
        /// There is a certificate: STARTTLS is offered.
        package var offersTLS: Bool
        /// MAIL is refused before STARTTLS.
        package var requiresTLS: Bool
        package var trustsXCLIENT: Bool
        package var expectsProxyHeader: Bool

        package init(
            hostname: String,
            limits: SessionLimits = SessionLimits(),
            bareLineEnds: BareLineEnds = .refuse,
            maximumSize: Int = 25 * 1024 * 1024,
            offersTLS: Bool = false,
            requiresTLS: Bool = false,
            trustsXCLIENT: Bool = false,
            expectsProxyHeader: Bool = false
        ) {
            self.hostname = hostname
            self.limits = limits
            self.bareLineEnds = bareLineEnds
            self.maximumSize = maximumSize
            self.offersTLS = offersTLS
            self.requiresTLS = requiresTLS
            self.trustsXCLIENT = trustsXCLIENT
            self.expectsProxyHeader = expectsProxyHeader
        }
    }

    /// What is known since the connection, STARTTLS or XCLIENT began it; replaced as a whole by the latter two.
    struct Session: Hashable, Sendable {
        var client: ClientIdentity
        /// Nil before EHLO or HELO was answered.
        var capabilities: ServerCapabilities?

        /// EHLO was spoken and its extensions hold.
        var isExtended: Bool { self.capabilities != nil && self.client.isExtended }
    }

    /// From an accepted MAIL to the end of data, RSET, or EHLO.
    struct Transaction: Sendable {
        var allowsUTF8: Bool
        var accepted = 0
        var refused = 0
        /// There since the first BDAT.
        var chunks: ContentDecoder?
    }

    enum Pending: Sendable {
        /// The greeting is owed; not delayed again behind XCLIENT.
        case connected(isFirst: Bool)
        case hello
        case mail(allowsUTF8: Bool)
        /// Replies in order; nil where the session's next one belongs.
        case recipients([SMTPReply?], Transaction)
        case data(Transaction)
        case chunk(octets: Int, isLast: Bool, Transaction)
        case message
    }

    enum State: Sendable {
        case proxyHeader
        case asking(Pending)
        case holdingGreeting
        case ready(Transaction?)
        case data(ContentDecoder)
        case chunk(octets: Int, remaining: Int, isLast: Bool, Transaction)
        /// A refused BDAT: its octets are not commands (RFC 3030 §2), the reply comes behind them.
        case swallowing(remaining: Int, SMTPReply)
        case securing
        case closed
    }

    /// Octets of one overlong command line that are read to find its end; behind that nobody is listening to replies.
    static let swallowedLine = 1024 * 1024
    /// Recipients in one question: enough that a pipelining client waits once, few enough to answer quickly.
    static let recipientBatch = 100

    let configuration: Configuration
    var session: Session
    var state: State
    var inbound = ByteBuffer()
    var actions: [ServerAction] = []
    /// Octets of the overlong line that is being skipped.
    var skipped = 0
    /// Octets at the front of `inbound` that are known not to end a line: dripped lines are looked at once.
    var searched = 0
    /// Errors since the last accepted message.
    var recentErrors = 0
    /// Commands that carried no mail forward.
    var idleCommands = 0
    /// The chunk before this command failed: chunks that were sent before the client knew are refused without blame.
    var lastChunkFailed = false
    var storageFailed = false
    /// A message was taken, and nothing shows yet that the client knows it.
    package internal(set) var owesHearing = false
    var isEnding = false
    /// `CONNECT`, or the last command that was carried out.
    var stage = "CONNECT"

    package private(set) var closeReason: String?
    package var counts = ServerCounts()
    package var client: ClientIdentity { self.session.client }

    package init(configuration: Configuration, client: ClientIdentity) {
        self.configuration = configuration
        self.session = Session(client: client)
        self.state = configuration.expectsProxyHeader ? .proxyHeader : .closed
    }

    // MARK: - Events

    /// The connection is there. To be called once, first.
    package mutating func connected() {
        if case .proxyHeader = self.state { return }
        self.ask(.connected(self.session.client), .connected(isFirst: true))
    }

    package mutating func received(_ bytes: ByteBuffer) {
        switch self.state {
        case .closed, .securing: return
        case .proxyHeader, .asking, .holdingGreeting, .ready, .data, .chunk, .swallowing: break
        }
        if self.inbound.readableBytes == 0 {
            // All that the client had sent before is answered, and it goes on: it has read the answers.
            if case .ready = self.state { self.repliesHeard() }
            self.inbound = bytes
        } else {
            self.inbound.writeImmutableBuffer(bytes)
        }
    }

    /// The client is known to have read all that was sent to it; `received` finds that out by itself where the client goes on.
    package mutating func repliesHeard() {
        guard self.owesHearing else { return }
        self.owesHearing = false
        self.actions.append(.repliesHeard)
    }

    package mutating func greetingDelayElapsed() {
        guard case .holdingGreeting = self.state else { return }
        self.greet()
    }

    /// The handshake is done. All that the client said before is forgotten (RFC 3207 §4.2); the connection's own facts
    /// stay, also those that a proxy told.
    package mutating func tlsEstablished(_ facts: TLSFacts) {
        guard case .securing = self.state else { return }
        var client = self.session.client
        client.helo = nil
        client.isExtended = true
        client.tls = facts
        self.session = Session(client: client)
        self.state = .ready(nil)
    }

    package mutating func tlsFailed(_ reason: String) {
        guard case .securing = self.state else { return }
        self.close(nil, reason: "TLS handshake failed: \(reason)")
    }

    /// The content could not be stored: it is read to its end and refused for now.
    package mutating func contentStorageFailed() {
        self.storageFailed = true
    }

    package mutating func timedOut() {
        switch self.state {
        case .closed: return
        case .proxyHeader, .securing: self.close(nil, reason: "timeout after \(self.stage)")
        case .asking, .holdingGreeting, .ready, .data, .chunk, .swallowing:
            self.close(ServerReplies.timeout, reason: "timeout after \(self.stage)")
        }
    }

    package mutating func connectionLost() {
        if case .closed = self.state, self.closeReason != nil { return }
        self.actions = []
        self.closeReason = "lost after \(self.stage)"
        self.state = .closed
        self.inbound = ByteBuffer()
    }

    /// The service ends: so does the session as soon as no transaction is open.
    package mutating func shutdownRequested() {
        self.isEnding = true
    }

    /// The grace is over.
    package mutating func shutdownForced() {
        switch self.state {
        case .closed: return
        case .proxyHeader, .securing: self.close(nil, reason: "shutdown")
        case .asking, .holdingGreeting, .ready, .data, .chunk, .swallowing:
            self.close(ServerReplies.shuttingDown, reason: "shutdown")
        }
    }

    // MARK: - What to do

    package mutating func nextAction() -> ServerAction? {
        while self.actions.isEmpty, self.step() {}
        return self.actions.isEmpty ? nil : self.actions.removeFirst()
    }

    /// Octets are of use now; otherwise the connection should not be read from.
    package var wantsBytes: Bool {
        switch self.state {
        case .asking, .closed: false
        case .proxyHeader, .holdingGreeting, .ready, .data, .chunk, .swallowing, .securing: true
        }
    }

    /// Octets that wait for the open question's answer.
    package var unreadOctets: Int { self.inbound.readableBytes }

    package var wait: ServerWait {
        switch self.state {
        case .proxyHeader, .securing: .handshake
        case .asking: .answer
        case .holdingGreeting: .greeting
        case .ready, .swallowing: .command
        case .data, .chunk: .content
        case .closed: .nothing
        }
    }

    /// Carries the state forward.
    /// - Returns: false when there is nothing to do without a further event.
    private mutating func step() -> Bool {
        switch self.state {
        case .proxyHeader: return self.readProxyHeader()
        case .holdingGreeting: return self.watchForEarlyTalker()
        case .ready(let transaction):
            if self.isEnding, transaction == nil {
                self.close(ServerReplies.shuttingDown, reason: "shutdown")
                return true
            }
            return self.readCommand(transaction)
        case .data(let decoder): return self.readData(decoder)
        case .chunk(let octets, let remaining, let isLast, let transaction):
            return self.readChunk(octets: octets, remaining: remaining, isLast: isLast, transaction)
        case .swallowing(let remaining, let reply): return self.swallow(remaining, reply)
        case .asking, .securing, .closed: return false
        }
    }

    private mutating func readProxyHeader() -> Bool {
        if self.isEnding {
            self.close(nil, reason: "shutdown")
            return true
        }
        do {
            guard let header = try ProxyHeader.read(from: &self.inbound) else { return false }
            self.dropEmptyInbound()
            if case .proxied(let endpoints) = header {
                self.session.client.address = endpoints.source
                self.session.client.port = endpoints.sourcePort
                self.session.client.localAddress = endpoints.destination
                self.session.client.localPort = endpoints.destinationPort
            }
            self.ask(.connected(self.session.client), .connected(isFirst: true))
        } catch {
            self.close(nil, reason: "malformed PROXY header")
        }
        return true
    }

    /// A client waits for the greeting (RFC 5321 §4.3.1); what does not is seldom a mail server.
    private mutating func watchForEarlyTalker() -> Bool {
        if self.isEnding {
            self.close(ServerReplies.shuttingDown, reason: "shutdown")
            return true
        }
        guard self.inbound.readableBytes > 0 else { return false }
        self.close(ServerReplies.earlyTalker, reason: "early talker")
        return true
    }

    // MARK: - Shared by the parts

    mutating func greet() {
        self.state = .ready(nil)
        guard !self.isEnding else { return }
        self.actions.append(.reply(ServerReplies.greeting(hostname: self.configuration.hostname)))
    }

    mutating func ask(_ question: ServerQuestion, _ pending: Pending) {
        self.state = .asking(pending)
        self.actions.append(.ask(question))
    }

    mutating func close(_ reply: SMTPReply?, reason: String) {
        if case .closed = self.state, self.closeReason != nil { return }
        self.closeReason = reason
        self.state = .closed
        self.inbound = ByteBuffer()
        self.actions.append(.close(reply))
    }

    /// A refused command. Too many of them end the session.
    mutating func refuse(_ reply: SMTPReply, countsAsError: Bool = true) {
        self.actions.append(.reply(reply))
        if countsAsError, reply.isPermanentFailure { self.countError() }
    }

    mutating func countError() {
        self.counts.errors += 1
        self.recentErrors += 1
    }

    /// To be called when the replies of a command are out.
    mutating func closeIfTooManyErrors() {
        guard self.recentErrors >= self.configuration.limits.errors else { return }
        self.close(ServerReplies.tooManyErrors, reason: "too many errors")
    }

    /// An idle session shall not keep a buffer.
    mutating func dropEmptyInbound() {
        if self.inbound.readableBytes == 0 { self.inbound = ByteBuffer() }
    }

    /// Octets of a message that this client may send.
    var sizeLimit: Int {
        guard let size = self.session.capabilities?.size, size > 0 else { return self.configuration.maximumSize }
        return min(size, self.configuration.maximumSize)
    }
}
