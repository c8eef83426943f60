import Synchronization

/// A mail client that sends exactly the octets it is given.
public final class SMTPTestClient: Sendable {
    public struct Reply: Sendable, Equatable, CustomStringConvertible {
        public let lines: [String]

        public var code: Int { Int(self.lines.last?.prefix(3) ?? "") ?? 0 }
        public var text: String { self.lines.joined(separator: "\n") }
        public var description: String { self.text }
        public var isPositive: Bool { self.code / 100 == 2 }
        public var isTransient: Bool { self.code / 100 == 4 }
        public var isPermanent: Bool { self.code / 100 == 5 }
    }

    public let socket: LoopbackSocket

    /// Connects without reading the greeting.
    public init(connecting port: Int, family: LoopbackSocket.Family = .v4) throws {
        self.socket = try LoopbackSocket(port: port, family: family)
    }

    /// Connects, and says EHLO.
    public convenience init(port: Int, family: LoopbackSocket.Family = .v4, helo: String = "client.example.org") throws {
        try self.init(connecting: port, family: family)
        let greeting = try self.reply()
        guard greeting.code == 220 else { throw ChildProgram.Failure("greeted with \(greeting)") }
        try self.command("EHLO \(helo)")
    }

    /// Connects from 127.0.0.`host`, and says EHLO.
    public init(port: Int, fromHost host: UInt8) throws {
        self.socket = try LoopbackSocket(port: port, fromHost: host)
        let greeting = try self.reply()
        guard greeting.code == 220 else { throw ChildProgram.Failure("greeted with \(greeting)") }
        try self.command("EHLO client.example.org")
    }

    public func reply() throws -> Reply {
        var lines: [String] = []
        while true {
            let line = try self.socket.line()
            lines.append(line)
            if line.utf8.dropFirst(3).first != UInt8(ascii: "-") { return Reply(lines: lines) }
        }
    }

    @discardableResult
    public func command(_ line: String) throws -> Reply {
        self.socket.write(line + "\r\n")
        return try self.reply()
    }

    /// One message; the first reply that is not positive, or the final one.
    @discardableResult
    public func send(_ message: [UInt8], from: String = "ann@sender.example", to: [String] = ["bob@example.com"]) throws -> Reply
    {
        let data = try self.begin(from: from, to: to)
        guard data.code == 354 else { return data }
        self.socket.write(Self.stuffed(message))
        return try self.reply()
    }

    /// MAIL, RCPT and DATA; the reply to the one that failed or to DATA.
    public func begin(from: String = "ann@sender.example", to: [String] = ["bob@example.com"]) throws -> Reply {
        let mail = try self.command("MAIL FROM:<\(from)>")
        guard mail.isPositive else { return mail }
        for recipient in to {
            let reply = try self.command("RCPT TO:<\(recipient)>")
            guard reply.isPositive else { return reply }
        }
        return try self.command("DATA")
    }

    /// A message as DATA sends it, with its end.
    public static func stuffed(_ message: [UInt8]) -> [UInt8] {
        var octets = message.first == 0x2e ? [0x2e] + message : message
        octets = octets.replacing(Array("\r\n.".utf8), with: Array("\r\n..".utf8))
        if !octets.isEmpty, !octets.suffix(2).elementsEqual([0x0d, 0x0a]) { octets += [0x0d, 0x0a] }
        return octets + Array(".\r\n".utf8)
    }

    public func quit() { _ = try? self.command("QUIT") }
}
