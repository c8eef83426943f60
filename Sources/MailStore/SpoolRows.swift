import Foundation
import GRDB
import MailTypes

/// The spool's tables. A migration that was ever released is never changed: a new one follows it.
enum SpoolSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("messages and recipients") { database in
            try database.execute(sql: self.firstTables)
        }
        migrator.registerMigration("since when a message is held") { database in
            try database.execute(sql: "ALTER TABLE messages ADD COLUMN held_since INTEGER")
            // It is not known; the longest it can be takes nothing from a message's time.
            try database.execute(sql: "UPDATE messages SET held_since = received WHERE held = 1")
        }
        migrator.registerMigration("what notices were made") { database in
            try database.execute(sql: self.told)
        }
        migrator.registerMigration("turns") { database in
            try database.execute(sql: self.turns)
        }
        return migrator
    }

    private static let firstTables = """
        CREATE TABLE messages (
            id TEXT PRIMARY KEY NOT NULL,
            route TEXT NOT NULL,
            received INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            next_attempt INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            held INTEGER NOT NULL,
            delay_reported INTEGER NOT NULL,
            forged INTEGER NOT NULL,
            sender_key TEXT NOT NULL,
            policy TEXT NOT NULL,
            reason TEXT NOT NULL,
            score REAL NOT NULL,
            subject TEXT NOT NULL,
            header_from TEXT NOT NULL,
            octets INTEGER NOT NULL,
            content_hash BLOB NOT NULL,
            prefix BLOB NOT NULL,
            omitted TEXT NOT NULL,
            facts BLOB NOT NULL
        );
        CREATE INDEX messages_by_turn ON messages (route, held, next_attempt);

        CREATE TABLE recipients (
            message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            state TEXT NOT NULL,
            reply TEXT,
            PRIMARY KEY (message, number)
        ) WITHOUT ROWID;

        CREATE TABLE room (messages INTEGER NOT NULL, octets INTEGER NOT NULL);
        INSERT INTO room (messages, octets) VALUES (0, 0);
        CREATE TRIGGER room_taken AFTER INSERT ON messages BEGIN
            UPDATE room SET messages = messages + 1, octets = octets + NEW.octets;
        END;
        CREATE TRIGGER room_given_back AFTER DELETE ON messages BEGIN
            UPDATE room SET messages = messages - 1, octets = octets - OLD.octets;
        END;
        """

    /// A notice is written down as made by the transaction that stores it, and stays so when it has left, as long as the message that
    /// it is about is here and could make it again.
    private static let told = """
        ALTER TABLE messages ADD COLUMN about TEXT;

        CREATE TABLE told (
            message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            notice TEXT NOT NULL,
            PRIMARY KEY (message, notice)
        ) WITHOUT ROWID;
        CREATE TRIGGER notice_made AFTER INSERT ON messages WHEN EXISTS (SELECT 1 FROM messages WHERE id = NEW.about) BEGIN
            INSERT OR IGNORE INTO told (message, notice) VALUES (NEW.about, NEW.id);
        END;
        """
}

extension SpoolSchema {
    /// `turn` numbers a sender's messages on a route. The first of a sender who has none waiting gets the number whose turn it is now, the
    /// next ones follow: so senders take turns when messages leave in its order, whoever came first and with however many.
    ///
    /// The first index has all that says whether a message is due, so that those that are not are passed over without a look at them.
    fileprivate static let turns = """
        ALTER TABLE messages ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
        UPDATE messages SET turn = numbered.turn FROM (
            SELECT id, ROW_NUMBER() OVER (PARTITION BY route, sender_key ORDER BY attempts, received, id) AS turn FROM messages
        ) AS numbered WHERE messages.id = numbered.id;
        DROP INDEX messages_by_turn;
        CREATE INDEX messages_by_turn ON messages (route, held, attempts, turn, received, id, next_attempt, expires);
        CREATE INDEX messages_by_sender ON messages (route, held, attempts, sender_key, turn);
        """

    /// The turn of a new message, from its route and sender (twice the route). What was tried before goes after it anyway, and what is
    /// held takes no part.
    fileprivate static let nextTurn = """
        (SELECT max(
            coalesce((SELECT max(turn) + 1 FROM messages WHERE route = ? AND held = 0 AND attempts = 0 AND sender_key = ?), 0),
            coalesce((SELECT min(turn) FROM messages WHERE route = ? AND held = 0 AND attempts = 0), 0)
        ))
        """
}

/// Spooled messages as rows and back.
enum SpoolRow {
    static func insert(_ message: SpooledMessage, octets: Int, into database: Database) throws {
        let record = message.record
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO messages (id, route, received, expires, next_attempt, attempts, held, delay_reported, forged, \
                sender_key, policy, reason, score, subject, header_from, octets, content_hash, prefix, omitted, facts, \
                about, turn) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \(SpoolSchema.nextTurn))
                """
        )
        let arguments: [(any DatabaseValueConvertible)?] = [
            message.id.text, message.route, record.received, message.expires, message.nextAttempt, message.attempts,
            message.isHeld, message.isDelayReported, message.isForged, message.senderKey, record.policy, record.reason,
            record.score.isNaN ? 0 : record.score, record.subject, record.headerFrom, octets, Data(record.contentHash),
            Data(record.prefix), message.omitted.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: " "),
            try StoredFacts(record).encoded(), message.about?.text, message.route, message.senderKey, message.route,
        ]
        try statement.execute(arguments: StatementArguments(arguments))
        let recipients = try database.cachedStatement(
            sql: "INSERT INTO recipients (message, number, state, reply) VALUES (?, ?, ?, ?)"
        )
        for (number, recipient) in message.recipients.enumerated() {
            try recipients.execute(arguments: [message.id.text, number, recipient.state.rawValue, recipient.reply])
        }
    }

    static func message(_ row: Row, in database: Database) throws -> SpooledMessage {
        guard let id = TransactionID(row["id"] as String) else { throw SpoolError.notFound(row["id"]) }
        let facts = try StoredFacts.decoded(row["facts"])
        let record = RowCodec.record(row, id: id, kind: .held, facts)
        let omitted: String = row["omitted"]
        var message = SpooledMessage(
            record: record,
            omitted: omitted.split(separator: " ").compactMap { text in
                let ends = text.split(separator: "-").compactMap { Int($0) }
                return ends.count == 2 && ends[0] <= ends[1] ? ends[0]..<ends[1] : nil
            },
            expires: row["expires"],
            isForged: row["forged"],
            about: (row["about"] as String?).flatMap { TransactionID($0) }
        )
        message.nextAttempt = row["next_attempt"]
        message.attempts = row["attempts"]
        message.isHeld = row["held"]
        message.isDelayReported = row["delay_reported"]
        let states = try Row.fetchAll(
            database,
            sql: "SELECT number, state, reply FROM recipients WHERE message = ? ORDER BY number",
            arguments: [id.text]
        )
        for state in states {
            let number: Int = state["number"]
            guard message.recipients.indices.contains(number) else { continue }
            message.recipients[number].state = SpooledRecipient.State(rawValue: state["state"]) ?? .waiting
            message.recipients[number].reply = state["reply"]
        }
        return message
    }
}
