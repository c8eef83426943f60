import Foundation
import GRDB
import MailTypes
import SystemKit

extension StoreCheck {
    /// Rows about messages that are not there.
    func strayRows(_ queue: DatabaseQueue) throws -> [StoreProblem] {
        try (self.store == .spool ? ["recipients", "told"] : ["names"]).flatMap { try self.strayRows(in: $0, queue) }
    }

    private func strayRows(in table: String, _ queue: DatabaseQueue) throws -> [StoreProblem] {
        let condition = "message NOT IN (SELECT id FROM messages)"
        let count = try queue.read { database in
            // A database of an earlier version, which no newer gateway has opened yet.
            guard try database.tableExists(table) else { return 0 }
            return try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table) WHERE \(condition)") ?? 0
        }
        guard count > 0 else { return [] }
        let problem = StoreProblem.of(self.store, .strayRow, detail: "\(count) in \(table) without a message")
        guard self.repairs else { return [problem] }
        try queue.write { try $0.execute(sql: "DELETE FROM \(table) WHERE \(condition)") }
        return [problem.with(.done("removed"))]
    }

    func checkRows(_ queue: DatabaseQueue, _ report: inout Report) throws {
        for number in try queue.read({ try Int64.fetchAll($0, sql: "SELECT rowid FROM messages ORDER BY rowid") }) {
            // Gone: delivered or deleted meanwhile.
            guard let row = try queue.read({ try CheckedRow.read(number, of: self.store, in: $0) }) else { continue }
            report.messages += 1
            guard let fault = try row.fault(in: self.files) else { continue }
            if self.repairs {
                if let problem = try self.repair(number, queue) { report.problems.append(problem) }
            } else if let again = try queue.read({ try CheckedRow.read(number, of: self.store, in: $0) }),
                again.hasContent == row.hasContent
            {
                report.problems.append(.of(self.store, fault.kind, row.name, detail: fault.detail))
            }
        }
    }

    /// The second look, with the database held, and what follows from it.
    private func repair(_ number: Int64, _ queue: DatabaseQueue) throws -> StoreProblem? {
        var problem: StoreProblem?
        try queue.writeWithoutTransaction { database in
            try database.inTransaction(.immediate) {
                guard let row = try CheckedRow.read(number, of: self.store, in: database),
                    let fault = try row.fault(in: self.files)
                else { return .commit }
                let found = StoreProblem.of(self.store, fault.kind, row.name, detail: fault.detail)
                if fault.kind == .recipients {
                    try self.completeRecipients(row, in: database)
                    problem = found.with(.done("those whose state is not known wait"))
                } else {
                    problem = found.with(.putAside(try self.putAside(row, fault.kind, in: database)))
                }
                return .commit
            }
        }
        return problem
    }

    /// Better delivered twice than not at all.
    private func completeRecipients(_ row: CheckedRow, in database: Database) throws {
        guard let id = row.id, let facts = row.columns["facts"] else { return }
        let count = try StoredFacts.decoded(Data(facts.utf8)).recipients.count
        let states = "('waiting', 'delivered', 'failed')"
        try database.execute(
            sql: """
                DELETE FROM recipients WHERE message = ? AND (typeof(number) <> 'integer' OR number < 0 OR number >= ? \
                OR typeof(state) <> 'text' OR state NOT IN \(states) OR typeof(reply) NOT IN ('text', 'null'))
                """,
            arguments: [id.text, count]
        )
        for number in 0..<count {
            try database.execute(
                sql: "INSERT OR IGNORE INTO recipients (message, number, state) VALUES (?, ?, 'waiting')",
                arguments: [id.text, number]
            )
        }
    }

    /// Takes a message that cannot be delivered or released out of the store, and keeps all there is of it: its content, and its
    /// row as text. Both are on the disk before the row goes.
    private func putAside(_ row: CheckedRow, _ kind: StoreProblem.Kind, in database: Database) throws -> String {
        var columns = row.columns
        if self.store == .spool, let id = row.id {
            let states = try Row.fetchAll(database, sql: "SELECT * FROM recipients WHERE message = ?", arguments: [id.text])
            columns["recipient_states"] = states.map { "\($0)" }.joined(separator: "\n")
        }
        let note = try self.files.putAside(text: try jsonLine(columns) + "\n", "\(row.name).json")
        var names = [note]
        if row.hasContent, let id = row.id, let name = try self.files.putAside("\(id.text).eml") { names.append(name) }
        if self.store == .quarantine, kind != .rowUnreadable {
            // Its facts stay readable, as those of any message that was deleted.
            try database.execute(
                sql: "UPDATE messages SET state = 'deleted', stored = 0 WHERE rowid = ?",
                arguments: [row.number]
            )
        } else {
            try database.execute(sql: "DELETE FROM messages WHERE rowid = ?", arguments: [row.number])
        }
        if self.store == .quarantine {
            let action = kind == .rowUnreadable ? AuditEntry.Action.purged : .deleted
            try database.execute(
                sql: "INSERT INTO audit (message, moment, who, action, why, detail) VALUES (?, ?, 'fsck', ?, ?, ?)",
                arguments: [row.name, TimeText.now(), action.rawValue, kind.rawValue, "put aside"]
            )
        }
        return "put aside: " + names.map { "damaged/\($0)" }.joined(separator: ", ")
    }

    // MARK: Sums

    func roomProblems(_ queue: DatabaseQueue) throws -> [StoreProblem] {
        let (wrong, assignment): (String, String)
        switch self.store {
        case .quarantine:
            let sum = "(SELECT coalesce(sum(stored), 0) FROM messages WHERE messages.kind = room.kind)"
            wrong = "SELECT kind || ': ' || octets || ' octets instead of ' || \(sum) FROM room WHERE octets <> \(sum)"
            assignment = "octets = \(sum)"
        case .spool:
            let count = "(SELECT count(*) FROM messages)"
            let sum = "(SELECT coalesce(sum(octets), 0) FROM messages)"
            wrong = """
                SELECT room.messages || ' messages, ' || room.octets || ' octets instead of ' || \(count) || ', ' || \(sum) \
                FROM room WHERE room.messages <> \(count) OR room.octets <> \(sum)
                """
            assignment = "messages = \(count), octets = \(sum)"
        }
        let found = try queue.read { try String.fetchAll($0, sql: wrong) }
        guard !found.isEmpty else { return [] }
        if self.repairs { try queue.write { try $0.execute(sql: "UPDATE room SET \(assignment)") } }
        return found.map {
            StoreProblem.of(self.store, .room, detail: $0).with(self.repairs ? .done("counted again") : .none)
        }
    }
}
