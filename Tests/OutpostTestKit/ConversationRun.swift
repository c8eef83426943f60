import Dispatch
import Foundation

/// What went otherwise than the script says.
public struct ConversationFailure: Error, Hashable, Sendable {
    public let line: Int
    public let reason: String
}

/// Plays one conversation against a gateway, wherever that is. Blocking: for a thread of its own.
public final class ConversationRun {
    public typealias Connections = ConversationQueue<(any ConversationChannel)?>
    /// Makes one more connection to the gateway.
    public typealias Connect = () throws -> any ConversationChannel
    public typealias StartTLS = (any ConversationChannel) throws -> any ConversationChannel

    private let script: ConversationScript
    private let downstreams: [ConversationDownstream]
    private let startTLS: StartTLS?
    private let connect: Connect
    private var clients: [Int: ConversationReader]
    private var current: [Int: ConversationReader] = [:]
    private var unsent: (actor: ConversationScript.Actor, bytes: [UInt8])?
    private var clientHasClosed = false

    /// - Parameters:
    ///   - connect: makes a connection to the gateway; the first client's is made at once.
    ///   - downstreams: where the gateway's connections to each of its downstream servers arrive.
    public init(
        _ script: ConversationScript,
        connect: @escaping Connect,
        downstreams: [Connections],
        startTLS: StartTLS? = nil
    ) throws {
        self.script = script
        self.connect = connect
        self.clients = [0: ConversationReader(try connect())]
        self.downstreams = downstreams.map { ConversationDownstream(offers: script.offers, arriving: $0) }
        self.startTLS = startTLS
    }

    /// - Returns: the first step that failed, and every claim that does not hold.
    public func run() -> [ConversationFailure] {
        var failures: [ConversationFailure] = []
        for (index, downstream) in self.downstreams.enumerated() where !self.script.plays(downstream: index) {
            downstream.startAnswering()
        }
        do {
            for step in self.script.steps { try self.perform(step) }
            self.flush()
            for (_, client) in self.clients where !client.leftover.isEmpty {
                failures.append(self.failure(0, "the gateway also said: \(ConversationEscapes.text(client.leftover))"))
            }
        } catch let failure as ConversationFailure {
            failures.append(failure)
        } catch {
            failures.append(self.failure(0, "\(error)"))
        }
        for client in self.clients.values {
            client.channel.close()
            _ = try? client.rest()
        }
        for (index, downstream) in self.downstreams.enumerated() {
            downstream.end(isAnswering: !self.script.plays(downstream: index))
        }
        guard failures.isEmpty else { return failures }
        return self.script.assertions.compactMap { assertion in
            self.objection(to: assertion).map { self.failure(assertion.line, $0) }
        }
    }

    private func failure(_ line: Int, _ reason: String) -> ConversationFailure {
        ConversationFailure(line: line == 0 ? (self.script.steps.last?.line ?? 1) : line, reason: reason)
    }

    // MARK: - Steps

    private func perform(_ step: ConversationScript.Step) throws {
        if case .send(let bytes) = step.action {
            if let unsent = self.unsent, unsent.actor != step.actor { self.flush() }
            if self.unsent == nil { _ = try self.reader(step) }
            self.unsent = (step.actor, (self.unsent?.bytes ?? []) + bytes)
            return
        }
        self.flush()
        switch step.action {
        case .send, .flush: return
        case .expect(let expectation): try self.expect(expectation, step)
        case .close:
            try self.reader(step).channel.close()
            switch step.actor {
            case .client(0): break
            // The next thing it does is on a new connection.
            case .client(let index): self.clients[index] = nil
            case .downstream(let index): self.current[index] = nil
            }
        case .closeOutput: try self.reader(step).channel.closeOutput()
        case .startTLS:
            guard let startTLS = self.startTLS, case .client(let index) = step.actor else {
                throw self.failure(step.line, "there is no TLS here")
            }
            do {
                self.clients[index] = ConversationReader(try startTLS(try self.reader(step).channel))
            } catch {
                throw self.failure(step.line, "TLS: \(error)")
            }
        case .accept(let isGreeted):
            guard case .downstream(let index) = step.actor else { return }
            self.current[index] = try self.accept(index, isGreeted: isGreeted, step)
        case .readMessage:
            guard case .downstream(let index) = step.actor else { return }
            guard let message = try self.bounded(step, { try self.reader(step).message() }) else {
                throw self.failure(step.line, "the gateway closed before the end of the message")
            }
            self.downstreams[index].took(message: message)
        }
    }

    /// Sends what one side said in a row, in one piece.
    private func flush() {
        guard let unsent = self.unsent else { return }
        self.unsent = nil
        switch unsent.actor {
        case .client(let index): self.clients[index]?.channel.send(unsent.bytes)
        case .downstream(let index): self.current[index]?.channel.send(unsent.bytes)
        }
    }

