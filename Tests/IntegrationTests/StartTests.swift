import Foundation
import Glibc
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// How the gateway comes up: its user, its sockets, its size.
    @Suite("Start", .serialized)
    struct Start {
        @Test(
            "started as root it becomes the configured user, who can use the quarantine",
            .enabled(if: geteuid() == 0, "not root")
        )
        func privileges() throws {
            let server = try RecordingMailServer()
            let rules = try TemporaryDirectory()
            try rules.write(Crashes.holdRule, to: "test.cf")
            var file = GatewayFile(downstream: server.port)
            file.rules = [rules.path]
            file.top = ["user: nobody"]
            let gateway = try ProgramUnderTest(file)
            let account = try #require(getpwnam("nobody")).pointee.pw_uid
            try gateway.waitForLog("running as another user")
            #expect(gateway.status("Uid")?.split(separator: "\t").allSatisfy { $0 == "\(account)" } == true)
            #expect(gateway.status("Groups") == "65534" || gateway.status("Groups") == "")
            #expect(gateway.status("CapEff") == "0000000000000000")
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.send(TestMail().octets).code == 250)
            let held = try client.send(TestMail(subject: "hold this").octets)
            #expect(held.code == 250 && held.text.contains("kept for review"), "\(held)")
            // More than is kept in memory needs a file.
            let large = TestMail(attachment: [UInt8](repeating: 7, count: 600_000) + TestMail.eicar, name: "large.bin")
            #expect(try client.send(large.octets).isPermanent)
            let list = try QuarantineLine.all(gateway.command(["quarantine", "list", "--format", "json"]).output)
            #expect(list.count == 1)
            let release = try gateway.command(["quarantine", "release", list[0].id])
            #expect(release.status == 0, "\(release.output)\(release.errors)")
            #expect(server.messages.count == 2)
            // What root did with the command line does not lock the gateway out.
            #expect(try client.send(TestMail(subject: "hold this").octets).text.contains("kept for review"))
            // The scanner can be started again without root's rights.
            let before = gateway.scanners
            for id in before { kill(id, SIGKILL) }
            try Wait.until("another scanner") { !Set(gateway.scanners).subtracting(before).isEmpty }
            #expect(try client.send(large.octets).isPermanent)
        }

        @Test("memory does not become a file, nor that of the scanner, whoever runs them", arguments: [nil, "nobody"])
        func noCoreDumps(user: String?) throws {
            guard user == nil || geteuid() == 0 else { return }
            let server = try RecordingMailServer()
            var file = GatewayFile(downstream: server.port)
            file.rules = []
            if let user { file.top = ["user: \(user)"] }
            let gateway = try ProgramUnderTest(file)
            try Wait.until("the scanner") { !gateway.scanners.isEmpty }
            for id in [gateway.process.id] + gateway.scanners {
                let limits = String(decoding: FileManager.default.contents(atPath: "/proc/\(id)/limits") ?? Data(), as: UTF8.self)
                let core = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
                #expect(core.split(separator: " ").suffix(3) == ["0", "0", "bytes"], "\(core)")
                // What of a process may be dumped belongs to its user, what may not to root (proc(5)).
                // A process that has just become another user may still be on its way to that.
                try Wait.until("memory of \(id) that is private") {
                    let attributes = try? FileManager.default.attributesOfItem(atPath: "/proc/\(id)/environ")
                    return attributes?[.ownerAccountID] as? Int == 0
                }
            }
        }

        @Test("a message that is received into a file has no name anywhere, and nothing of it is left when the client goes")
        func unlinkedFiles() throws {
            let server = try RecordingMailServer()
            let gateway = try ProgramUnderTest(.bare(downstream: server.port))
            let directory = gateway.data + "/tmp"
            var client: SMTPTestClient? = try SMTPTestClient(port: gateway.port)
            #expect(try client?.begin().code == 354)
            client?.socket.write("Subject: large\r\n\r\n" + String(repeating: "secret\r\n", count: 100_000))
            let descriptors = "/proc/\(gateway.process.id)/fd"
            func received() -> [String] {
                let names = (try? FileManager.default.contentsOfDirectory(atPath: descriptors)) ?? []
                return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\($0)") }
                    .filter { $0.hasPrefix(directory) }
            }
            try Wait.until("a file") { !received().isEmpty }
            #expect(received().allSatisfy { $0.hasSuffix(" (deleted)") }, "\(received())")
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
            client = nil
            try Wait.until("the file's end") { received().isEmpty }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
        }

        @Test(
            "takes sockets of systemd",
            .enabled(if: ChildProgram.installed("systemd-socket-activate") != nil, "systemd is not installed")
        )
        func socketActivation() throws {
            let server = try RecordingMailServer()
            let directory = try TemporaryDirectory()
            let port = try LoopbackSocket.freePort()
            let unused = try LoopbackSocket.freePort()
            let configuration = try directory.write(
                GatewayFile.bare(downstream: server.port).text(port: unused, data: directory.path + "/data"),
                to: "outpost.yaml"
            )
            let process = try ChildProgram(
                ChildProgram.installed("systemd-socket-activate") ?? "systemd-socket-activate",
                ["--listen", "127.0.0.1:\(port)", ProgramUnderTest.path, "serve", "--config", configuration],
                log: directory.path + "/log"
            )
            defer { process.stop() }
            try Wait.until("systemd-socket-activate") { process.logText.contains("Listening") || !process.isRunning }
            // The first connection starts the program, in the same process.
            #expect(try SMTPTestClient(port: port).send(TestMail().octets).code == 250)
            #expect(server.messages.count == 1)
            #expect((try? SMTPTestClient(port: unused)) == nil)
        }

        @Test("500 idle sessions need little memory")
        func idleSessions() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.limits += ["sessions_per_address: 1000"]
            let gateway = try ProgramUnderTest(file)
            let clients = try (0..<500).map { _ in try SMTPTestClient(port: gateway.port) }
            let words = try #require(gateway.status("VmRSS")).split(separator: " ")
            let mebibytes = (Int(words[0]) ?? 0) / 1_024
            #expect(mebibytes > 5 && mebibytes < 200, "\(mebibytes) MiB")
            #expect(try clients[250].send(TestMail().octets).code == 250)
        }

        @Test("a port that is taken ends the start with a reason")
        func takenPort() throws {
            let server = try RecordingMailServer()
            let directory = try TemporaryDirectory()
            let configuration = try directory.write(
                GatewayFile.bare(downstream: 25).text(port: server.port, data: directory.path + "/data"),
                to: "outpost.yaml"
            )
            let result = try ProgramUnderTest.run(["serve", "--config", configuration])
            #expect(
                result.status == 70 && result.errors.contains("cannot listen on 127.0.0.1 port \(server.port)"),
                "\(result.errors)"
            )
        }
    }
}
