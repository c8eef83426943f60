import ArgumentParser
import ContentStorage
import MailStore
import MailTypes
import QuarantineReview

struct QueueList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List messages that wait, the oldest first.",
        discussion: "The column S: w waits for its next attempt, h stopped by an administrator."
    )

    @OptionGroup var queue: QueueOptions
    @Option(help: "Only messages for this route.")
    var route: String?
    @Option(help: "At most so many messages.")
    var limit = 1_000
    @Option(help: "text or json (one object a line).")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            let store = try self.queue.open()
            let found = try await store.list(self.route.map { .route($0) } ?? .all, limit: self.limit)
            switch self.format {
            case .json: for message in found { print(try jsonLine(QueueJSON(message))) }
            case .text: self.write(found)
            }
            let room = try await store.room()
            if self.format == .text, self.route == nil {
                StandardError.write("\(room.messages) messages, \(room.octets) octets\n")
            }
        }
    }

    private func write(_ found: [SpooledMessage]) {
        guard !found.isEmpty else { return }
        print("ID            S  RECEIVED              SIZE  TRIES  ROUTE                     FROM -> TO")
        for message in found {
            let waiting = message.recipients.filter { $0.state == .waiting }
            let first = waiting.first.map { $0.recipient.forwardPath.text } ?? ""
            let others = waiting.count > 1 ? " and \(waiting.count - 1) more" : ""
            let columns = [
                message.id.text.padded(12), message.isHeld ? "h" : "w", TimeText.utc(message.record.received).padded(20),
                "\(message.record.octets)".padded(-6), "\(message.attempts)".padded(-5), message.route.padded(24),
                HarmlessText.line("<\(message.record.envelope.reversePath)> -> <\(first)>\(others)"),
            ]
            print(columns.joined(separator: "  "))
        }
    }
}

extension String {
    /// To so many columns, on the right; on the left for a negative number.
    func padded(_ width: Int) -> String {
        let space = String(repeating: " ", count: max(0, abs(width) - self.count))
        return width < 0 ? space + self : self + space
    }
}

struct QueueShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what is known of a message, and its content."
    )

    @Argument(help: "The message's ID.")
    var id: String
    @OptionGroup var queue: QueueOptions
    @Flag(help: "The message itself instead, octet for octet.")
    var raw = false
    @Option(help: "text or json.")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            guard let id = TransactionID(self.id.uppercased()) else {
                throw CommandFailure(.wrongUse, "\(self.id.debugDescription) is not a message's ID: it has 12 digits and letters")
            }
            let store = try self.queue.open()
            let message = try await store.message(id)
            if self.raw {
                try QuarantineShow.writeRaw(try store.content(of: message))
            } else if self.format == .json {
                print(try jsonLine(QueueJSON(message)))
            } else {
                self.write(message)
            }
        }
    }

    private func write(_ message: SpooledMessage) {
        print("id:        \(message.id)\(message.isHeld ? " (stopped)" : "")")
        print("received:  \(TimeText.utc(message.record.received)) from \(message.record.envelope.client.address)")
        print("sender:    \(HarmlessText.line("<\(message.record.envelope.reversePath)>"))")
        print("subject:   \(HarmlessText.line(message.record.subject))")
        print("size:      \(message.record.octets)")
        print("route:     \(message.route)")
        print("tries:     \(message.attempts), the next not before \(TimeText.utc(message.nextAttempt))")
        print("gives up:  \(TimeText.utc(message.expires))")
        for recipient in message.recipients {
            let reply = recipient.reply.map { ": " + HarmlessText.line($0) } ?? ""
            print("recipient: <\(HarmlessText.line(recipient.recipient.forwardPath.text))> \(recipient.state.rawValue)\(reply)")
        }
    }
}

/// A message of the spool for programs. Fields may be added, never given another meaning.
struct QueueJSON: Encodable {
    struct Recipient: Encodable {
        var address: String
        var state: String
        var reply: String?
    }

    var id: String
    var route: String
    var received: String
    var expires: String
    var nextAttempt: String
    var attempts: Int
    var held: Bool
    var sender: String
    var recipients: [Recipient]
    var subject: String
    var octets: Int
    var client: String

    init(_ message: SpooledMessage) {
        self.id = message.id.text
        self.route = message.route
        self.received = TimeText.utc(message.record.received)
        self.expires = TimeText.utc(message.expires)
        self.nextAttempt = TimeText.utc(message.nextAttempt)
        self.attempts = message.attempts
        self.held = message.isHeld
        self.sender = message.record.envelope.reversePath.description
        self.recipients = message.recipients.map {
            Recipient(address: $0.recipient.forwardPath.text, state: $0.state.rawValue, reply: $0.reply)
        }
        self.subject = message.record.subject
        self.octets = message.record.octets
        self.client = message.record.envelope.client.address.description
    }

    enum CodingKeys: String, CodingKey {
        case id, route, received, expires
        case nextAttempt = "next_attempt"
        case attempts, held, sender, recipients, subject, octets, client
    }
}
