import Glibc
import SystemKit

/// A process, told apart from later ones with the same number: number, start, boot and the space its number is from.
struct ReleaseOwner {
    let text: String

    /// A process in another container cannot be looked at; its claim counts as dead after this: 15 minutes is longer than
    /// a delivery's time-outs together.
    static let unseenMilliseconds: Int64 = 15 * 60 * 1_000

    static let current = ReleaseOwner(process: getpid())

    private init(process: pid_t) {
        let start = Self.start(of: process) ?? ""
        self.text = [String(process), start, Self.boot, Self.space].joined(separator: " ")
    }

    static func isAlive(_ text: String, since: Int64, now: Int64) -> Bool {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let process = pid_t(parts[0]), parts[2] == self.boot else { return false }
        guard parts[3] == self.space else { return now - since < self.unseenMilliseconds }
        return self.start(of: process) == parts[1]
    }

    private static let boot = ReleaseOwner.read("/proc/sys/kernel/random/boot_id") ?? ""

    /// Names the PID namespace.
    private static let space: String = {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 ? String(status.st_ino) : ""
    }()

    /// When a process started, in ticks since the boot (proc(5), field 22); nil when there is none or it has ended and
    /// nobody has asked how.
    private static func start(of process: pid_t) -> String? {
        // The second field is the program's name in parentheses and may hold anything.
        guard let line = self.read("/proc/\(process)/stat"), let end = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return String(fields[19])
    }

    private static func read(_ path: String) -> String? {
        guard let file = try? File(reading: path), let bytes = try? file.read(count: 4_096, at: 0) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.split(separator: "\n").first.map(String.init)
    }
}
