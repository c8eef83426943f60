import ArgumentParser
import Foundation
import Gateway
import MailPolicy
import MailStore

struct ListsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lists",
        abstract: "Let senders through or refuse them; a running gateway takes changes over within a second.",
        discussion: """
            A sender is a client's address or network (192.0.2.7, 192.0.2.0/24), or a domain or a mail address that SPF or DKIM \
            proves (example.org, *.example.org, ann@example.org). With --spoofable what the sender says of itself is enough; \
            helo:PATTERN and from:PATTERN, which look at the text of HELO and From, are possible only so.

            Of the entries that fit, one for the recipient goes before one for its domain, and that before one for all; then \
            allow goes before deny.
            """,
        subcommands: [ListsAdd.self, ListsRemove.self, ListsShow.self, ListsTest.self]
    )
}

extension ListEntry {
    /// `example.com`, `bob@example.com`, or empty for everybody.
    var recipientText: String {
        switch self.scope {
        case .all: ""
        case .domain(let domain): domain
        case .recipient(let address): address
        }
    }

    /// One object of the listings.
    func fields(now: Int64) -> [String: JSONValue] {
        [
            "id": .text(self.id), "action": .text(self.action.rawValue), "sender": .text(self.text),
            "spoofable": .boolean(self.isSpoofable), "recipients": self.scope == .all ? .null : .text(self.recipientText),
            "comment": .text(self.comment), "expires": self.expires.map { .text(TimeText.utc($0)) } ?? .null,
            "expired": .boolean(self.isExpired(at: now)),
        ]
    }
}

/// Opens the stored lists of a configuration.
func openLists(_ configuration: GatewayConfiguration) throws -> ListStore {
    let directory = configuration.dataDirectory
    guard FileManager.default.fileExists(atPath: directory) else {
        throw CommandFailure(.noInput, "\(directory): there is no data directory yet; it is made when the gateway first starts")
    }
    return try ListStore(directory: directory)
}
