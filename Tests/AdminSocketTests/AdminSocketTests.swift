import Foundation
import Logging
import OutpostTestKit
import SystemKit
import Testing

@testable import AdminSocket

/// Conversations on the admin socket, good ones and others.
@Suite("Admin socket", .serialized, .blocking, .timeLimit(.minutes(1)))
struct AdminSocketTests {
    private let directory: TemporaryDirectory
    private var path: String { self.directory.path + "/admin.sock" }

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func listener(
        users: [String] = [],
        groups: [String] = [],
        answer: @escaping AdminListener.Answer = { _ in Array(#"{"fine":true}"#.utf8) }
    ) throws -> AdminListener {
        let listener = try AdminListener(
            path: self.path,
            permission: AdminPermission(users: users, groups: groups),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            answer: answer
        )
        listener.start()
        return listener
    }

    private func connect() throws -> StreamSocket {
        try StreamSocket(connectingTo: self.path, deadline: .now + .seconds(5))
    }

    /// What the other end says until it closes; what follows a reset is nothing.
    private func rest(of connection: StreamSocket) -> String {
        var octets: [UInt8] = []
        while let piece = try? connection.read(count: 4_096, deadline: .now + .seconds(10)), !piece.isEmpty { octets += piece }
        return String(decoding: octets, as: UTF8.self)
    }

    private var mode: Int {
        get throws {
            try #require(FileManager.default.attributesOfItem(atPath: self.path)[.posixPermissions] as? Int)
        }
    }

    @Test("A question has its answer; the socket is the owner's and goes with the gateway")
    func answer() async throws {
        let listener = try self.listener()
        #expect(try self.mode == 0o600)
        for _ in 0..<10 {
            #expect(try AdminClient.ask(.status, path: self.path) == Array(#"{"fine":true}"#.utf8))
        }
        await listener.stop()
        #expect(!FileManager.default.fileExists(atPath: self.path))
        #expect(throws: AdminClient.Failure.noGateway) { try AdminClient.ask(.status, path: self.path) }
    }

    @Test("A socket that an ended gateway left is not answered, and replaced by the next one")
    func leftBehind() async throws {
        // Its descriptor is closed; the file stays.
        do { _ = try UnixListener(path: self.path, backlog: 1) }
        #expect(FileManager.default.fileExists(atPath: self.path))
        #expect(throws: AdminClient.Failure.noGateway) { try AdminClient.ask(.status, path: self.path) }
        let listener = try self.listener()
        #expect(try AdminClient.ask(.status, path: self.path) == Array(#"{"fine":true}"#.utf8))
        await listener.stop()
    }

    /// What is said, and what must come back; nil: nothing, the connection just ends.
    @Test(
        "What is no question is said to be none, or has no answer at all",
        arguments: [
            ("{\"command\":\"status\"}\n", "{\"fine\":true}\n"),
            ("{ \"command\" : \"status\", \"more\": [1] }\r\n", "{\"fine\":true}\n"),
            ("{\"command\":\"status\"}\nand more behind it\n", "{\"fine\":true}\n"),
            ("{\"command\":\"stop\"}\n", "{\"error\":\"this is no question that is known here\"}\n"),
            ("{\"command\":7}\n", "{\"error\":\"this is no question that is known here\"}\n"),
            ("status\n", "{\"error\":\"this is no question that is known here\"}\n"),
            ("\n", "{\"error\":\"this is no question that is known here\"}\n"),
            ("\u{0}\u{1}\u{ff}\n", "{\"error\":\"this is no question that is known here\"}\n"),
            (String(repeating: "[", count: 4_000) + "\n", "{\"error\":\"this is no question that is known here\"}\n"),
            ("", nil),
            ("{\"command\":\"status\"}", nil),
            (String(repeating: "a", count: AdminBounds.request + 1), nil),
            (String(repeating: "a", count: 100_000), nil),
        ] as [(String, String?)]
    )
    func garbage(said: String, wanted: String?) async throws {
        let listener = try self.listener()
        let connection = try self.connect()
        // The listener may have heard enough before all is said.
        try? connection.write(Array(said.utf8), deadline: .now + .seconds(5))
        connection.endOutput()
        #expect(self.rest(of: connection) == wanted ?? "")
        #expect(try AdminClient.ask(.status, path: self.path) == Array(#"{"fine":true}"#.utf8))
        await listener.stop()
    }

    @Test("Silent clients keep others out for a bounded time, are told apart from those that ask, and end nothing")
    func silent() async throws {
        let listener = try self.listener()
        let silent = try (0..<AdminBounds.connections).map { _ in try self.connect() }
        // They are all taken by now, or will be before the next one.
        let start = ContinuousClock.now
        #expect(throws: AdminClient.Failure.refused("others are asking, try again")) {
            try AdminClient.ask(.status, path: self.path)
        }
        #expect(self.rest(of: silent[0]) == "")
        #expect(ContinuousClock.now - start >= AdminBounds.time - .seconds(1))
        try Wait.until("an answer") { (try? AdminClient.ask(.status, path: self.path)) != nil }
        await listener.stop()
    }

    @Test("An answer that is never taken is given up")
    func untaken() async throws {
        let big = [UInt8](repeating: UInt8(ascii: "x"), count: 3_000_000)
        let listener = try self.listener { _ in big }
        let connection = try self.connect()
        try connection.write(Array("{\"command\":\"status\"}\n".utf8), deadline: .now + .seconds(5))
        #expect(try AdminClient.ask(.status, path: self.path) == big, "others get theirs meanwhile")
        withExtendedLifetime(connection) {}
        await listener.stop()
    }

    @Test("Who is not named is not listened to; who is named, by user or group, is", .enabled(if: geteuid() == 0, "needs root"))
    func permission() async throws {
        let other = PeerCredentials(user: 65_534, groups: [65_534, 1_000])
        #expect(try !AdminPermission().allows(other))
        #expect(try AdminPermission().allows(PeerCredentials(user: 0, groups: [])))
        #expect(try AdminPermission(users: ["nobody"]).allows(other))
        #expect(try AdminPermission(users: ["65534"]).allows(other))
        #expect(try AdminPermission(groups: ["1000"]).allows(other))
        #expect(try !AdminPermission(users: ["1000"], groups: ["daemon"]).allows(other))
        #expect(throws: SystemError.self) { try AdminPermission(users: ["no-such-user"]) }
        #expect(throws: SystemError.self) { try AdminPermission(groups: ["no-such-group"]) }

        let listener = try self.listener(users: ["daemon"])
        #expect(try self.mode == 0o666)
        try listener.use(AdminPermission())
        #expect(try self.mode == 0o600)
        let own = try self.connect().peer()
        #expect(own.user == geteuid() && own.groups.contains(getegid()))
        await listener.stop()
    }
}
