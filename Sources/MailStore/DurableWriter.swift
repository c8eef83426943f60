import ContentStorage
import Dispatch
import GRDB
import MailTypes
import Synchronization
import SystemKit

/// A place in the way of a message to the disk, told to tests so that they can end the process there.
enum StoreStep: String, CaseIterable, Sendable {
    case fileCreated
    case fileWritten
    case fileSynchronized
    case fileRenamed
    case directorySynchronized
    case rowInserted
    case committed
}

/// A message that a `DurableWriter` can store.
protocol DurableRecord: Sendable {
    var id: TransactionID { get }
}

extension QuarantineRecord: DurableRecord {}

/// What differs between the places that messages are stored in.
struct DurableTable<Record: DurableRecord>: Sendable {
    /// Octets that all messages together may have.
    var limit: Int
    /// Octets that they have.
    var stored: @Sendable (Database) throws -> Int
    var insert: @Sendable (Record, _ octets: Int, Database) throws -> Void
    /// There is no room for this one.
    var full: @Sendable (_ octets: Int, _ limit: Int) -> any Error
}

/// Writes messages whose sender may forget them afterwards, several at once when several wait: each file is synchronized, then all get their names, then
/// one directory synchronization and one transaction serve them all.
///
/// At whatever step the process ends, a reader afterwards sees the complete message or none: the row is what makes a
/// message visible, and it is committed last. Files without a row are swept when the store is opened later.
final class DurableWriter<Record: DurableRecord>: Sendable {
    /// Messages in one transaction: enough to share its cost, few enough that nobody waits long.
    static var batch: Int { 64 }

    private struct Job: Sendable {
        var record: Record
        var content: MessageContent
        var done: CheckedContinuation<Void, any Error>
    }

    private struct Waiting: Sendable {
        var jobs: [Job] = []
        var isRunning = false
    }

    private let pool: DatabasePool
    private let files: MessageFiles
    private let table: DurableTable<Record>
    private let step: @Sendable (StoreStep) -> Void
    private let waiting = Mutex(Waiting())
    private let queue = DispatchQueue(label: "messages.durable")

    init(
        pool: DatabasePool,
        files: MessageFiles,
        table: DurableTable<Record>,
        step: @escaping @Sendable (StoreStep) -> Void
    ) {
        self.pool = pool
        self.files = files
        self.table = table
        self.step = step
    }

    func store(_ record: Record, content: MessageContent) async throws {
        try await withCheckedThrowingContinuation { done in
            let mustStart = self.waiting.withLock { waiting in
                waiting.jobs.append(Job(record: record, content: content, done: done))
                defer { waiting.isRunning = true }
                return !waiting.isRunning
            }
            if mustStart {
                self.queue.async { self.drain() }
            }
        }
    }

    private func drain() {
        while true {
            let jobs = self.waiting.withLock { waiting in
                let next = Array(waiting.jobs.prefix(Self.batch))
                waiting.jobs.removeFirst(next.count)
                waiting.isRunning = !next.isEmpty
                return next
            }
            if jobs.isEmpty { return }
            self.write(jobs)
        }
    }

    private func write(_ jobs: [Job]) {
        do {
            let placed = try self.placeFiles(jobs)
            if !placed.isEmpty { self.commit(placed) }
        } catch {
            // Thrown before anybody was answered.
            for job in jobs { job.done.resume(throwing: error) }
        }
    }

    /// Writes and synchronizes each file; a job that fails is answered at once and left out.
    private func placeFiles(_ jobs: [Job]) throws -> [Job] {
        var octets = try self.pool.read(self.table.stored)
        var placed: [Job] = []
        for job in jobs {
            do {
                guard octets + job.content.octets <= self.table.limit else {
                    throw self.table.full(octets, self.table.limit)
                }
                try self.writeFile(job)
                octets += job.content.octets
                placed.append(job)
            } catch {
                job.done.resume(throwing: error)
            }
        }
        return placed
    }

    private func writeFile(_ job: Job) throws {
        let (file, path) = try self.files.createTemporary(for: job.record.id)
        do {
            self.step(.fileCreated)
            try self.files.copy(job.content, to: file)
            self.step(.fileWritten)
            try file.synchronize()
            self.step(.fileSynchronized)
            try self.files.place(path, for: job.record.id)
            self.step(.fileRenamed)
        } catch {
            self.files.discard(path)
            throw error
        }
    }

    /// After a failure the files stay: whether a transaction that failed at its very end is on the disk is not known,
    /// and a row without its file would be a lost message. The sweep decides later.
    private func commit(_ jobs: [Job]) {
        var failures: [TransactionID: any Error] = [:]
        do {
            try self.files.synchronizeMessages()
            self.step(.directorySynchronized)
            try self.pool.write { database in
                for job in jobs {
                    do {
                        try database.inSavepoint {
                            try self.table.insert(job.record, job.content.octets, database)
                            return .commit
                        }
                    } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                        failures[job.record.id] = QuarantineError.exists(job.record.id)
                    }
                }
                self.step(.rowInserted)
            }
            self.step(.committed)
        } catch {
            for job in jobs { job.done.resume(throwing: error) }
            return
        }
        for job in jobs {
            if let failure = failures[job.record.id] {
                job.done.resume(throwing: failure)
            } else {
                job.done.resume()
            }
        }
    }
}
