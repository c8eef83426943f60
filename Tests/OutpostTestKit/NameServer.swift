import Foundation

/// Debian's authoritative name server NSD with one zone of its own, on a port of its own.
public final class NameServer {
    public static let isAvailable = FileManager.default.isExecutableFile(atPath: "/usr/sbin/nsd")

    public let port: Int
    private let directory: TemporaryDirectory
    /// Killed when this goes: it has nothing to lose, and its servers end with it.
    private let process: ChildProgram

    /// - Parameters:
    ///   - zone: `example`
    ///   - records: lines of a zone file, without SOA and NS; names are relative to the zone.
    ///   - more: other zones with their records.
    public init(zone: String, records: [String], more: [String: [String]] = [:]) throws {
        self.directory = try TemporaryDirectory()
        let head = ["$TTL 60", "@ SOA ns root 1 3600 600 86400 60", "@ NS ns", "ns A 127.0.0.1"]
        let zones = [(zone, records)] + more.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        for (index, zone) in zones.enumerated() {
            try self.directory.write((head + zone.1).joined(separator: "\n") + "\n", to: "zone\(index)")
        }
        let zoneLines = zones.enumerated().map { "zone:\n  name: \($1.0)\n  zonefile: zone\($0)\n" }.joined()
        for attempt in 1... {
            let port = try LoopbackSocket.freePort(.v4)
            let process = try Self.start(at: port, in: self.directory, zoneLines, log: "log\(attempt)")
            if Wait.isTrue(within: .seconds(15), { Self.hasOutcome(process) }), process.logText.contains(Self.started) {
                self.port = port
                self.process = process
                return
            }
            // Whoever asks the DNS has UDP ports that the kernel chooses; one of them may be this one by now.
            guard attempt < Self.attempts, process.logText.contains("Address already in use") else {
                throw ChildProgram.Failure("nsd does not start:\n\(process.logText)")
            }
        }
        preconditionFailure("the loop ends by itself")
    }

    private static let attempts = 5
    private static let started = "nsd started"

    private static func hasOutcome(_ process: ChildProgram) -> Bool {
        process.logText.contains(self.started) || process.logText.contains("could not be started")
    }

    private static func start(
        at port: Int,
        in directory: TemporaryDirectory,
        _ zoneLines: String,
        log: String
    ) throws -> ChildProgram {
        let path = directory.path
        let configuration = try directory.write(
            """
            server:
              ip-address: 127.0.0.1@\(port)
              username: ""
              chroot: ""
              zonesdir: "\(path)"
              database: ""
              pidfile: "\(path)/pid"
              xfrdfile: "\(path)/xfrd"
              zonelistfile: "\(path)/zones"
              server-count: 1
            remote-control:
              control-enable: no
            \(zoneLines)
            """,
            to: "nsd.conf"
        )
        return try ChildProgram("/usr/sbin/nsd", ["-d", "-c", configuration], log: "\(path)/\(log)")
    }
}
