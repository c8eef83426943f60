import Foundation
import GRDB
import Glibc
import MailTypes
import OpenSSLKit
import SystemKit

/// A message's row as a check sees it: nothing in it is trusted.
struct CheckedRow {
    /// SQLite's own number of the row; the id may be what is wrong.
    let number: Int64
    /// nil when the id is none.
    let id: TransactionID?
    /// Its content must be there.
    let hasContent: Bool
    let octets: Int
    /// Empty: it was not taken.
    let hash: [UInt8]
    /// Sender and recipients, for the person who reads of a lost message.
    let people: String
    /// Why the row means nothing; nil when it does.
    let unreadable: String?
    /// What is wrong with the states of the recipients; nil when nothing.
    let recipients: String?
    /// All columns, as far as they are text or can be told as such.
    let columns: [String: String]

    var name: String { self.id?.text ?? "row-\(self.number)" }

    /// nil when there is no such row.
    static func read(_ number: Int64, of store: StoreCheck.Store, in database: Database) throws -> CheckedRow? {
        guard let row = try Row.fetchOne(database, sql: "SELECT * FROM messages WHERE rowid = ?", arguments: [number]) else {
            return nil
        }
        let columns = self.columns(of: row)
        let meaning = try self.meaning(of: row, number, store, in: database)
        let hash = Data.fromDatabaseValue(row["content_hash"] as DatabaseValue) ?? Data()
        let sender = columns["sender"] ?? columns["sender_key"] ?? ""
        let recipients = (columns["recipients"] ?? "").replacing("\n", with: ", ")
        return CheckedRow(
            number: number,
            id: columns["id"].flatMap { TransactionID($0) },
            hasContent: store == .spool || columns["stored"] != "0",
            octets: Int.fromDatabaseValue(row["octets"] as DatabaseValue) ?? 0,
            hash: [UInt8](hash),
            people: meaning.people ?? "from \(sender) to \(recipients)",
            unreadable: meaning.unreadable,
            recipients: meaning.recipients,
            columns: columns
        )
    }

    private static func columns(of row: Row) -> [String: String] {
        var columns: [String: String] = [:]
        for (column, value) in row where !value.isNull {
            if let data = Data.fromDatabaseValue(value) {
                columns[column] = String(data: data, encoding: .utf8) ?? data.base64EncodedString()
            } else {
                columns[column] = String.fromDatabaseValue(value) ?? "\(value)"
            }
        }
        return columns
    }

    private struct Meaning {
        var unreadable: String?
        var people: String?
        var recipients: String?
    }

    private static func meaning(
        of row: Row,
        _ number: Int64,
        _ store: StoreCheck.Store,
        in database: Database
    ) throws -> Meaning {
        if let reason = try self.wrongType(number, in: database) { return Meaning(unreadable: reason) }
        do {
            switch store {
            case .quarantine:
                _ = try RowCodec.entry(row)
                return Meaning()
            case .spool:
                let envelope = try StoredFacts.decoded(row["facts"]).envelope
                let recipients = envelope.recipients.map { "<\($0.forwardPath)>" }.joined(separator: ", ")
                guard !recipients.isEmpty else { return Meaning(unreadable: "it has no recipient") }
                return Meaning(
                    people: "from <\(envelope.reversePath)> to \(recipients)",
                    recipients: try self.wrongRecipients(row["id"], envelope.recipients.count, in: database)
                )
            }
        } catch let error as DatabaseError {
            throw error
        } catch {
            return Meaning(unreadable: "\(error)")
        }
    }

    /// A column whose value is not of the column's type: SQLite keeps anything anywhere.
    private static func wrongType(_ number: Int64, in database: Database) throws -> String? {
        for column in try database.columns(in: "messages") {
            let type = column.type.lowercased()
            let isRight = column.isNotNull ? "typeof(\(column.name)) = ?" : "typeof(\(column.name)) IN (?, 'null')"
            let sql = "SELECT \(isRight) FROM messages WHERE rowid = ?"
            guard try Bool.fetchOne(database, sql: sql, arguments: [type, number]) == true else {
                return "\(column.name) is not \(type)"
            }
        }
        return nil
    }

    /// Each recipient has one row of its own with a state that is known: of one without, the spool would never know that it waits.
    private static func wrongRecipients(_ id: String, _ count: Int, in database: Database) throws -> String? {
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT number, state FROM recipients WHERE message = ? ORDER BY number",
            arguments: [id]
        )
        var known: [Int] = []
        for row in rows {
            guard let state = String.fromDatabaseValue(row["state"] as DatabaseValue),
                SpooledRecipient.State(rawValue: state) != nil,
                let number = Int.fromDatabaseValue(row["number"] as DatabaseValue)
            else { continue }
            known.append(number)
        }
        guard rows.count != count || known != Array(0..<count) else { return nil }
        return "\(count) recipients, and \(known.count) whose state is known"
    }
}

extension CheckedRow {
    /// Octets read at once.
    private static let piece = 1 << 20

    /// What is wrong with the message, the worst first.
    func fault(in files: MessageFiles) throws -> (kind: StoreProblem.Kind, detail: String)? {
        if let reason = self.unreadable { return (.rowUnreadable, "\(reason); \(self.people)") }
        guard let id = self.id else { return (.rowUnreadable, "the id is none; \(self.people)") }
        if self.hasContent, let (kind, detail) = try self.contentFault(files.path(of: id)) {
            return (kind, detail + self.people)
        }
        return self.recipients.map { (.recipients, $0) }
    }

    private func contentFault(_ path: String) throws -> (kind: StoreProblem.Kind, detail: String)? {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return (.fileMissing, "") }
        let file = try File(reading: path)
        let size = try file.size()
        guard size == self.octets else { return (.wrongLength, "\(size) octets instead of \(self.octets); ") }
        guard !self.hash.isEmpty else { return nil }
        let hasher = SHA256Hasher()
        for offset in stride(from: 0, to: size, by: Self.piece) {
            hasher.update(try file.read(count: min(Self.piece, size - offset), at: offset))
        }
        return hasher.finish() == self.hash ? nil : (.wrongContent, "")
    }
}
