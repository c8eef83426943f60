import Foundation
import Glibc
import OutpostTestKit
import SystemKit
import Testing

@testable import VirusScan

/// `outpost-scanner` as a program, without the gateway around it.
@Suite("outpost-scanner", .enabled(if: BuiltScanner.isThere, "outpost-scanner is not built"))
struct ScannerProgramTests {
    private static let limit = Duration.seconds(20)
    private static let hasLandlock = ((try? String(contentsOfFile: "/sys/kernel/security/lsm", encoding: .utf8)) ?? "landlock")
        .contains("landlock")

    /// Its end and its output, when it ends by itself.
    private func output(_ arguments: [String]) async -> (end: ChildProcess.End, lines: [String]) {
        let (events, continuation) = AsyncStream<ChildProcess.Event>.makeStream()
        let process = ChildProcess(path: BuiltScanner.path!, arguments: arguments, environment: []) { continuation.yield($0) }
        var lines: [String] = []
        for await event in events {
            switch event {
            case .line(let line): lines.append(line)
            case .ended(let end): return (end, lines)
            }
        }
        process.signal(SIGKILL)
        return (.killed(signal: 0), lines)
    }

    /// Runs it on a socket, and ends it.
    private func running(_ options: [String] = [], _ body: (_ socket: String, _ process: ChildProcess) async throws -> Void)
        async throws
    {
        let directory = try TemporaryDirectory()
        let socket = directory.path + "/s"
        let (events, continuation) = AsyncStream<ChildProcess.Event>.makeStream()
        let process = ChildProcess(
            path: BuiltScanner.path!,
            arguments: ["--socket", socket, "--database", BuiltScanner.signatures, "--end-with-input"] + options,
            environment: ["SWIFT_BACKTRACE=enable=no"]
        ) { continuation.yield($0) }
        for await event in events {
            guard case .line(let line) = event else { break }
            #expect(line.hasPrefix("ready 2 "))
            // The scanner proves what it claims before it says so: it ends when "/" opens or there is a new socket all the same.
            #expect(line.hasSuffix(Self.hasLandlock ? "+seccomp" : " seccomp"))
            break
        }
        do {
            try await body(socket, process)
        } catch {
            process.signal(SIGKILL)
            throw error
        }
        process.signal(SIGKILL)
        for await event in events { if case .ended = event { break } }
    }

    private func connect(_ path: String) throws -> StreamSocket {
        try StreamSocket(connectingTo: path, deadline: .now + Self.limit)
    }

    /// Everything up to the end of the connection.
    private func conversation(_ path: String, _ octets: [UInt8]) throws -> String {
        let socket = try self.connect(path)
        try socket.write(octets, deadline: .now + Self.limit)
        var answer: [UInt8] = []
        while true {
            let more = try socket.read(count: 4_096, deadline: .now + Self.limit)
            if more.isEmpty { return String(decoding: answer, as: UTF8.self) }
            answer += more
        }
    }

    @Test("wrong use and missing signatures end with their codes")
    func ends() async throws {
        #expect(await self.output(["--version"]).end == .exited(0))
        #expect(await self.output(["--help"]).lines.first?.hasPrefix("Usage: ") == true)
        for arguments in [
            [], ["--socket", "/tmp/x"], ["--threads"], ["--threads", "0", "--socket", "/tmp/x", "--database", "/"],
            ["--nonsense", "1"],
        ] {
            #expect(await self.output(arguments).end == .exited(64))
        }
        let absent = await self.output(["--socket", "/nonexistent/s", "--database", "/nonexistent/signatures"])
        #expect(absent.end == .exited(69))
        #expect(absent.lines.isEmpty)
    }

    @Test("commands are answered as clamd answers them, with either end, in any pieces")
    func commands() async throws {
        try await self.running { path, _ in
            #expect(try self.conversation(path, Array("zPING\0".utf8)) == "PONG\0")
            #expect(try self.conversation(path, Array("nPING\n".utf8)) == "PONG\n")
            let version = try self.conversation(path, Array("zVERSION\0".utf8))
            #expect(version.hasPrefix("ClamAV "))
            let statistics = try self.conversation(path, Array("nSTATS\n".utf8))
            #expect(statistics.hasSuffix("END\n"))
            #expect(try self.conversation(path, Array("zSHUTDOWN\0".utf8)) == "UNKNOWN COMMAND\0")
            let session = try self.conversation(path, Array("zIDSESSION\0zPING\0zVERSION\0zPING\0zEND\0".utf8))
            #expect(session.hasPrefix("1: PONG\0") && session.hasSuffix("3: PONG\0"))

            let stream =
                ClamdCommand.scanStream.octets + ClamdCodec.chunkLength(30) + ScanSamples.eicar[..<30]
                + ClamdCodec.chunkLength(38)
            let octets = stream + ScanSamples.eicar[30...] + ClamdCodec.endOfStream
            #expect(try self.conversation(path, octets) == "stream: \(ScanSamples.eicarName) FOUND\0")
            #expect(try self.conversation(path, ClamdCommand.scanStream.octets + ClamdCodec.endOfStream) == "stream: OK\0")

            let socket = try self.connect(path)
            for octet in octets { try socket.write([octet], deadline: .now + Self.limit) }
            #expect(try socket.read(count: 6, deadline: .now + Self.limit) == Array("stream".utf8))
        }
    }

