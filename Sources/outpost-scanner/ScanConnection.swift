import ClamAVKit
import SystemKit

/// One connection: commands in, replies out, in order.
struct ScanConnection {
    /// An unused connection is closed after an hour; the gateway closes its own earlier.
    private static let idleLimit = Duration.seconds(3_600)
    /// The longest command that there is, with room.
    private static let maximumCommandLength = 256
    private static let readSize = 256 * 1_024

    private enum Failure: Error {
        /// The peer is gone, or what it sent has no sense: there is nobody to answer.
        case ended
        /// Answered, then the connection ends.
        case refused(String)
    }

    private let server: ScanServer
    private let socket: StreamSocket
    private var buffer: [UInt8] = []
    private var position = 0
    private var passed: File?
    private var isSession = false
    private var requests = 0
    /// The end of commands and replies: zero for `z…`, line feed otherwise.
    private var terminator: UInt8 = 0x0A

    init(server: ScanServer, socket: StreamSocket) {
        self.server = server
        self.socket = socket
    }

    mutating func run() {
        do throws(Failure) {
            repeat {
                try self.handle(self.command())
            } while self.isSession
        } catch {
            if case .refused(let text) = error { try? self.reply(text) }
        }
    }

    private mutating func handle(_ command: String) throws(Failure) {
        switch command {
        case "IDSESSION":
            self.isSession = true
            return
        case "END":
            throw .ended
        default:
            self.requests += 1
        }
        switch command {
        case "PING": try self.reply("PONG")
        case "VERSION": try self.reply("ClamAV \(self.server.version)")
        case "STATS": try self.reply("POOLS: 1\n\nSTATE: VALID PRIMARY\nEND")
        case "INSTREAM":
            let bytes = try self.stream()
            try self.reply(self.server.scan(bytes), name: "stream")
        case "FILDES":
            let file = try self.passedFile()
            try self.reply(self.server.scan(file), name: "fd[\(file.descriptor)]")
        default: throw .refused("UNKNOWN COMMAND")
        }
    }

    private func reply(_ outcome: ScanServer.Outcome, name: String) throws(Failure) {
        switch outcome.result {
        case .clean: try self.reply("\(name): OK")
        case .found(let names):
            let words = names.map { $0.map { $0.isWhitespace ? "_" : "\($0)" }.joined() }
            try self.reply("\(name): \(words.joined(separator: " ")) FOUND")
        case .failed(let error): try self.reply("\(name): \(error) ERROR")
        }
        // Answered; the next scan gets a thread at full speed.
        if outcome.isSlowed { throw .ended }
    }

    private func reply(_ text: String) throws(Failure) {
        let prefix = self.isSession ? "\(self.requests): " : ""
        do throws(SystemError) {
            try self.socket.write(Array((prefix + text).utf8) + [self.terminator], deadline: .now + Self.idleLimit)
        } catch {
            throw .ended
        }
    }

    // MARK: Reading

    private mutating func command() throws(Failure) -> String {
        let form = try self.octets(1).first!
        self.terminator = form == UInt8(ascii: "z") ? 0 : 0x0A
        var name: [UInt8] = form == UInt8(ascii: "z") || form == UInt8(ascii: "n") ? [] : [form]
        while true {
            let octet = try self.octets(1).first!
            if octet == self.terminator { return String(decoding: name, as: UTF8.self) }
            guard name.count < Self.maximumCommandLength else { throw .refused("COMMAND READ TIMED OUT") }
            name.append(octet)
        }
    }

    /// Chunks, each with its length in four octets, up to an empty one.
    private mutating func stream() throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let length = try self.octets(4).reduce(0) { $0 << 8 | Int($1) }
            if length == 0 { return bytes }
            guard bytes.count + length <= self.server.streamSize else { throw .refused("INSTREAM size limit exceeded. ERROR") }
            try bytes.append(contentsOf: self.octets(length))
        }
    }

    /// The descriptor comes beside one octet without meaning.
    private mutating func passedFile() throws(Failure) -> File {
        _ = try self.octets(1)
        guard let file = self.passed else { throw .refused("No file descriptor received. ERROR") }
        self.passed = nil
        return file
    }

    private mutating func octets(_ count: Int) throws(Failure) -> ArraySlice<UInt8> {
        while self.buffer.count - self.position < count {
            self.buffer.removeSubrange(..<self.position)
            self.position = 0
            do throws(SystemError) {
                let received = try self.socket.receive(count: Self.readSize, deadline: .now + Self.idleLimit)
                guard !received.bytes.isEmpty else { throw SystemError(code: 0, "end") }
                self.buffer.append(contentsOf: received.bytes)
                if let file = received.file { self.passed = file }
            } catch {
                throw .ended
            }
        }
        defer { self.position += count }
        return self.buffer[self.position..<(self.position + count)]
    }
}
