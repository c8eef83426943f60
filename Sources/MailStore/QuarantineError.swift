import GRDB
import MailTypes

/// Why the quarantine did not do what it was asked.
package enum QuarantineError: Error, Hashable, Sendable {
    case notFound(String)
    /// The short form of an id stands for several messages; some of them.
    case ambiguous(String, [TransactionID])
    /// Not an id, nor a part of one.
    case notAnID(String)
    /// Octets that are held and may be held.
    case full(octets: Int, limit: Int)
    /// There is a message with that id.
    case exists(TransactionID)
    /// The message was deleted; its facts remain for a while.
    case deleted(TransactionID)
    /// A copy of refused mail: its sender was told that it did not arrive.
    case reviewOnly(TransactionID)
    case alreadyReleased(TransactionID, at: Int64, by: String)
    case beingReleased(TransactionID, since: Int64, by: String)
    /// Another process took the release over, because this one looked dead.
    case claimLost(TransactionID)
    /// The facts are there and the content is not, or not whole (a copy of refused mail after a power failure).
    case damaged(TransactionID)
    /// The quarantine's directory or a file in it cannot be used.
    case unusable(String)
}

extension QuarantineError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notFound(let text): "no message \(text) in the quarantine"
        case .ambiguous(let text, let ids): "\(text) stands for several messages: \(ids.map(\.text).joined(separator: ", "))"
        case .notAnID(let text): "\(text.debugDescription) is not a message's id: it has 12 digits and letters"
        case .full(let octets, let limit): "the quarantine is full: \(octets) of \(limit) octets"
        case .exists(let id): "message \(id) is in the quarantine already"
        case .deleted(let id): "message \(id) was deleted"
        case .reviewOnly(let id):
            "message \(id) is a copy of refused mail and cannot be released: its sender was told that it did not arrive"
        case .alreadyReleased(let id, let at, let by): "message \(id) was already released at \(TimeText.utc(at)) by \(by)"
        case .beingReleased(let id, let since, let by): "message \(id) is being released by \(by) since \(TimeText.utc(since))"
        case .claimLost(let id): "the release of message \(id) was taken over by another process"
        case .damaged(let id): "the content of message \(id) is missing or not whole"
        case .unusable(let text): "the quarantine cannot be used: \(text)"
        }
    }
}

/// What the database said, for programs that know nothing of databases.
package struct DatabaseTrouble: Sendable {
    /// Another process is at work on it; later it may be free.
    package let isBusy: Bool
    package let text: String

    /// nil when the error is not the database's.
    package init?(_ error: any Error) {
        guard let error = error as? DatabaseError else { return nil }
        self.isBusy = error.resultCode == .SQLITE_BUSY || error.resultCode == .SQLITE_LOCKED
        self.text = "a database of the data directory: \(error.message ?? error.resultCode.description)"
    }
}
