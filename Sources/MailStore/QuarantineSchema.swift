import GRDB

/// The quarantine's tables. A migration that was ever released is never changed: a new one follows it.
enum QuarantineSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("messages, audit trail and passes") { database in
            try database.execute(sql: self.firstTables)
        }
        return migrator
    }

    /// `stored` counts the octets on the disk (0 once the content is deleted); triggers keep their sums, so that asking
    /// whether there is room costs one row, whichever process asks.
    private static let firstTables = """
        CREATE TABLE messages (
            id TEXT PRIMARY KEY NOT NULL,
            kind TEXT NOT NULL,
            state TEXT NOT NULL,
            received INTEGER NOT NULL,
            sender TEXT NOT NULL,
            recipients TEXT NOT NULL,
            header_from TEXT NOT NULL,
            subject TEXT NOT NULL,
            folded_from TEXT NOT NULL,
            folded_to TEXT NOT NULL,
            folded_subject TEXT NOT NULL,
            route TEXT NOT NULL,
            policy TEXT NOT NULL,
            reason TEXT NOT NULL,
            score REAL NOT NULL,
            rules TEXT NOT NULL,
            signatures TEXT NOT NULL,
            octets INTEGER NOT NULL,
            stored INTEGER NOT NULL,
            content_hash BLOB NOT NULL,
            prefix BLOB NOT NULL,
            facts BLOB NOT NULL,
            note TEXT,
            release_owner TEXT,
            release_by TEXT,
            release_since INTEGER,
            release_from TEXT,
            released INTEGER,
            released_by TEXT,
            doubtful INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX messages_by_time ON messages (received, id);
        CREATE INDEX messages_by_kind ON messages (kind, state, received, id);

        CREATE TABLE names (
            message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            name TEXT NOT NULL COLLATE NOCASE
        );
        CREATE INDEX names_by_name ON names (kind, name, message);
        CREATE INDEX names_by_message ON names (message);

        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            message TEXT NOT NULL,
            moment INTEGER NOT NULL,
            who TEXT NOT NULL,
            action TEXT NOT NULL,
            why TEXT NOT NULL,
            detail TEXT NOT NULL
        );
        CREATE INDEX audit_by_message ON audit (message, number);
        CREATE INDEX audit_by_moment ON audit (moment);

        CREATE TABLE passes (
            message TEXT PRIMARY KEY NOT NULL,
            content_hash BLOB NOT NULL,
            sender TEXT NOT NULL,
            recipients TEXT NOT NULL,
            rules TEXT NOT NULL,
            expires INTEGER NOT NULL
        );
        CREATE INDEX passes_by_hash ON passes (content_hash);
        CREATE INDEX passes_by_expiry ON passes (expires);

        CREATE TABLE room (
            kind TEXT PRIMARY KEY NOT NULL,
            octets INTEGER NOT NULL
        );
        INSERT INTO room (kind, octets) VALUES ('held', 0), ('rejected', 0);
        CREATE TRIGGER room_taken AFTER INSERT ON messages BEGIN
            UPDATE room SET octets = octets + NEW.stored WHERE kind = NEW.kind;
        END;
        CREATE TRIGGER room_given_back AFTER DELETE ON messages BEGIN
            UPDATE room SET octets = octets - OLD.stored WHERE kind = OLD.kind;
        END;
        CREATE TRIGGER room_changed AFTER UPDATE OF stored ON messages BEGIN
            UPDATE room SET octets = octets + NEW.stored - OLD.stored WHERE kind = NEW.kind;
        END;

        CREATE TABLE moments (
            name TEXT PRIMARY KEY NOT NULL,
            moment INTEGER NOT NULL
        );
        """
}
