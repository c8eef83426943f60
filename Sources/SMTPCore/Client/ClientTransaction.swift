import MailTypes

/// The envelope dialogue of one transaction: which commands are out, and what was answered.
struct ClientTransaction: Hashable, Sendable {
    enum Awaited: Hashable {
        case mail
        case recipient(Int)
        case data
    }

    private enum MailState: Hashable {
        case unsent
        case sent
        case accepted
        case refused(SMTPReply)
    }

    let mail: MailCommand
    let client: ClientIdentity
    /// XCLIENT and its EHLO are done.
    var isIntroduced = false
    var isAborted = false
    var wantsContent = false

    private var mailState = MailState.unsent
    private var batch: [Recipient] = []
    private var answers: [SMTPReply?] = []
    /// Recipients of the batch before this one have been sent or were answered here.
    private var nextToSend = 0
    private var isDataSent = false
    /// Replies that are to come, in order.
    private var expected: [Awaited] = []
    private var firstExpected = 0

    init(mail: MailCommand, client: ClientIdentity) {
        self.mail = mail
        self.client = client
    }

    var awaited: Awaited? { self.firstExpected < self.expected.count ? self.expected[self.firstExpected] : nil }
    var hasOpenBatch: Bool { !self.batch.isEmpty }
    var hasSentMail: Bool { self.mailState != .unsent }
    var isWaitingForContentReply: Bool { self.awaited == .data }

    mutating func add(_ recipients: [Recipient]) {
        self.batch = recipients
        self.answers = Array(repeating: nil, count: recipients.count)
        self.nextToSend = 0
    }

    mutating func refuseMail(_ reply: SMTPReply) {
        self.mailState = .refused(reply)
    }

    /// The next commands: all that can go when the server takes commands in a row (RFC 2920), else one.
    mutating func nextCommands(_ capabilities: DownstreamCapabilities) -> [UInt8] {
        guard !self.isAborted, self.awaited == nil else { return [] }
        var bytes: [UInt8] = []
        if !self.batch.isEmpty { self.appendMail(capabilities, to: &bytes) }
        self.appendRecipients(capabilities, to: &bytes)
        if self.wantsContent, !self.isDataSent, bytes.isEmpty {
            self.isDataSent = true
            self.expect(.data)
            bytes += DownstreamCommand.data
        }
        return bytes
    }

    private mutating func appendMail(_ capabilities: DownstreamCapabilities, to bytes: inout [UInt8]) {
        guard self.mailState == .unsent else { return }
        let usesUTF8 = self.mail.parameters.smtpUTF8 || !self.mail.reversePath.description.utf8.allSatisfy { $0 < 0x80 }
        let command = DownstreamCommand.mail(self.mail, for: capabilities)
        if usesUTF8, !capabilities.smtpUTF8 {
            self.mailState = .refused(DownstreamReply.needsSMTPUTF8)
        } else if !DownstreamCommand.isOneLine(command) {
            self.mailState = .refused(DownstreamReply.notOneLine)
        } else {
            self.mailState = .sent
            self.expect(.mail)
            bytes += command
        }
    }

    private mutating func appendRecipients(_ capabilities: DownstreamCapabilities, to bytes: inout [UInt8]) {
        if case .refused = self.mailState { return }
        while self.nextToSend < self.batch.count, capabilities.pipelining || self.awaited == nil {
            let recipient = self.batch[self.nextToSend]
            let command = DownstreamCommand.recipient(recipient, for: capabilities)
            if !capabilities.smtpUTF8, !recipient.forwardPath.text.utf8.allSatisfy({ $0 < 0x80 }) {
                self.answers[self.nextToSend] = DownstreamReply.needsSMTPUTF8
            } else if !DownstreamCommand.isOneLine(command) {
                self.answers[self.nextToSend] = DownstreamReply.notOneLine
            } else {
                self.expect(.recipient(self.nextToSend))
                bytes += command
            }
            self.nextToSend += 1
        }
    }

    private mutating func expect(_ awaited: Awaited) {
        if self.firstExpected == self.expected.count {
            self.expected.removeAll(keepingCapacity: true)
            self.firstExpected = 0
        }
        self.expected.append(awaited)
    }

    /// Takes the reply to MAIL or RCPT.
    /// - Returns: false when it cannot be one: then nothing is known about what the server thinks it has.
    mutating func take(_ reply: SMTPReply) -> Bool {
        guard let awaited = self.awaited else { return false }
        self.firstExpected += 1
        let isRefusal = reply.isTransientFailure || reply.isPermanentFailure
        switch awaited {
        case .mail:
            guard isRefusal || reply.code == 250 else { return false }
            self.mailState = isRefusal ? .refused(reply) : .accepted
        case .recipient(let index):
            if case .refused = self.mailState { return true }
            // RFC 5321 §4.3.2 knows 250 and 251 here; 252 is seen where a server does not check.
            guard isRefusal || [250, 251, 252].contains(reply.code) else { return false }
            self.answers[index] = reply
        case .data:
            return false
        }
        return true
    }

    /// The replies to the batch, once nothing is awaited.
    mutating func takeAnswers(_ capabilities: DownstreamCapabilities) -> [SMTPReply] {
        defer {
            self.batch = []
            self.answers = []
        }
        if case .refused(let reply) = self.mailState { return self.batch.map { _ in reply } }
        return self.answers.map { $0 ?? DownstreamReply.confused }
    }
}