    private func reader(_ step: ConversationScript.Step) throws -> ConversationReader {
        switch step.actor {
        case .client(let index):
            if let reader = self.clients[index] { return reader }
            let reader = ConversationReader(try self.connect())
            self.clients[index] = reader
            return reader
        case .downstream(let index):
            if let reader = self.current[index] { return reader }
            let reader = try self.accept(index, isGreeted: true, step)
            self.current[index] = reader
            return reader
        }
    }

    private func accept(_ index: Int, isGreeted: Bool, _ step: ConversationScript.Step) throws -> ConversationReader {
        guard index < self.downstreams.count else { throw self.failure(step.line, "there is no such downstream server") }
        do {
            return try self.downstreams[index].accept(isGreeted: isGreeted)
        } catch {
            throw self.failure(step.line, "the gateway did not connect to the downstream server")
        }
    }

    private func bounded<Value>(_ step: ConversationScript.Step, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch is ConversationTimeout {
            throw self.failure(step.line, "nothing came")
        }
    }

    private func expect(_ expectation: ConversationScript.Expectation, _ step: ConversationScript.Step) throws {
        switch expectation {
        case .line(let pattern):
            let line = try self.line(step)
            guard pattern.matches(line) else { throw self.mismatch(step, pattern, line) }
        case .prefix(let pattern):
            let line = try self.line(step)
            guard pattern.matchesPrefix(of: line) else { throw self.mismatch(step, pattern, line) }
        case .reply(let pattern):
            while true {
                let line = try self.line(step)
                guard pattern.matchesPrefix(of: line) else { throw self.mismatch(step, pattern, line) }
                if line.count < 4 || line[3] != UInt8(ascii: "-") { return }
            }
        case .close:
            let rest = try self.bounded(step) { try self.reader(step).rest() }
            guard rest.isEmpty else {
                throw self.failure(step.line, "before it closed, the gateway said: \(ConversationEscapes.text(rest))")
            }
        }
    }

    private func line(_ step: ConversationScript.Step) throws -> [UInt8] {
        guard let line = try self.bounded(step, { try self.reader(step).line() }) else {
            throw self.failure(step.line, "the gateway closed the connection")
        }
        if case .downstream(let index) = step.actor { self.downstreams[index].heard(line) }
        return line
    }

    private func mismatch(_ step: ConversationScript.Step, _ pattern: ConversationPattern, _ line: [UInt8]) -> ConversationFailure
    {
        self.failure(step.line, "wanted: \(pattern)\n   got: \(ConversationEscapes.text(line))")
    }

    // MARK: - Claims

    private func objection(to assertion: ConversationScript.Assertion) -> String? {
        guard assertion.downstream < self.downstreams.count else { return "there is no such downstream server" }
        let record = self.downstreams[assertion.downstream].record
        switch assertion.claim {
        case .messages(let count):
            return record.messages.count == count ? nil : "it received \(record.messages.count) messages"
        case .connections(let count):
            return record.connections == count ? nil : "it received \(record.connections) connections"
        case .command(let pattern):
            if record.commands.contains(where: pattern.matches) { return nil }
            return "it received: \(record.commands.map(ConversationEscapes.text).joined(separator: " | "))"
        case .noCommand(let pattern):
            return record.commands.contains(where: pattern.matchesPrefix) ? "it received that command" : nil
        case .field(let pattern):
            guard let message = record.messages.last else { return "it received no message" }
            let fields = TracedMessage(message).fields
            if fields.contains(where: pattern.matches) { return nil }
            return "the gateway's fields are: \(fields.map(ConversationEscapes.text).joined(separator: " | "))"
        case .body(let bytes):
            guard let message = record.messages.last else { return "it received no message" }
            let body = TracedMessage(message).body
            return body == bytes ? nil : "the message differs:\n   got: \(ConversationEscapes.text(body))"
        }
    }
}

/// A message as it left the gateway: its own fields, and what it had received.
private struct TracedMessage {
    /// Lines without CRLF, folded ones one by one.
    var fields: [[UInt8]] = []
    var body: [UInt8]

    init(_ message: [UInt8]) {
        var rest = message[...]
        var hasReceived = false
        while let end = rest.firstIndex(of: 0x0a) {
            let line = rest[..<end].dropLast()
            let isFolded = line.first == 0x20 || line.first == 0x09
            if hasReceived, !isFolded { break }
            let isOurs = ["X-Outpost-", "X-Spam-", "Received: "].contains { line.starts(with: $0.utf8) }
            guard isOurs || isFolded && !self.fields.isEmpty else { break }
            if line.starts(with: "Received: ".utf8) { hasReceived = true }
            self.fields.append(Array(line))
            rest = rest[(end + 1)...]
        }
        self.body = Array(rest)
    }
}
