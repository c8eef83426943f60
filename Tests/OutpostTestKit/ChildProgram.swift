import Foundation
import Glibc

/// A program that a test started. Its output goes to a file, and it is ended by its process id.
public final class ChildProgram: Sendable {
    /// What a program that ran to its end left behind.
    public struct Result: Sendable {
        public let status: Int32
        public let output: String
        public let errors: String
    }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        public init(_ description: String) {
            self.description = description
        }
    }

    private let process = Process()
    /// The file with standard output and standard error.
    public let log: String

    /// - Parameters:
    ///   - environment: added to the one of the tests.
    ///   - log: a file that is added to.
    public init(_ path: String, _ arguments: [String], environment: [String: String] = [:], log: String) throws {
        self.log = log
        if !FileManager.default.fileExists(atPath: log) { _ = FileManager.default.createFile(atPath: log, contents: nil) }
        let file = try FileHandle(forWritingTo: URL(filePath: log))
        try file.seekToEnd()
        self.process.executableURL = URL(filePath: path)
        self.process.arguments = arguments
        self.process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        self.process.standardInput = FileHandle.nullDevice
        self.process.standardOutput = file
        self.process.standardError = file
        try self.process.run()
        try file.close()
    }

    deinit {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
    }

    public var id: Int32 { self.process.processIdentifier }
    public var isRunning: Bool { self.process.isRunning }

    public func signal(_ number: Int32) {
        if self.process.isRunning { kill(self.process.processIdentifier, number) }
    }

    /// The exit code, or minus the signal that ended it; nil when it still runs after the limit.
    @discardableResult
    public func waitForExit(_ limit: Duration = .seconds(15)) -> Int32? {
        guard Wait.isTrue(within: limit, { !self.process.isRunning }) else { return nil }
        return self.process.terminationReason == .exit ? self.process.terminationStatus : -self.process.terminationStatus
    }

    /// Asks it to end, and kills it when it does not.
    public func stop(_ limit: Duration = .seconds(15)) {
        self.signal(SIGTERM)
        if self.waitForExit(limit) == nil {
            self.signal(SIGKILL)
            self.waitForExit()
        }
    }

    public var logText: String { String(decoding: FileManager.default.contents(atPath: self.log) ?? Data(), as: UTF8.self) }

    /// Runs a program to its end.
    public static func run(
        _ path: String,
        _ arguments: [String],
        input: [UInt8] = [],
        environment: [String: String] = [:],
        directory: String? = nil,
        limit: Duration = .seconds(60)
    ) throws -> Result {
        let files = try TemporaryDirectory()
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(filePath: directory) }
        let names = ["in", "out", "err"].map { "\(files.path)/\($0)" }
        for name in names { _ = FileManager.default.createFile(atPath: name, contents: name == names[0] ? Data(input) : nil) }
        process.standardInput = try FileHandle(forReadingFrom: URL(filePath: names[0]))
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: names[1]))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: names[2]))
        try process.run()
        guard Wait.isTrue(within: limit, { !process.isRunning }) else {
            // It may have children of its own, and must have the time to end them: while they live, Foundation does not see its end.
            kill(process.processIdentifier, SIGTERM)
            if !Wait.isTrue(within: .seconds(10), { !process.isRunning }) { kill(process.processIdentifier, SIGKILL) }
            throw Failure("\(path) \(arguments.joined(separator: " ")) did not end within \(limit)")
        }
        let text = names.map { String(decoding: FileManager.default.contents(atPath: $0) ?? Data(), as: UTF8.self) }
        let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Result(status: status, output: text[1], errors: text[2])
    }

    /// The first of these paths that can be run; nil when the program is not installed.
    public static func installed(_ name: String) -> String? {
        let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (directories + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]).map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 }
    }
}

/// Bounded waiting for something that another process does.
public enum Wait {
    /// By how much all waits are longer: a sanitizer makes programs slow (`scripts/sanitize`).
    public static let patience = ProcessInfo.processInfo.environment["OUTPOST_TEST_PATIENCE"].flatMap { Int($0) } ?? 1

    /// Looks every few milliseconds until the condition holds or the time is over.
    public static func isTrue(within limit: Duration, _ condition: () throws -> Bool) rethrows -> Bool {
        let end = ContinuousClock.now + limit * self.patience
        while true {
            if try condition() { return true }
            if ContinuousClock.now > end { return false }
            usleep(5_000)
        }
    }

    public static func until(_ what: String, within limit: Duration = .seconds(20), _ condition: () throws -> Bool) throws {
        guard try self.isTrue(within: limit, condition) else { throw ChildProgram.Failure("\(what): not within \(limit)") }
    }
}
