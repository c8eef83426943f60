import ContentStorage
import Foundation
import Glibc
import MailStore
import MailTypes
import OutpostTestKit
import Testing

/// The real program in a real terminal (tmux), where both are there.
@Suite("The reviewer in a terminal", .serialized, .enabled(if: Terminal.isPossible, "needs tmux and a built outpost"))
struct TerminalTests {
    let directory: TemporaryDirectory
    let store: QuarantineStore

    init() async throws {
        self.directory = try TemporaryDirectory()
        self.store = try QuarantineStore(directory: self.directory.path + "/quarantine")
        for number in 0..<30 {
            let hostile = number == 29 ? "漢字 \u{1b}[2J\u{1b}]0;x\u{7} end" : "Subject \(number)."
            let bytes = Sample.message("x", "Text of message \(number)\r\n")
            try await self.store.hold(Sample.record(number, subject: hostile, octets: bytes.count), content: .memory(bytes))
        }
    }

    private func start() throws -> Terminal {
        try Terminal(command: [Terminal.program, "quarantine", "review", "--directory", self.directory.path + "/quarantine"])
    }

    @Test("the list stands on the screen, hostile text harmless, with the reasons of the newest message")
    func list() async throws {
        let terminal = try self.start()
        defer { terminal.end() }
        let screen = try await terminal.wait { $0.contains("BIG_WIN") }
        #expect(screen.contains("1 of 30"))
        #expect(screen.contains("漢字 ␛[2J␛]0;x␇ end"))
        #expect(screen.contains("score 8.5 >= hold_score 8"))
    }

    @Test("keys move, read, mark and delete")
    func delete() async throws {
        let terminal = try self.start()
        defer { terminal.end() }
        _ = try await terminal.wait { $0.contains("BIG_WIN") }
        try terminal.type("j", "Enter")
        _ = try await terminal.wait { $0.contains("Subject:    Subject 28.") }
        try terminal.type("q", "m", "m", "d")
        _ = try await terminal.wait { $0.contains("Delete 2 messages for good? y/n") }
        try terminal.type("y")
        _ = try await terminal.wait { $0.contains("of 28") }
        #expect(try await self.store.record(Sample.id(28)).state == .deleted)
        #expect(try await self.store.record(Sample.id(27)).state == .deleted)
        #expect(try await self.store.count(.waiting) == 28)
    }

    @Test("a filter narrows the list, and a new size of the terminal is followed")
    func filterAndResize() async throws {
        let terminal = try self.start()
        defer { terminal.end() }
        _ = try await terminal.wait { $0.contains("BIG_WIN") }
        try terminal.type("/", "1", "2", ".", "Enter")
        _ = try await terminal.wait { $0.contains("1 of 1 ") && $0.contains("filter: 12.") }
        try terminal.resize(columns: 60, rows: 18)
        _ = try await terminal.wait { screen in
            screen.split(separator: "\n", omittingEmptySubsequences: false).dropLast().count == 18
                && screen.contains(" filter: 12.")
        }
        try terminal.resize(columns: 130, rows: 40)
        _ = try await terminal.wait {
            $0.contains("? help  q quit") && $0.contains("Subject 12.")
        }
    }

    @Test("the terminal is as before afterwards, however it ended", arguments: ["q", "C-c", "TERM", "SEGV"])
    func restored(ending: String) async throws {
        let terminal = try Terminal(command: ["/bin/sh"])
        defer { terminal.end() }
        let settings = "stty -g | tr : , | cut -c 1-30; stty -g | md5sum"
        try terminal.line("\(settings); echo be\"\"fore")
        _ = try await terminal.wait { $0.contains("before\n") && $0.contains("  -\n") }
        let review = "\(Terminal.program) quarantine review --directory \(self.directory.path)/quarantine"
        try terminal.line("SWIFT_BACKTRACE=enable=no \(review)")
        _ = try await terminal.wait { $0.contains("BIG_WIN") }
        if ending == "q" || ending == "C-c" {
            try terminal.type(ending)
        } else {
            try terminal.signalForeground(ending)
        }
        _ = try await terminal.wait { $0.contains("before") && !$0.contains("BIG_WIN") }
        try terminal.line("\(settings); echo be\"\"hind")
        let after = try await terminal.wait { $0.contains("behind\n") }
        let sums = after.split(separator: "\n").filter { $0.hasSuffix("  -") }
        #expect(sums.count == 2 && Set(sums).count == 1, "\(after)")
    }
}

