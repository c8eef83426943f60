import Dispatch
import Foundation
import Synchronization

/// A downstream server in a conversation: it takes everything and remembers it, or says what the script says.
final class ConversationDownstream: Sendable {
    typealias Connections = ConversationQueue<(any ConversationChannel)?>

    struct Record: Sendable {
        var connections = 0
        var commands: [[UInt8]] = []
        /// As they were on the wire.
        var messages: [[UInt8]] = []
    }

    private let offers: [String]
    private let arriving: Connections
    private let state = Mutex(Record())
    private let open = Mutex<[ConversationReader]>([])
    private let threads = DispatchGroup()

    init(offers: [String], arriving: Connections) {
        self.offers = offers
        self.arriving = arriving
    }

    var record: Record { self.state.withLock { $0 } }

    // MARK: - By itself

    func startAnswering() {
        self.inThread {
            while let connection = self.arriving.pop(until: .distantFuture), let connection {
                let reader = self.took(connection)
                self.inThread { self.answer(reader) }
            }
        }
    }

    private func inThread(_ body: @escaping @Sendable () -> Void) {
        self.threads.enter()
        Thread.detachNewThread {
            body()
            self.threads.leave()
        }
    }

    private func took(_ connection: any ConversationChannel) -> ConversationReader {
        let reader = ConversationReader(connection)
        self.open.withLock { $0.append(reader) }
        self.state.withLock { $0.connections += 1 }
        return reader
    }

    private func answer(_ reader: ConversationReader) {
        func say(_ text: String) { reader.channel.send(Array("\(text)\r\n".utf8)) }
        say("220 downstream.example ESMTP")
        while let line = try? reader.line() {
            self.state.withLock { $0.commands.append(line) }
            switch String(decoding: line.prefix(4), as: UTF8.self).uppercased() {
            case "EHLO": say(self.greeting)
            case "XCLI": say("220 downstream.example ESMTP")
            case "MAIL": say("250 2.1.0 Ok")
            case "RCPT": say("250 2.1.5 Ok")
            case "RSET", "HELO", "NOOP": say("250 2.0.0 Ok")
            case "DATA":
                say("354 Go ahead")
                guard let message = try? reader.message() else { return }
                self.state.withLock { $0.messages.append(message) }
                say("250 2.0.0 Ok: queued")
            case "QUIT":
                say("221 2.0.0 Bye")
                reader.channel.closeOutput()
            default: say("500 5.5.1 What?")
            }
        }
        reader.channel.close()
    }

    private var greeting: String {
        let lines = ["downstream.example"] + self.offers
        return lines.enumerated().map { "250\($0.offset == lines.count - 1 ? " " : "-")\($0.element)" }.joined(separator: "\r\n")
    }

    // MARK: - By the script

    /// Takes the next connection, and greets it when asked to.
    func accept(isGreeted: Bool) throws -> ConversationReader {
        guard let connection = self.arriving.pop(until: .now() + ConversationReader.patience), let connection else {
            throw ConversationTimeout()
        }
        let reader = self.took(connection)
        guard isGreeted else { return reader }
        reader.channel.send(Array("220 downstream.example ESMTP\r\n".utf8))
        _ = try reader.line()
        reader.channel.send(Array("\(self.greeting)\r\n".utf8))
        return reader
    }

    func heard(_ line: [UInt8]) { self.state.withLock { $0.commands.append(line) } }

    func took(message: [UInt8]) { self.state.withLock { $0.messages.append(message) } }

    // MARK: - The end

    /// Closes all that is open and waits until the gateway has noticed, so that no old connection meets the next
    /// conversation.
    func end(isAnswering: Bool) {
        if isAnswering {
            self.arriving.push(nil)
        } else {
            while let connection = self.arriving.pop(until: .now()), let connection { _ = self.took(connection) }
        }
        let readers = self.open.withLock { $0 }
        for reader in readers { reader.channel.closeOutput() }
        if isAnswering {
            _ = self.threads.wait(timeout: .now() + ConversationReader.patience)
        } else {
            for reader in readers { _ = try? reader.rest() }
        }
        for reader in readers { reader.channel.close() }
    }
}
