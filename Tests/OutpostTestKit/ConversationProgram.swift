import Dispatch
import Foundation
import Synchronization

/// The configuration that a conversation names: a YAML file beside the conversations, with rules of the same name.
public struct ConversationConfiguration: Sendable {
    /// Names of the listeners, in the order in which they stand in the file (`# listeners: plain proxy`).
    public let listeners: [String]
    public let downstreams: Int
    private let text: String

    public init(named name: String) throws {
        let file = ConversationScript.directory.appending(path: "configurations/\(name).yaml")
        self.text = String(decoding: try Fixture.bytes(file), as: UTF8.self)
        let first = self.text.prefix { $0 != "\n" }
        self.listeners = first.trimmingPrefix("# listeners: ").split(separator: " ").map(String.init)
        self.downstreams = self.text.contains("{downstream2}") ? 2 : 1
    }

    /// The file's text with its places filled in.
    /// - Parameter ports: of the downstream servers.
    public func yaml(data: String, ports: [UInt16], certificate: TestCertificates.Files?) -> String {
        var text = self.text.replacing("{data}", with: data)
        text = text.replacing("{rules}", with: ConversationScript.directory.appending(path: "configurations").path)
        for (index, port) in ports.enumerated() {
            text = text.replacing(index == 0 ? "{downstream}" : "{downstream2}", with: "127.0.0.1:\(port)")
        }
        return text.replacing("{certificate}", with: certificate?.certificate ?? "")
            .replacing("{key}", with: certificate?.privateKey ?? "")
    }
}

/// The built program, running with one configuration and downstream servers that scripts play.
public final class ConversationProgram: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// `outpost` beside the running test; nil where it was not built.
    public static let path: String? = {
        let directory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let candidates = [directory, Fixture.root.appending(path: ".build/debug")].map { $0.appending(path: "outpost").path }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    public let downstreams: [ConversationListener]
    private let process: Process
    private let directory: TemporaryDirectory
    private let log: ProgramLog
    private let ports: [String: (address: String, port: UInt16)]

    /// Starts it and waits until it has listened and has asked each downstream server what it can do.
    public init(configuration name: String, offers: [String], certificate: TestCertificates.Files?) throws {
        guard let path = Self.path else { throw Failure(description: "the program is not built") }
        let configuration = try ConversationConfiguration(named: name)
        let directory = try TemporaryDirectory()
        let downstreams = try (0..<configuration.downstreams).map { _ in try ConversationListener() }
        let yaml = configuration.yaml(
            data: directory.path + "/data",
            ports: downstreams.map(\.port),
            certificate: certificate
        )
        let file = try directory.write(yaml, to: "outpost.yaml")
        let probed = downstreams.map { ConversationDownstream(offers: offers, arriving: $0.connections) }
        for downstream in probed { downstream.startAnswering() }
        let log = ProgramLog()
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = ["serve", "--config", file]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = log.pipe
        try process.run()
        log.start()
        self.process = process
        self.directory = directory
        self.downstreams = downstreams
        self.log = log
        var ports: [String: (String, UInt16)] = [:]
        let deadline = DispatchTime.now() + .seconds(20)
        for listener in configuration.listeners {
            guard let (address, port) = log.nextListener(until: deadline) else {
                process.terminate()
                throw Failure(description: "outpost does not listen:\n\(log.text)")
            }
            ports[listener] = (address, port)
        }
        self.ports = ports
        let quit = Array("QUIT".utf8)
        while !probed.allSatisfy({ $0.record.commands.contains(quit) }), DispatchTime.now() < deadline { usleep(2_000) }
        for downstream in probed { downstream.end(isAnswering: true) }
    }

    public func run(_ script: ConversationScript, startTLS: ConversationRun.StartTLS?) throws -> [ConversationFailure] {
        guard let (address, port) = self.ports[script.listener] else {
            throw Failure(description: "the configuration has no listener \(script.listener)")
        }
        let run = try ConversationRun(
            script,
            connect: { try ConversationSocket(address: address, port: port) },
            downstreams: self.downstreams.map(\.connections),
            startTLS: startTLS
        )
        return run.run()
    }

    /// Ends the program; its last words are returned when it does not end well.
    public func stop() -> String? {
        self.process.terminate()
        let deadline = DispatchTime.now() + .seconds(10)
        while self.process.isRunning, DispatchTime.now() < deadline { usleep(5_000) }
        for downstream in self.downstreams { downstream.stop() }
        if self.process.isRunning {
            kill(self.process.processIdentifier, SIGKILL)
            return "outpost did not stop:\n\(self.log.text)"
        }
        return self.process.terminationStatus == 0
            ? nil : "outpost ended with \(self.process.terminationStatus):\n\(self.log.text)"
    }
}

/// What the program says on standard error.
private final class ProgramLog: Sendable {
    let pipe = Pipe()
    private let lines = Mutex<[String]>([])
    private let listeners = ConversationQueue<(String, UInt16)>()

    var text: String { self.lines.withLock { $0.suffix(20).joined(separator: "\n") } }

    func nextListener(until deadline: DispatchTime) -> (String, UInt16)? { self.listeners.pop(until: deadline) }

    func start() {
        let handle = self.pipe.fileHandleForReading
        Thread.detachNewThread {
            var unread: [UInt8] = []
            while true {
                let data = handle.availableData
                if data.isEmpty { return }
                unread += data
                while let end = unread.firstIndex(of: 0x0a) {
                    self.take(String(decoding: unread[..<end], as: UTF8.self))
                    unread.removeSubrange(...end)
                }
            }
        }
    }

    /// A listener says: `listening address=127.0.0.1:2525`.
    private func take(_ line: String) {
        self.lines.withLock { $0.append(line) }
        guard line.contains(" listening "), let start = line.range(of: "127.0.0.", options: .backwards)?.lowerBound else {
            return
        }
        let parts = line[start...].prefix { $0.isNumber || $0 == "." || $0 == ":" }.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else { return }
        self.listeners.push((String(parts[0]), port))
    }
}