    @Test("a stream beyond the limit is refused, and a descriptor that does not come")
    func refusals() async throws {
        try await self.running(["--max-stream-size", "10"]) { path, _ in
            let octets =
                ClamdCommand.scanStream.octets + ClamdCodec.chunkLength(11) + [UInt8](repeating: 0, count: 11)
                + ClamdCodec.endOfStream
            let tooLong = try self.conversation(path, octets)
            #expect(tooLong == "INSTREAM size limit exceeded. ERROR\0")
            let nothing = try self.conversation(path, ClamdCommand.scanDescriptor.octets + [0])
            #expect(nothing == "No file descriptor received. ERROR\0")
        }
    }

    /// Text with links that takes libclamav about a second of its thread's time for 20 MB.
    private static func longText(_ octets: Int) -> [UInt8] {
        let line = Array("hello world this is a line of text <a href='http://www.example.com/x'>\r\n".utf8)
        return Array("From: a@b.example\r\n\r\n".utf8) + Array(repeating: line, count: octets / line.count).joined()
    }

    private static func stream(_ bytes: [UInt8]) -> [UInt8] {
        let length = withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) }
        return Array("zINSTREAM\0".utf8) + length + bytes + [0, 0, 0, 0]
    }

    @Test("content that takes more than its time is a finding, whatever else is in it")
    func timeUsedUp() async throws {
        try await self.running(["--max-scan-time", "1"]) { socket, _ in
            let answer = try self.conversation(socket, Self.stream(Self.longText(4_000_000)))
            #expect(answer == "stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND\0")
        }
    }

    @Test("a thread that a long scan has slowed ends with its connection; others go on at full speed")
    func pace() async throws {
        try await self.running { socket, process in
            let session = Array("zIDSESSION\0".utf8)
            let ping = Array("zPING\0".utf8)
            let end = Array("zEND\0".utf8)
            let short = Self.stream(Array("hello".utf8))
            #expect(
                try self.conversation(socket, session + short + ping + short + end)
                    == "1: stream: OK\u{0}2: PONG\u{0}3: stream: OK\u{0}"
            )
            let long = try self.connect(socket)
            try long.write(session + Self.stream(Self.longText(20_000_000)), deadline: .now + Self.limit)
            var answer: [UInt8] = []
            while true {
                let more = try long.read(count: 4_096, deadline: .now + Self.limit)
                if more.isEmpty { break }
                answer += more
            }
            #expect(String(decoding: answer, as: UTF8.self) == "1: stream: OK\0")
            #expect(try self.conversation(socket, session + short + ping + end) == "1: stream: OK\u{0}2: PONG\u{0}")
            // Nobody is left who gives way.
            let tasks = "/proc/\(process.processID ?? 0)/task"
            for thread in try FileManager.default.contentsOfDirectory(atPath: tasks) {
                guard let line = try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8),
                    let name = line.lastIndex(of: ")")
                else { continue }
                #expect(line[line.index(after: name)...].split(separator: " ")[16] == "0", "\(line)")
            }
        }
    }

    @Test("it takes no look from outside and no new privileges, writes no core and is kept to few system calls")
    func hardened() async throws {
        try await self.running { _, process in
            let id = try #require(process.processID)
            let status = try String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)
            #expect(status.contains("NoNewPrivs:\t1"))
            #expect(status.contains("Seccomp:\t2"))
            let limits = try String(contentsOfFile: "/proc/\(id)/limits", encoding: .utf8)
            let core = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
            #expect(core.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"])
        }
    }

    @Test("it becomes the user it is told to when it starts as root", .enabled(if: CurrentProcess.isRoot))
    func user() async throws {
        let directory = "/tmp/outpost-scanner-test-\(CurrentProcess.id)"
        try Directory.make(directory)
        defer { Directory.removeTree(directory) }
        try Directory.give(directory, to: "nobody")
        let signatures = directory + "/signatures"
        try FileManager.default.copyItem(atPath: BuiltScanner.signatures, toPath: signatures)
        let arguments = ["--socket", directory + "/s", "--database", signatures, "--user", "nobody"]
        let (events, continuation) = AsyncStream<ChildProcess.Event>.makeStream()
        let process = ChildProcess(path: BuiltScanner.path!, arguments: arguments, environment: []) { continuation.yield($0) }
        for await event in events {
            if case .line = event {
                let status = try String(contentsOfFile: "/proc/\(process.processID ?? 0)/status", encoding: .utf8)
                #expect(status.contains("Uid:\t65534\t65534\t65534\t65534"))
                #expect(try self.conversation(directory + "/s", Array("zPING\0".utf8)) == "PONG\0")
                process.signal(SIGKILL)
            } else {
                break
            }
        }
    }
}
