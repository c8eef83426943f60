import Dispatch
import Foundation
import Synchronization

/// Lines from a connection.
final class ConversationReader: Sendable {
    /// Longer than anything here takes on a busy machine; a conversation that works never waits for it.
    static let patience = DispatchTimeInterval.seconds(10)

    let channel: any ConversationChannel
    private let unread = Mutex<[UInt8]>([])

    init(_ channel: any ConversationChannel) {
        self.channel = channel
    }

    /// What has come and was not read.
    var leftover: [UInt8] { self.unread.withLock { $0 } }

    private func fill() throws -> Bool {
        let bytes = try self.channel.receive(until: .now() + Self.patience)
        self.unread.withLock { $0 += bytes }
        return !bytes.isEmpty
    }

    /// The next line without its CRLF; nil at the end. A line that ends in LF alone comes with what stands before it.
    func line() throws -> [UInt8]? {
        while true {
            let line = self.unread.withLock { unread -> [UInt8]? in
                guard let end = unread.firstIndex(of: 0x0a) else { return nil }
                var line = Array(unread[..<end])
                unread.removeSubrange(...end)
                if line.last == 0x0d { line.removeLast() } else { line.append(0x0a) }
                return line
            }
            if let line { return line }
            guard try self.fill() else { return nil }
        }
    }

    /// A message as it is on the wire, without the end mark; nil when the other side closes before.
    func message() throws -> [UInt8]? {
        var message: [UInt8] = []
        while let line = try self.line() {
            if line == [UInt8(ascii: ".")] { return message }
            message += line.last == 0x0a ? line : line + [0x0d, 0x0a]
        }
        return nil
    }

    /// All that comes until the other side closes.
    func rest() throws -> [UInt8] {
        while try self.fill() {}
        return self.leftover
    }
}
