import GRDB
import MailPolicy

/// An entry of the lists with where it comes from.
package struct StoredListEntry: Hashable, Sendable {
    package var entry: ListEntry
    /// Milliseconds since 1970.
    package var created: Int64
    package var createdBy: String

    package init(entry: ListEntry, created: Int64, createdBy: String) {
        self.entry = entry
        self.created = created
        self.createdBy = createdBy
    }
}

/// Why an entry was not added.
package enum ListStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    case exists(id: String)
    case full(limit: Int)
    case tooManyPatterns(limit: Int)

    package var description: String {
        switch self {
        case .exists(let id): "there is such an entry: \(id)"
        case .tooManyPatterns(let limit): "there are \(limit) entries with helo: or from:, and no more is possible"
        case .full(let limit): "there are \(limit) entries, and no more is possible"
        }
    }
}

/// The allow and deny lists that commands change while the gateway runs.
///
/// The gateway has a connection of its own and only reads; `changeMark` tells it cheaply whether somebody has written.
package final class ListStore: Sendable {
    /// Entries that are kept: each is some hundred octets in the memory of the gateway.
    package static let maximumEntries = 1_000_000
    /// Entries with a pattern of text: each is tried on each message, on the event loop, for about a microsecond.
    package static let maximumPatterns = 1_000
    /// Milliseconds that expired entries are still shown: 30 days.
    static let expiredKept: Int64 = 30 * 86_400_000

    private let queue: DatabaseQueue

    /// Opens the lists, and makes them where there are none.
    /// - Parameter directory: the data directory.
    package init(directory: String) throws {
        self.queue = try SharedDatabase.open(Self.file(in: directory), label: "lists", durability: .full)
        try Self.makeTables(self.queue)
    }

    static func makeTables(_ queue: DatabaseQueue) throws {
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS entries (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        action TEXT NOT NULL,
                        sender TEXT NOT NULL,
                        spoofable INTEGER NOT NULL,
                        domain TEXT NOT NULL,
                        recipient TEXT NOT NULL,
                        comment TEXT NOT NULL,
                        created INTEGER NOT NULL,
                        created_by TEXT NOT NULL,
                        expires INTEGER
                    );
                    CREATE INDEX IF NOT EXISTS entries_by_sender ON entries (sender);
                    """
            )
        }
    }

    package static func file(in directory: String) -> String { directory + "/lists.sqlite" }

    /// A number that is another one after some other connection has written.
    package func changeMark() async throws -> Int {
        try await self.queue.read { try Int.fetchOne($0, sql: "PRAGMA data_version") ?? 0 }
    }

    /// All entries in the order in which they were added, also expired ones; and how many rows this version does not know.
    package func entries() async throws -> (entries: [StoredListEntry], unknown: Int) {
        try await self.queue.read { try Self.entries($0) }
    }

    /// The same for a caller that has nothing else to do meanwhile.
    package func entriesAtStart() throws -> (entries: [StoredListEntry], unknown: Int) {
        try self.queue.read { try Self.entries($0) }
    }

    private static func entries(_ database: Database) throws -> (entries: [StoredListEntry], unknown: Int) {
        let cursor = try Row.fetchCursor(database, sql: "SELECT * FROM entries ORDER BY id")
        var entries: [StoredListEntry] = []
        var unknown = 0
        while let row = try cursor.next() {
            if let entry = self.entry(row) {
                entries.append(entry)
            } else {
                unknown += 1
            }
        }
        return (entries, unknown)
    }

    /// Adds an entry; its id is given to it here.
    /// - Throws: `ListStoreError`.
    package func add(_ entry: ListEntry, by: String, now: Int64) async throws -> ListEntry {
        let (domain, recipient) = entry.scope.columns
        return try await self.queue.write { database in
            try database.execute(sql: "DELETE FROM entries WHERE expires < ?", arguments: [now - Self.expiredKept])
            let existing = try Int64.fetchOne(
                database,
                sql: """
                    SELECT id FROM entries WHERE action = ? AND sender = ? AND spoofable = ? AND domain = ? AND recipient = ? \
                    AND (expires IS NULL OR expires > ?)
                    """,
                arguments: [entry.action.rawValue, entry.text, entry.isSpoofable, domain, recipient, now]
            )
            if let existing { throw ListStoreError.exists(id: "\(existing)") }
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM entries") ?? 0
            guard count < Self.maximumEntries else { throw ListStoreError.full(limit: Self.maximumEntries) }
            if entry.subject.isPattern {
                let sql = "SELECT count(*) FROM entries WHERE sender LIKE 'helo:%' OR sender LIKE 'from:%'"
                guard try Int.fetchOne(database, sql: sql) ?? 0 < Self.maximumPatterns else {
                    throw ListStoreError.tooManyPatterns(limit: Self.maximumPatterns)
                }
            }
            try database.execute(
                sql: """
                    INSERT INTO entries (action, sender, spoofable, domain, recipient, comment, created, created_by, expires) \
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    entry.action.rawValue, entry.text, entry.isSpoofable, domain, recipient, entry.comment, now, by,
                    entry.expires,
                ]
            )
            var added = entry
            added.id = "\(database.lastInsertedRowID)"
            return added
        }
    }

    /// - Returns: false when there is no such entry.
    package func remove(_ id: String) async throws -> Bool {
        guard let number = Int64(id) else { return false }
        return try await self.queue.write { database in
            try database.execute(sql: "DELETE FROM entries WHERE id = ?", arguments: [number])
            return database.changesCount > 0
        }
    }

    private static func entry(_ row: Row) -> StoredListEntry? {
        let (text, isSpoofable): (String, Bool) = (row["sender"], row["spoofable"])
        let (domain, recipient): (String, String) = (row["domain"], row["recipient"])
        guard let action = ListEntry.Action(rawValue: row["action"]),
            let subject = try? ListEntry.subject(text, action: action, isSpoofable: isSpoofable),
            let scope = try? ListEntry.scope(
                domain: domain.isEmpty ? nil : domain,
                recipient: recipient.isEmpty ? nil : recipient
            )
        else { return nil }
        let id: Int64 = row["id"]
        return StoredListEntry(
            entry: ListEntry(
                id: "\(id)",
                action: action,
                text: text,
                subject: subject,
                isSpoofable: isSpoofable,
                scope: scope,
                comment: row["comment"],
                expires: row["expires"]
            ),
            created: row["created"],
            createdBy: row["created_by"]
        )
    }
}

extension ListSubject {
    fileprivate var isPattern: Bool {
        switch self {
        case .helo, .from: true
        case .network, .address, .domain: false
        }
    }
}

/// Where a gateway reads lists that change; for one gateway a file of its own.
package protocol ListSource: Sendable {
    func changeMark() async throws -> Int
    func entries() async throws -> (entries: [StoredListEntry], unknown: Int)
}

extension ListStore: ListSource {}

extension ListScope {
    /// Empty where it does not count.
    fileprivate var columns: (domain: String, recipient: String) {
        switch self {
        case .all: ("", "")
        case .domain(let domain): (domain, "")
        case .recipient(let address): ("", address)
        }
    }
}
