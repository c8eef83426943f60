import Foundation

/// What an administrator's program may ask a running gateway on its admin socket. A question is one line of JSON, and so is the
/// answer; then the connection ends.
package struct AdminRequest: Codable, Hashable, Sendable {
    package enum Command: String, Codable, Hashable, Sendable {
        /// How the gateway is.
        case status
    }

    package var command: Command

    package init(_ command: Command) {
        self.command = command
    }

    /// - Parameter line: without its end.
    init?(line: [UInt8]) {
        guard let request = try? JSONDecoder().decode(Self.self, from: Data(line)) else { return nil }
        self = request
    }

    /// nil: it cannot be written, which does not happen.
    var line: [UInt8]? { (try? JSONEncoder().encode(self)).map { Array($0) + [AdminBounds.lineEnd] } }
}

/// An answer that says why there is none.
struct AdminRefusal: Codable, Hashable, Sendable {
    var error: String

    var line: [UInt8] { ((try? JSONEncoder().encode(self)).map { Array($0) } ?? []) + [AdminBounds.lineEnd] }
}

/// Bounds of a conversation on the admin socket. None of them is a setting: both ends are ours.
package enum AdminBounds {
    static let lineEnd = UInt8(ascii: "\n")
    /// Octets of a question; the longest there is has 20.
    package static let request = 4_096
    /// Octets of an answer: some thousand routes and lists.
    package static let answer = 4 * 1_048_576
    /// For a client to say its question, and for it to take the answer.
    package static let time = Duration.seconds(5)
    /// A client waits this long for its answer: as long as a database may be busy, and some more.
    package static let patience = Duration.seconds(15)
    /// Conversations at once; others are turned away.
    package static let connections = 4
}
