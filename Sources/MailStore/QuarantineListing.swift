import ContentStorage
import GRDB
import MailTypes

extension QuarantineStore {
    /// Messages that pass the filter, the newest first.
    package func list(
        _ filter: QuarantineFilter = QuarantineFilter(),
        limit: Int = 100,
        offset: Int = 0
    ) async throws -> [QuarantineSummary] {
        let (condition, values) = filter.condition
        let arguments = StatementArguments(values + [limit, offset])
        return try await self.pool.read { database in
            let cursor = try Row.fetchCursor(
                database,
                sql: """
                    SELECT \(RowCodec.summaryColumns) FROM messages \(condition) ORDER BY received DESC, id DESC LIMIT ? OFFSET ?
                    """,
                arguments: arguments
            )
            var found: [QuarantineSummary] = []
            while let row = try cursor.next() {
                found.append(try RowCodec.summary(row))
            }
            return found
        }
    }

    package func count(_ filter: QuarantineFilter = QuarantineFilter()) async throws -> Int {
        let (condition, values) = filter.condition
        let arguments = StatementArguments(values)
        return try await self.pool.read { database in
            try Int.fetchOne(database, sql: "SELECT count(*) FROM messages \(condition)", arguments: arguments) ?? 0
        }
    }

    /// Octets of held messages and of copies of refused mail.
    package func octets() async throws -> (held: Int, rejected: Int) {
        try await self.pool.read { database in
            let held = try Int.fetchOne(database, sql: "SELECT octets FROM room WHERE kind = 'held'") ?? 0
            let rejected = try Int.fetchOne(database, sql: "SELECT octets FROM room WHERE kind = 'rejected'") ?? 0
            return (held, rejected)
        }
    }

    /// The message that an id, or the beginning or the end of one, stands for. Letters count in either case.
    /// - Throws: `QuarantineError.notAnID`, `.notFound`, `.ambiguous`.
    package func resolve(_ text: String) async throws -> TransactionID {
        let wanted = text.uppercased()
        let isPlain = wanted.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
        guard isPlain, (1...12).contains(wanted.utf8.count) else { throw QuarantineError.notAnID(text) }
        let shown = 5
        let found = try await self.pool.read { database in
            // The text holds digits and letters only: nothing in it means anything to GLOB.
            try String.fetchAll(
                database,
                sql: "SELECT id FROM messages WHERE id GLOB ? OR id GLOB ? ORDER BY received DESC LIMIT ?",
                arguments: ["\(wanted)*", "*\(wanted)", shown]
            )
        }
        let ids = found.compactMap { TransactionID($0) }
        guard let first = ids.first else { throw QuarantineError.notFound(text) }
        guard ids.count == 1 else { throw QuarantineError.ambiguous(text, ids) }
        return first
    }

    /// Held messages that came last, the newest first.
    package func latestHeld(limit: Int) async throws -> [QuarantineRecord] {
        try await self.pool.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT * FROM messages WHERE kind = 'held' ORDER BY received DESC, id DESC LIMIT ?",
                arguments: [limit]
            )
            return try rows.map { try RowCodec.entry($0).record }
        }
    }

    /// - Throws: `QuarantineError.notFound`.
    package func record(_ id: TransactionID) async throws -> QuarantineEntry {
        try await self.pool.read { try Self.entry(id, in: $0) }
    }

    static func entry(_ id: TransactionID, in database: Database) throws -> QuarantineEntry {
        guard let row = try Row.fetchOne(database, sql: "SELECT * FROM messages WHERE id = ?", arguments: [id.text]) else {
            throw QuarantineError.notFound(id.text)
        }
        return try RowCodec.entry(row)
    }

    /// The stored bytes, as they were received. Reads from the disk.
    /// - Throws: `QuarantineError.notFound`, `.deleted`, `.damaged`.
    package func content(of id: TransactionID) async throws -> MessageContent {
        let stored: Int = try await self.pool.read { database in
            let sql = "SELECT state, octets FROM messages WHERE id = ?"
            guard let row = try Row.fetchOne(database, sql: sql, arguments: [id.text]) else {
                throw QuarantineError.notFound(id.text)
            }
            if row["state"] == QuarantineState.deleted.rawValue { throw QuarantineError.deleted(id) }
            return row["octets"]
        }
        return try self.files.content(of: id, octets: stored)
    }

    /// What was done with a message, in order; also when the message itself is gone.
    package func audit(_ id: TransactionID) async throws -> [AuditEntry] {
        try await self.pool.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT moment, who, action, why, detail FROM audit WHERE message = ? ORDER BY number",
                arguments: [id.text]
            ).compactMap { row in
                guard let action = AuditEntry.Action(rawValue: row["action"]) else { return nil }
                return AuditEntry(
                    id: id,
                    when: row["moment"],
                    who: row["who"],
                    action: action,
                    why: row["why"],
                    detail: row["detail"]
                )
            }
        }
    }

    /// Adds to the audit trail, in the transaction of what it tells.
    func note(
        _ action: AuditEntry.Action,
        _ id: TransactionID,
        by: String,
        why: String,
        detail: String = "",
        in database: Database
    ) throws {
        try database.execute(
            sql: "INSERT INTO audit (message, moment, who, action, why, detail) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [id.text, self.clock(), by, action.rawValue, why, detail]
        )
    }
}

extension QuarantineFilter {
    /// The WHERE clause and its values.
    fileprivate var condition: (sql: String, values: [(any DatabaseValueConvertible)?]) {
        var terms: [String] = []
        var values: [(any DatabaseValueConvertible)?] = []
        func add(_ term: String, _ value: any DatabaseValueConvertible) {
            terms.append(term)
            values.append(value)
        }
        if let kind = self.kind { add("kind = ?", kind.rawValue) }
        if !self.states.isEmpty {
            terms.append("state IN (\(self.states.map { _ in "?" }.joined(separator: ", ")))")
            values += self.states.map(\.rawValue).sorted().map { $0 as (any DatabaseValueConvertible)? }
        }
        if let since = self.since { add("received >= ?", since) }
        if let until = self.until { add("received < ?", until) }
        if let from = self.from { add("instr(folded_from, ?) > 0", from.lowercased()) }
        if let to = self.to { add("instr(folded_to, ?) > 0", to.lowercased()) }
        for (kind, name) in [("rule", self.rule), ("signature", self.signature)] {
            guard let name else { continue }
            let comparison = name.contains("*") ? "LIKE ? ESCAPE '\\'" : "= ?"
            terms.append("id IN (SELECT message FROM names WHERE kind = '\(kind)' AND name \(comparison))")
            values.append(name.contains("*") ? Self.pattern(name) : name)
        }
        for word in (self.text ?? "").lowercased().split(whereSeparator: \.isWhitespace) {
            add("instr(folded_subject || char(10) || folded_from || char(10) || folded_to, ?) > 0", String(word))
        }
        return (terms.isEmpty ? "" : "WHERE " + terms.joined(separator: " AND "), values)
    }

    /// A name with `*` as a pattern for LIKE, whose own signs mean themselves.
    private static func pattern(_ name: String) -> String {
        name.map { character in
            switch character {
            case "*": "%"
            case "%", "_", "\\": "\\\(character)"
            default: String(character)
            }
        }.joined()
    }
}
