import Foundation
import Glibc

/// A clamd of a test's own with the signatures of the fixtures.
public final class ClamdInstance {
    public static let isAvailable = ChildProgram.installed("clamd") != nil

    public let socket: String
    public let port: Int
    public let process: ChildProgram
    private let directory: TemporaryDirectory

    public init() throws {
        self.directory = try TemporaryDirectory()
        self.port = try LoopbackSocket.freePort()
        self.socket = self.directory.path + "/clamd.socket"
        let user = geteuid() == 0 ? ["User root"] : []
        let configuration = try self.directory.write(
            ([
                "Foreground yes", "LocalSocket \(self.socket)", "TCPSocket \(self.port)", "TCPAddr 127.0.0.1",
                "DatabaseDirectory \(Fixture.directory.appending(path: "signatures").path)",
                "TemporaryDirectory \(self.directory.path)",
            ] + user).joined(separator: "\n") + "\n",
            to: "clamd.conf"
        )
        self.process = try ChildProgram(
            ChildProgram.installed("clamd") ?? "clamd",
            ["--config-file", configuration],
            log: self.directory.path + "/log"
        )
        try Wait.until("clamd") {
            FileManager.default.fileExists(atPath: self.socket) && (try? LoopbackSocket(port: self.port)) != nil
        }
    }

    deinit {
        self.process.stop()
    }
}
