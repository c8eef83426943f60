import ContentStorage
import MailTypes
import NIOCore
import SMTPCore
import SMTPServer
import Synchronization

/// What the sessions of one server were asked and told; read by the test's own thread.
final class SessionLog: Sendable {
    struct Entries {
        var messages: [[UInt8]] = []
        var facts: [ContentFacts] = []
        var clients: [ClientIdentity] = []
        var summaries: [ConnectionSummary] = []
        var fileBacked = 0
        var resets = 0
        var heard = 0
    }

    let entries = Mutex(Entries())

    var messages: [[UInt8]] { self.entries.withLock { $0.messages } }
    var summaries: [ConnectionSummary] { self.entries.withLock { $0.summaries } }
}

/// Accepts everything but what it is told to refuse; may answer later than at once.
final class ScriptedSession: SMTPSession {
    enum Timing: Sendable {
        case atOnce
        case nextTick
        /// `.message` is never answered.
        case never
    }

    private let loop: any EventLoop
    private let log: SessionLog
    private let timing: Timing
    private var held: ((ServerAnswer) -> Void)?

    init(_ loop: any EventLoop, _ client: ClientIdentity, _ log: SessionLog, _ timing: Timing) {
        self.loop = loop
        self.log = log
        self.timing = timing
        log.entries.withLock { $0.clients.append(client) }
    }

    func ask(_ question: ServerQuestion, content: MessageContent?, answer: @escaping (ServerAnswer) -> Void) {
        let reply = self.decide(question, content)
        switch self.timing {
        case .atOnce: answer(reply)
        case .nextTick: self.loop.assumeIsolated().execute { answer(reply) }
        case .never:
            if case .message = question { self.held = answer } else { answer(reply) }
        }
    }

    private func decide(_ question: ServerQuestion, _ content: MessageContent?) -> ServerAnswer {
        switch question {
        case .connected, .data: return .proceed
        case .hello: return .capabilities(ServerCapabilities(size: 64 * 1024 * 1024, smtpUTF8: true, dsn: true))
        case .mail: return .replies([.success(.ok, (1, 0), "sender")])
        case .recipients(let recipients): return .replies(recipients.map { _ in .success(.ok, (1, 5), "recipient") })
        case .message(let facts):
            let bytes = (try? content?.bytes()) ?? []
            self.log.entries.withLock {
                $0.messages.append(bytes)
                $0.facts.append(facts)
                if case .file? = content { $0.fileBacked += 1 }
            }
            return .replies([.success(.ok, (0, 0), "accepted")])
        }
    }

    func transactionReset() {
        self.log.entries.withLock { $0.resets += 1 }
    }

    func repliesHeard() {
        self.log.entries.withLock { $0.heard += 1 }
    }

    func connectionClosed(_ summary: ConnectionSummary) {
        self.held = nil
        self.log.entries.withLock { $0.summaries.append(summary) }
    }
}
