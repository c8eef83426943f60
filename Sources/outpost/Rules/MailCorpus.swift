import ArgumentParser
import Foundation
import MailMessage
import MailRules
import Synchronization

/// Messages in files: maildirs, mbox files, and directories of one message a file, also below each other.
struct MailCorpus: Sendable {
    struct Entry: Sendable {
        /// `corpus/a.eml`; `corpus/all.mbox#12` for the twelfth message of an mbox.
        var name: String
        var path: String
        /// Where in an mbox.
        var range: Range<Int>?
        var kind: RuleTrial.Class?

        /// The message as it would come in over SMTP; nil when it cannot be read.
        func message() -> [UInt8]? {
            guard let range = self.range else {
                return FileManager.default.contents(atPath: self.path).map { withNetworkLineEnds([UInt8]($0)) }
            }
            guard let file = FileHandle(forReadingAtPath: self.path) else { return nil }
            defer { try? file.close() }
            guard (try? file.seek(toOffset: UInt64(range.lowerBound))) != nil, let data = try? file.read(upToCount: range.count)
            else { return nil }
            return withNetworkLineEnds(Mbox.unquoted([UInt8](data)[...]))
        }
    }

    private(set) var entries: [Entry] = []

    /// Adds all messages below a path. Leaves with 66 when there are none.
    mutating func add(_ path: String, _ kind: RuleTrial.Class?) throws {
        let before = self.entries.count
        if RuleFiles.isDirectory(path) {
            let names =
                (FileManager.default.enumerator(atPath: URL(filePath: path).resolvingSymlinksInPath().path)?.allObjects
                as? [String] ?? []).sorted()
            for name in names where Self.isMessageName(name) { self.addFile(path + "/" + name, kind) }
        } else {
            self.addFile(path, kind)
        }
        guard self.entries.count > before else {
            complain("\(path): there are no messages here")
            throw ExitCode(66)
        }
    }

    /// Hidden files, what a maildir has not delivered yet, and indexes are no messages.
    private static func isMessageName(_ name: String) -> Bool {
        let pieces = name.split(separator: "/")
        guard let last = pieces.last, !pieces.contains(where: { $0.hasPrefix(".") }), !pieces.dropLast().contains("tmp") else {
            return false
        }
        return ![".json", ".jsonl", ".txt", ".md", ".tsv", ".cf", ".pre"].contains { last.hasSuffix($0) }
    }

    private mutating func addFile(_ path: String, _ kind: RuleTrial.Class?) {
        guard !RuleFiles.isDirectory(path), let file = FileHandle(forReadingAtPath: path) else { return }
        defer { try? file.close() }
        guard let start = try? file.read(upToCount: 5), !start.isEmpty else { return }
        guard Mbox.isMbox(start) else {
            self.entries.append(Entry(name: path, path: path, kind: kind))
            return
        }
        guard let data = FileManager.default.contents(atPath: path) else { return }
        let ranges = Mbox.ranges(in: [UInt8](data))
        for (index, range) in ranges.enumerated() {
            // Some keep the line in a file of one message.
            let name = ranges.count == 1 ? path : "\(path)#\(index + 1)"
            self.entries.append(Entry(name: name, path: path, range: range, kind: kind))
        }
    }

    /// Works on all messages, on all cores.
    /// - Parameters:
    ///   - make: makes what one thread works with.
    ///   - work: called for each message on one of the threads.
    ///   - finish: takes out what one thread has found.
    func run<Worker, Result: Sendable>(
        _ what: String,
        progress: ProgressReporter,
        make: @escaping @Sendable () -> Worker,
        work: @escaping @Sendable (inout Worker, Entry, [UInt8]) -> Void,
        finish: @escaping @Sendable (Worker) -> Result
    ) async -> [Result] {
        let state = WorkState()
        let entries = self.entries
        let threads = max(1, min(ProcessInfo.processInfo.activeProcessorCount, entries.count))
        return await withTaskGroup(of: Result.self) { group in
            for _ in 0..<threads {
                group.addTask {
                    var worker = make()
                    while true {
                        let index = state.next.wrappingAdd(1, ordering: .relaxed).oldValue
                        guard index < entries.count else { return finish(worker) }
                        if let message = entries[index].message() {
                            work(&worker, entries[index], message)
                        } else {
                            state.unread.withLock { $0.append(entries[index].name) }
                        }
                        progress.advance(what, of: entries.count)
                    }
                }
            }
            var results: [Result] = []
            for await result in group { results.append(result) }
            progress.end()
            for name in state.unread.withLock({ $0 }) { complain("\(name): cannot be read") }
            return results
        }
    }
}

/// What the threads that work on a corpus share.
private final class WorkState: Sendable {
    let next = Atomic<Int>(0)
    let unread = Mutex<[String]>([])
}

/// Shows on a terminal how far a long work has come; silent when standard error is none, or the output is for programs.
final class ProgressReporter: Sendable {
    private struct State {
        var done = 0
        var started = ContinuousClock.now
        var told: ContinuousClock.Instant?
        var width = 0
    }

    private let isShown: Bool
    private let state = Mutex(State())
    /// Between two looks of the line.
    private static let interval = Duration.milliseconds(200)

    init(format: OutputFormat) {
        self.isShown = format == .text && isatty(STDERR_FILENO) == 1
    }

    func advance(_ what: String, of total: Int) {
        guard self.isShown else { return }
        self.state.withLock { state in
            state.done += 1
            let now = ContinuousClock.now
            if let told = state.told, now - told < ProgressReporter.interval, state.done < total { return }
            state.told = now
            let seconds = Double((now - state.started).components.seconds)
            let line = ProgressLine.text(what, done: state.done, of: total, seconds: seconds)
            let rest = String(repeating: " ", count: max(0, state.width - line.count))
            state.width = line.count
            StandardError.write("\r" + line + rest)
        }
    }

    /// Takes the line away.
    func end() {
        guard self.isShown else { return }
        self.state.withLock { state in
            StandardError.write("\r" + String(repeating: " ", count: state.width) + "\r")
            state = State()
        }
    }
}
