import ContentStorage
import Dispatch
import GRDB
import MailTypes
import Synchronization
import SystemKit

/// Keeps copies of refused mail: never synchronized, never in the way, never beyond their room.
///
/// A copy may be missing or cut short after a power failure; a reader is told so. It may also not be taken at all.
final class CopyWriter: Sendable {
    /// Octets of copies on their way; more are not taken, so that a flood of refused mail cannot pile up in memory.
    static let backlog = 64 * 1024 * 1024

    private let pool: DatabasePool
    private let files: MessageFiles
    private let limits: QuarantineLimits
    private let pending = Mutex(0)
    private let queue = DispatchQueue(label: "quarantine.copies", qos: .utility)

    init(pool: DatabasePool, files: MessageFiles, limits: QuarantineLimits) {
        self.pool = pool
        self.files = files
        self.limits = limits
    }

    /// False when there is no room.
    func keep(_ record: QuarantineRecord, content: MessageContent) async throws -> Bool {
        let octets = content.octets
        let isTaken = self.pending.withLock { pending in
            guard pending == 0 || pending + octets <= Self.backlog else { return false }
            pending += octets
            return true
        }
        guard isTaken else { return false }
        defer { self.pending.withLock { $0 -= octets } }
        return try await withCheckedThrowingContinuation { done in
            self.queue.async {
                done.resume(with: Result { try self.write(record, content: content) })
            }
        }
    }

    private func write(_ record: QuarantineRecord, content: MessageContent) throws -> Bool {
        let used = try self.pool.read { try Int.fetchOne($0, sql: "SELECT octets FROM room WHERE kind = 'rejected'") ?? 0 }
        guard used + content.octets <= self.limits.maxRejectedSize,
            self.files.freeSpace() - content.octets >= self.limits.minimumFreeSpace
        else { return false }
        let (file, path) = try self.files.createTemporary(for: record.id)
        do {
            try self.files.copy(content, to: file)
            try self.files.place(path, for: record.id)
        } catch {
            self.files.discard(path)
            throw error
        }
        // Claimed until the row is there.
        defer { withExtendedLifetime(file) {} }
        // The connection is the one that writes held messages: it waits for the disk again afterwards.
        try self.pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
            defer { try? database.execute(sql: "PRAGMA synchronous = FULL") }
            try database.inTransaction(.immediate) {
                try RowCodec.insert(record, octets: content.octets, into: database)
                return .commit
            }
        }
        return true
    }
}
