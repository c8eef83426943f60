import Foundation
import Glibc

/// The configuration file of a gateway under test, in pieces that a test changes.
public struct GatewayFile: Sendable {
    public var listenerAddress = "127.0.0.1"
    /// Lines below the listener.
    public var listener: [String] = []
    public var downstream: [String]
    /// Lines below the domain.
    public var domain: [String] = ["downstream_tls: none"]
    /// Lines below the policy.
    public var policy = ["tag_score: 5", "hold_score: 8", "reject_score: 15", "virus: reject"]
    public var rules = [Fixture.root.appending(path: "Rules").path]
    public var antivirus = [
        "engine: builtin", "database: \(Fixture.directory.appending(path: "signatures").path)", "on_failure: defer",
    ]
    /// Off: what a test finds must not depend on the resolver of the machine it runs on.
    public var authentication = ["enabled: false"]
    public var limits = ["grace: 3s"]
    /// Lines at the top.
    public var top: [String] = []

    public init(downstream port: Int) {
        self.downstream = ["127.0.0.1:\(port)"]
    }

    /// Without rules and scanner: starts at once.
    public static func bare(downstream port: Int) -> GatewayFile {
        var file = GatewayFile(downstream: port)
        file.rules = []
        file.antivirus = ["engine: none"]
        return file
    }

    public func text(port: Int, data: String) -> String {
        func indented(_ lines: [String], _ columns: Int) -> [String] {
            lines.map { String(repeating: " ", count: columns) + $0 }
        }
        let quoted = { (items: [String]) in "[" + items.map { "\"\($0)\"" }.joined(separator: ", ") + "]" }
        var lines = ["hostname: gateway.example.com", "data_directory: \(data)"] + self.top
        lines += ["listeners:", "  - address: \"\(self.listenerAddress):\(port)\""] + indented(self.listener, 4)
        lines +=
            ["domains:", "  - names: [example.com]", "    downstream: \(quoted(self.downstream))"] + indented(self.domain, 4)
        lines += ["policies:", "  default:"] + indented(self.policy, 4)
        lines += ["rules: \(quoted(self.rules))", "antivirus:"] + indented(self.antivirus, 2)
        lines += ["authentication:"] + indented(self.authentication, 2)
        lines += ["limits:"] + indented(self.limits, 2)
        return lines.joined(separator: "\n") + "\n"
    }
}

/// The built `outpost` as users run it: a process with a configuration file and a data directory of its own.
public final class ProgramUnderTest {
    /// The directory of the built programs: that of the running tests.
    public static let programs: String = {
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let own = URL(filePath: path).deletingLastPathComponent().path
        if FileManager.default.isExecutableFile(atPath: own + "/outpost") { return own }
        return Fixture.root.appending(path: ".build/debug").path
    }()
    public static let path = programs + "/outpost"
    public static let isBuilt = ["outpost", "outpost-scanner"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: "\(programs)/\($0)")
    }

    public let directory: TemporaryDirectory
    public let port: Int
    public let configuration: String
    public var data: String { self.directory.path + "/data" }
    public private(set) var file: GatewayFile
    public private(set) var process: ChildProgram
    private var logStart = 0

    /// Starts it and waits until it listens.
    public init(_ file: GatewayFile, port: Int? = nil, environment: [String: String] = [:]) throws {
        self.directory = try TemporaryDirectory()
        self.file = file
        self.port = try port ?? LoopbackSocket.freePort(file.listenerAddress.hasPrefix("[") ? .v6 : .v4)
        self.configuration = try self.directory.write(
            file.text(port: self.port, data: self.directory.path + "/data"),
            to: "outpost.yaml"
        )
        self.process = try Self.launch(self.configuration, environment, log: self.directory.path + "/log")
        try self.waitForListening()
    }

    deinit {
        self.process.stop(.seconds(8))
    }

    private static func launch(_ configuration: String, _ environment: [String: String], log: String) throws -> ChildProgram {
        try ChildProgram(Self.path, ["serve", "--config", configuration], environment: environment, log: log)
    }

    private func waitForListening() throws {
        try self.waitForLog("\"listening\"", alternative: "listening")
    }

    /// Starts it again after its end, with the same data.
    public func startAgain() throws {
        self.logStart = self.process.logText.utf8.count
        self.process = try Self.launch(self.configuration, [:], log: self.process.log)
        try self.waitForListening()
    }

    /// What it logged since its last start.
    public var log: String { String(decoding: Array(self.process.logText.utf8).dropFirst(self.logStart), as: UTF8.self) }

    public func waitForLog(_ text: String, alternative: String? = nil, within limit: Duration = .seconds(30)) throws {
        let isThere = Wait.isTrue(within: limit) {
            let log = self.log
            return log.contains(text) || alternative.map { log.contains($0) } ?? false || !self.process.isRunning
        }
        let log = self.log
        guard isThere, log.contains(text) || alternative.map({ log.contains($0) }) ?? false else {
            throw ChildProgram.Failure("no \"\(text)\" in the log:\n\(log.suffix(2_000))")
        }
    }

    /// Writes another configuration; it counts after `reload`.
    public func write(_ file: GatewayFile) throws {
        self.file = file
        try self.directory.write(file.text(port: self.port, data: self.data), to: "outpost.yaml")
    }

    /// SIGHUP, and the wait for its outcome: true when the new configuration is in force.
    public func reload() throws -> Bool {
        let words = ["configuration reloaded", "the old configuration stays in force"]
        let count = { (log: String, word: String) in log.components(separatedBy: word).count }
        let before = words.map { count(self.log, $0) }
        self.process.signal(SIGHUP)
        var now = before
        try Wait.until("reload") {
            now = words.map { count(self.log, $0) }
            return now != before
        }
        return now[0] > before[0]
    }

    /// A command of `outpost` with this configuration.
    public func command(_ arguments: [String], input: [UInt8] = []) throws -> ChildProgram.Result {
        try Self.run(arguments + ["--config", self.configuration], input: input)
    }

    public static func run(_ arguments: [String], input: [UInt8] = [], directory: String? = nil) throws -> ChildProgram.Result {
        try ChildProgram.run(self.path, arguments, input: input, directory: directory)
    }

    /// The processes of the virus scanner that this gateway has started.
    public var scanners: [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap(Int32.init).filter { id in
            guard let data = FileManager.default.contents(atPath: "/proc/\(id)/stat") else { return false }
            let text = String(decoding: data, as: UTF8.self)
            guard text.contains("(outpost-scanner"), let end = text.lastIndex(of: ")") else { return false }
            return text[text.index(after: end)...].split(separator: " ").dropFirst().first == "\(self.process.id)"
        }
    }

    /// A field of `/proc/PID/status`, e.g. `VmRSS`.
    public func status(_ field: String) -> String? {
        let text = String(
            decoding: FileManager.default.contents(atPath: "/proc/\(self.process.id)/status") ?? Data(),
            as: UTF8.self
        )
        return text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
            .map { $0.dropFirst(field.count + 1).trimmingCharacters(in: .whitespaces) }
    }
}