/// A terminal of tmux, on a server of its own.
struct Terminal {
    static let program = Fixture.root.appending(path: ".build/debug/outpost").path
    private static let tmux = "/usr/bin/tmux"

    static var isPossible: Bool {
        FileManager.default.isExecutableFile(atPath: self.tmux) && FileManager.default.isExecutableFile(atPath: self.program)
    }

    private let server = "outpost-\(UUID().uuidString)"

    init(command: [String]) throws {
        try self.run(["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30"] + command)
    }

    @discardableResult
    private func run(_ arguments: [String]) throws -> String {
        let process = Process()
        // The server that the first call leaves behind must not keep the descriptor by which the end of a process is seen.
        process.executableURL = URL(filePath: "/bin/bash")
        let closing =
            "for n in /proc/self/fd/*; do n=${n##*/}; [ $n -gt 2 ] && eval \"exec $n>&-\"; done 2>/dev/null; exec \"$@\""
        process.arguments = ["-c", closing, "bash", Self.tmux, "-L", self.server, "-u"] + arguments
        var environment = ProcessInfo.processInfo.environment
        environment["LC_ALL"] = "C.UTF-8"
        environment["TERM"] = "xterm"
        process.environment = environment
        // A file, because a pipe would stay open likewise.
        let output = FileManager.default.temporaryDirectory.appending(path: "\(self.server)-\(UUID().uuidString)")
        try Data().write(to: output)
        defer { try? FileManager.default.removeItem(at: output) }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return String(decoding: try Data(contentsOf: output), as: UTF8.self)
    }

    func type(_ keys: String...) throws { try self.run(["send-keys"] + keys) }

    func line(_ text: String) throws {
        try self.run(["send-keys", "-l", text])
        try self.run(["send-keys", "Enter"])
    }

    func resize(columns: Int, rows: Int) throws { try self.run(["resize-window", "-x", "\(columns)", "-y", "\(rows)"]) }

    /// Sends a signal to the child of the terminal's shell.
    func signalForeground(_ name: String) throws {
        let shell = try self.run(["display-message", "-p", "#{pane_pid}"]).trimmingCharacters(in: .whitespacesAndNewlines)
        let children = try String(contentsOfFile: "/proc/\(shell)/task/\(shell)/children", encoding: .utf8)
        for child in children.split(separator: " ") {
            kill(try #require(pid_t(child)), name == "TERM" ? SIGTERM : SIGSEGV)
        }
    }

    /// The screen once it is as wanted; after a minute, which only a very busy machine needs, the test fails with what was there.
    func wait(until condition: (String) -> Bool) async throws -> String {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(60)
        var screen = ""
        while clock.now < deadline {
            screen = try self.run(["capture-pane", "-p"])
            if condition(screen) { return screen }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("the terminal never showed it:\n\(screen)")
        throw CancellationError()
    }

    /// Ends tmux and what runs in it. A server that was started by a test may have the signal of its children's end blocked and
    /// then waits for ever, so it is not asked alone.
    func end() {
        let server = (try? self.run(["display-message", "-p", "#{pid}"])) ?? ""
        _ = try? self.run(["kill-server"])
        if let id = pid_t(server.trimmingCharacters(in: .whitespacesAndNewlines)) { kill(id, SIGKILL) }
    }
}
