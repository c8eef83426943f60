import MailTypes
import NIOCore
import SMTPCore

/// Runs a machine with a scripted session and writes down what comes out.
struct ServerDriver {
    /// Everything that must not depend on how the input was cut.
    struct Record: Equatable {
        var replies: [String] = []
        /// Messages that were asked about, with their facts.
        var messages: [[UInt8]] = []
        var facts: [ContentFacts] = []
        var recipients: [String] = []
        var questions: [String] = []
        var resets = 0
        var heard = 0
        var isClosed = false
        var startedTLS = false
        var codes: [Int] { self.replies.map { Int($0.prefix(3)) ?? 0 } }
    }

    var machine: ServerSessionMachine
    var record = Record()
    var batches: [Int] = []
    private var content: [UInt8] = []
    /// Answers to `.message`, in order; the last one stays.
    var messageReplies: [SMTPReply] = [.success(.ok, (0, 0), "accepted")]
    var capabilities = ServerCapabilities(size: 10_000, smtpUTF8: true, dsn: true)
    /// Recipients that start with this are refused.
    var refusedPrefix = "no"

    init(_ configure: (inout ServerSessionMachine.Configuration) -> Void = { _ in }) {
        var configuration = ServerSessionMachine.Configuration(hostname: "mx.test")
        configure(&configuration)
        self.machine = ServerSessionMachine(configuration: configuration, client: ClientIdentity(address: .loopback4))
    }

    mutating func start() {
        self.machine.connected()
        self.run()
    }

    /// Feeds the text in pieces of the given size.
    mutating func feed(_ bytes: [UInt8], pieces: Int = .max) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(pieces)
            rest = rest.dropFirst(piece.count)
            self.machine.received(ByteBuffer(bytes: piece))
            self.run()
        }
    }

    mutating func feed(_ text: String, pieces: Int = .max) {
        self.feed(Array(text.utf8), pieces: pieces)
    }

    mutating func run() {
        while let action = self.machine.nextAction() { self.perform(action) }
    }

    private mutating func perform(_ action: ServerAction) {
        switch action {
        case .reply(let reply): self.write(reply)
        case .ask(let question): self.answer(question)
        case .content(let bytes): self.content += bytes.readableBytesView
        case .discardContent: self.content = []
        case .transactionReset: self.record.resets += 1
        case .repliesHeard: self.record.heard += 1
        case .holdGreeting: break
        case .startTLS(let reply):
            self.write(reply)
            self.record.startedTLS = true
        case .close(let reply):
            if let reply { self.write(reply) }
            self.record.isClosed = true
        }
    }

    private mutating func write(_ reply: SMTPReply) {
        self.record.replies.append(String(decoding: reply.encoded.dropLast(2), as: UTF8.self))
    }

    private mutating func answer(_ question: ServerQuestion) {
        switch question {
        case .connected:
            self.record.questions.append("connected")
            self.machine.answered(.proceed)
        case .hello(let client):
            self.record.questions.append("hello \(client.helo ?? "")")
            self.machine.answered(.capabilities(self.capabilities))
        case .mail(let mail):
            self.record.questions.append("mail \(mail.reversePath)")
            self.machine.answered(.replies([.success(.ok, (1, 0), "sender")]))
        case .recipients(let recipients):
            self.batches.append(recipients.count)
            self.record.recipients += recipients.map(\.forwardPath.text)
            let replies = recipients.map { recipient -> SMTPReply in
                recipient.forwardPath.text.hasPrefix(self.refusedPrefix)
                    ? .permanent(.mailboxUnavailable, (1, 1), "nobody") : .success(.ok, (1, 5), "recipient")
            }
            self.machine.answered(.replies(replies))
        case .data:
            self.record.questions.append("data")
            self.machine.answered(.proceed)
        case .message(let facts):
            self.record.messages.append(self.content)
            self.record.facts.append(facts)
            self.content = []
            let reply = self.messageReplies.count > 1 ? self.messageReplies.removeFirst() : self.messageReplies[0]
            self.machine.answered(.replies([reply]))
        }
    }

    /// A session that has said EHLO.
    static func greeted(_ configure: (inout ServerSessionMachine.Configuration) -> Void = { _ in }) -> ServerDriver {
        var driver = ServerDriver(configure)
        driver.start()
        driver.feed("EHLO client.test\r\n")
        driver.record = Record()
        return driver
    }

    static let envelope = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"
}
