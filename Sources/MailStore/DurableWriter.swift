import ContentStorage
import GRDB
import MailTypes
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
/// message visible, and it is committed last. Files without a row are swept later; until the row is committed the file is claimed, so
/// that no sweep takes it for such a one, whatever the clock says.
final class DurableWriter<Record: DurableRecord>: Sendable {
    /// Messages in one transaction: enough to share its cost, few enough that nobody waits long.
    static var batch: Int { 64 }

    private struct Job: Sendable {
        var record: Record
        var content: MessageContent
        var done: CheckedContinuation<Void, any Error>
    }

    /// A job whose file has its place. The file is claimed as long as this lives.
    private struct Placed {
        var job: Job
        var file: File
    }

    private let pool: DatabasePool
    private let files: MessageFiles
    private let table: DurableTable<Record>
    private let step: @Sendable (StoreStep) -> Void
    private let jobs: BatchQueue<Job>

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
        self.jobs = BatchQueue(label: "messages.durable", limit: Self.batch)
    }

    func store(_ record: Record, content: MessageContent) async throws {
        try await withCheckedThrowingContinuation { done in
            self.jobs.add(Job(record: record, content: content, done: done)) { self.write($0) }
        }
    }

    private func write(_ jobs: [Job]) {
        do {
            let placed = try self.placeFiles(jobs)
            // Claimed until the rows are committed, or are not.
            withExtendedLifetime(placed) {
                if !placed.isEmpty { self.commit(placed.map(\.job)) }
            }
        } catch {
            // Thrown before anybody was answered.
            for job in jobs { job.done.resume(throwing: error) }
        }
    }

    /// Writes and synchronizes each file; a job that fails is answered at once and left out.
    private func placeFiles(_ jobs: [Job]) throws -> [Placed] {
        var octets = try self.pool.read(self.table.stored)
        var placed: [Placed] = []
        for job in jobs {
            do {
                guard octets + job.content.octets <= self.table.limit else {
                    throw self.table.full(octets, self.table.limit)
                }
                placed.append(Placed(job: job, file: try self.writeFile(job)))
                octets += job.content.octets
            } catch {
                job.done.resume(throwing: error)
            }
        }
        return placed
    }

    private func writeFile(_ job: Job) throws -> File {
        let (file, path) = try self.files.createTemporary(for: job.record.id)
        do {
            self.step(.fileCreated)
            try self.files.copy(job.content, to: file)
            self.step(.fileWritten)
            try file.synchronize()
            self.step(.fileSynchronized)
            try self.files.place(path, for: job.record.id)
            self.step(.fileRenamed)
            return file
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
