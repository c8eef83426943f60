import MailTypes
import NIOCore
import SMTPCore

/// Feeds the server's side of a session with what a client might send, in every state that it can be brought into, and holds the
/// result against promises that must be true of any input. Nothing is answered from outside but by the first octet's choice.
struct SessionFuzz {
    /// What must not depend on how the network cut the input.
    struct Record: Equatable {
        var replies: [UInt8] = []
        var messages: [[UInt8]] = []
    }

    private var machine: ServerSessionMachine
    private var record = Record()
    private var content: [UInt8] = []
    private let acceptsBareLineEnds: Bool

    private init(choice: UInt8) {
        var configuration = ServerSessionMachine.Configuration(hostname: "mx.test")
        self.acceptsBareLineEnds = choice & 1 != 0
        configuration.bareLineEnds = self.acceptsBareLineEnds ? .accept : .refuse
        configuration.offersTLS = choice & 2 != 0
        configuration.requiresTLS = choice & 4 != 0
        configuration.trustsXCLIENT = choice & 8 != 0
        configuration.expectsProxyHeader = choice & 16 != 0
        configuration.limits.commandLine = 512
        configuration.limits.textLine = 2_000
        configuration.limits.commands = 50
        configuration.limits.recipients = 100
        configuration.maximumSize = 20_000
        self.machine = ServerSessionMachine(configuration: configuration, client: ClientIdentity(address: .loopback4))
    }

    static func run(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        let bytes = input.dropFirst()
        let whole = self.session(choice, [bytes])
        let pieces = stride(from: bytes.startIndex, to: bytes.endIndex, by: Int(choice >> 5) + 1).map {
            bytes[$0..<min(bytes.endIndex, $0 + Int(choice >> 5) + 1)]
        }
        precondition(whole == self.session(choice, pieces), "how the input is cut changes what it means")
        for message in whole.messages { self.checkEncoding(message) }
    }

    private static func session(_ choice: UInt8, _ pieces: [ArraySlice<UInt8>]) -> Record {
        var session = SessionFuzz(choice: choice)
        session.machine.connected()
        session.perform()
        for piece in pieces {
            session.machine.received(ByteBuffer(bytes: piece))
            session.perform()
        }
        session.machine.timedOut()
        session.perform()
        session.machine.connectionLost()
        return session.record
    }

    private mutating func perform() {
        while let action = self.machine.nextAction() {
            switch action {
            case .reply(let reply): self.write(reply)
            case .ask(let question): self.answer(question)
            case .content(let bytes): self.content += bytes.readableBytesView
            case .discardContent, .transactionReset: self.content = []
            case .repliesHeard: break
            case .holdGreeting: self.machine.greetingDelayElapsed()
            case .startTLS(let reply):
                self.write(reply)
                self.machine.tlsFailed("no handshake")
            case .close(let reply): if let reply { self.write(reply) }
            }
        }
    }

    /// A reply is lines of printable text, each ended by CRLF: nothing of the client's makes another line of it.
    private mutating func write(_ reply: SMTPReply) {
        let encoded = Array(reply.encoded)
        for (index, octet) in encoded.enumerated() where octet < 0x20 {
            let isEnd = octet == 0x0d && index + 1 < encoded.count && encoded[index + 1] == 0x0a
            let isSecond = octet == 0x0a && index > 0 && encoded[index - 1] == 0x0d
            precondition(isEnd || isSecond, "a control character in a reply")
        }
        self.record.replies += encoded
    }

    private mutating func answer(_ question: ServerQuestion) {
        switch question {
        case .connected, .data: self.machine.answered(.proceed)
        case .hello: self.machine.answered(.capabilities(ServerCapabilities(size: 20_000, smtpUTF8: true, dsn: true)))
        case .mail: self.machine.answered(.replies([.success(.ok, (1, 0), "sender")]))
        case .recipients(let recipients):
            self.machine.answered(.replies(recipients.map { _ in .success(.ok, (1, 5), "recipient") }))
        case .message(let facts):
            precondition(facts.octets == self.content.count, "facts that do not fit the content")
            self.checkLineEnds()
            self.record.messages.append(self.content)
            self.content = []
            self.machine.answered(.replies([.success(.ok, (0, 0), "taken")]))
        }
    }

    private func checkLineEnds() {
        guard !self.acceptsBareLineEnds else { return }
        for (index, octet) in self.content.enumerated() {
            switch octet {
            case 0x0d: precondition(index + 1 < self.content.count && self.content[index + 1] == 0x0a, "a bare CR came through")
            case 0x0a: precondition(index > 0 && self.content[index - 1] == 0x0d, "a bare LF came through")
            default: break
            }
        }
    }

    /// Sent on, the end of the data is where the message ends, also for a server that takes a bare CR or LF for a line's end.
    private static func checkEncoding(_ message: [UInt8]) {
        var encoder = ContentEncoder()
        var output = ByteBuffer()
        encoder.encode(message, into: &output)
        encoder.finish(into: &output)
        let sent = Array(output.readableBytesView)
        var start = 0
        for index in sent.indices where sent[index] == 0x0d || sent[index] == 0x0a {
            let isLoneDot = index - start == 1 && sent[start] == UInt8(ascii: ".")
            precondition(!isLoneDot || index == sent.count - 2, "an end of data inside the message")
            start = index + 1
        }
    }
}

/// What a mail server may say to us, and what a balancer may say before its client.
enum ReplyFuzz {
    static func run(_ input: [UInt8]) {
        var machine = ClientSessionMachine(settings: ClientSessionSettings(heloName: "mx.test", security: .opportunistic, sendsXCLIENT: true))
        var decoder = ReplyDecoder()
        var buffer = ByteBuffer(bytes: input)
        var hasBegun = false
        while !machine.isClosed {
            do {
                guard let reply = try decoder.next(&buffer) else { break }
                self.follow(machine.received(reply, unread: buffer.readableBytes), &machine, &hasBegun)
            } catch {
                self.follow(machine.received(error), &machine, &hasBegun)
            }
        }
        self.follow(machine.closed(), &machine, &hasBegun)
    }

    private static func follow(
        _ actions: [ClientSessionMachine.Action],
        _ machine: inout ClientSessionMachine,
        _ hasBegun: inout Bool
    ) {
        for action in actions {
            switch action {
            case .upgradeToTLS: self.follow(machine.tlsEstablished(), &machine, &hasBegun)
            case .ready where !hasBegun:
                hasBegun = true
                machine.begin(MailCommand(reversePath: .null), client: ClientIdentity(address: .loopback4, helo: "a.test"))
                self.follow(machine.add([Recipient(MailAddress("b@example.org")!)]), &machine, &hasBegun)
            case .answer(let replies) where replies.contains(where: \.isPositive):
                self.follow(machine.startContent(ContentFacts(octets: 3)), &machine, &hasBegun)
            case .sendContent: machine.contentEnds()
            case .outcome(.accepted(let reply)): precondition(reply.isPositive, "accepted by a refusal")
            default: break
            }
        }
    }
}
