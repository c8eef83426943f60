import Foundation

/// Two hosts on one wire: network namespaces with a cable between them, gone when this is.
public final class TwoHosts: Sendable {
    public struct Host: Sendable {
        public let namespace: String
        public let address: String

        /// A program and its arguments, to be run on this host by `TwoHosts.ip`.
        public func command(_ program: String, _ arguments: [String] = []) -> [String] {
            ["netns", "exec", self.namespace, program] + arguments
        }

        public func run(_ program: String, _ arguments: [String]) throws -> ChildProgram.Result {
            try ChildProgram.run(TwoHosts.ip, self.command(program, arguments))
        }

        public func hasListener(at address: String, port: Int) -> Bool {
            (try? self.run("/bin/bash", ["-c", "exec 3<>/dev/tcp/\(address)/\(port)"]))?.status == 0
        }
    }

    public static let ip = ChildProgram.installed("ip") ?? "ip"
    /// Only root can make namespaces, and not in every container.
    public static let isPermitted = (try? TwoHosts()) != nil

    public let first: Host
    public let second: Host

    /// Addresses of a test network (RFC 2544) that no host around here has.
    public init() throws {
        let mark = String(UInt32.random(in: 0...0xff_ffff), radix: 16)
        self.first = Host(namespace: "outpost-a-\(mark)", address: "198.18.0.1")
        self.second = Host(namespace: "outpost-b-\(mark)", address: "198.18.0.2")
        do {
            for host in [self.first, self.second] { try Self.run(["netns", "add", host.namespace]) }
            try Self.run([
                "link", "add", "wire", "netns", self.first.namespace, "type", "veth", "peer", "name", "wire", "netns",
                self.second.namespace,
            ])
            for host in [self.first, self.second] {
                try Self.run(["-n", host.namespace, "address", "add", "\(host.address)/30", "dev", "wire"])
                for device in ["lo", "wire"] { try Self.run(["-n", host.namespace, "link", "set", device, "up"]) }
            }
        } catch {
            self.remove()
            throw error
        }
    }

    deinit {
        self.remove()
    }

    private func remove() {
        for host in [self.first, self.second] { _ = try? ChildProgram.run(Self.ip, ["netns", "delete", host.namespace]) }
    }

    private static func run(_ arguments: [String]) throws {
        let result = try ChildProgram.run(self.ip, arguments)
        guard result.status == 0 else { throw ChildProgram.Failure("ip \(arguments.joined(separator: " ")): \(result.errors)") }
    }
}
