import Foundation
import Glibc
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// SIGHUP and SIGTERM.
    @Suite("Reload and stop", .serialized)
    struct Reload {
        private static func rule(_ word: String) -> String {
            "body     TEST_WORD /\(word)/\ndescribe TEST_WORD A word of the test\nscore    TEST_WORD 100\n"
        }

        @Test("new rules count for new connections, and a broken file changes nothing")
        func rules() throws {
            let server = try RecordingMailServer()
            let rules = try TemporaryDirectory()
            try rules.write(Self.rule("aubergine"), to: "test.cf")
            var file = GatewayFile.bare(downstream: server.port)
            file.rules = [rules.path]
            let gateway = try ProgramUnderTest(file)
            let send = { (text: String) in try SMTPTestClient(port: gateway.port).send(TestMail(text: text + "\r\n").octets).code
            }
            #expect(try send("aubergine") == 550)
            #expect(try send("courgette") == 250)

            let old = try SMTPTestClient(port: gateway.port)
            try rules.write(Self.rule("courgette"), to: "test.cf")
            #expect(try gateway.reload())
            #expect(try send("courgette") == 550)
            #expect(try send("aubergine") == 250)
            #expect(
                try old.send(TestMail(text: "courgette\r\n").octets).code == 250,
                "an open connection keeps what it began with"
            )

            try rules.write("body TEST_WORD /aubergine(/\nscore TEST_WORD 100\n", to: "test.cf")
            #expect(try !gateway.reload())
            #expect(gateway.log.contains("test.cf:1"))
            #expect(try send("courgette") == 550)
            #expect(try send("aubergine") == 250)
        }

        @Test("a broken configuration keeps the old one, a good one counts")
        func configuration() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            let gateway = try ProgramUnderTest(file)
            file.top = ["no_such_setting: 1"]
            try gateway.write(file)
            #expect(try !gateway.reload())
            #expect(gateway.log.contains("no_such_setting"))
            #expect(try SMTPTestClient(port: gateway.port).send(TestMail().octets).code == 250)
            file.top = ["lists: {deny: [\"spoofable:sender.example\"]}"]
            try gateway.write(file)
            #expect(try gateway.reload())
            #expect(try SMTPTestClient(port: gateway.port).send(TestMail().octets).isPermanent)
            file.top = []
            file.listener = ["tls: {certificate: /no/such/file.pem, private_key: /no/such/file.key}"]
            try gateway.write(file)
            #expect(try !gateway.reload())
            #expect(try SMTPTestClient(port: gateway.port).send(TestMail().octets).isPermanent)
        }

        @Test("a changed certificate is shown after a reload")
        func certificate() throws {
            let server = try RecordingMailServer()
            let directory = try TemporaryDirectory()
            let authority = try TestCertificates.shared.get()
            func install(_ name: String) throws {
                let files = try authority.make([name])
                for (from, to) in [(files.certificate, "cert.pem"), (files.privateKey, "key.pem")] {
                    try directory.write(String(contentsOf: URL(filePath: from), encoding: .utf8), to: to)
                }
            }
            try install("first.example.com")
            var file = GatewayFile.bare(downstream: server.port)
            file.listener = ["tls: {certificate: \(directory.path)/cert.pem, private_key: \(directory.path)/key.pem}"]
            let gateway = try ProgramUnderTest(file)
            let shown = {
                try ChildProgram.run(
                    "/usr/bin/env",
                    ["openssl", "s_client", "-starttls", "smtp", "-connect", "127.0.0.1:\(gateway.port)"],
                    input: Array("QUIT\r\n".utf8)
                ).output
            }
            #expect(try shown().contains("CN = first.example.com"))
            try install("second.example.com")
            #expect(try gateway.reload())
            #expect(try shown().contains("CN = second.example.com"))
        }

        @Test("SIGTERM lets an open transaction finish, and tells the others 421")
        func stop() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.limits = ["grace: 10s"]
            let gateway = try ProgramUnderTest(file)
            let idle = try SMTPTestClient(port: gateway.port)
            let busy = try SMTPTestClient(port: gateway.port)
            #expect(try busy.begin().code == 354)
            let mail = TestMail()
            busy.socket.write(Array(mail.octets.prefix(100)))
            gateway.process.signal(SIGTERM)
            #expect(try idle.reply().code == 421)
            try Wait.until("no new connections") { (try? SMTPTestClient(port: gateway.port)) == nil }
            #expect(gateway.process.isRunning)
            busy.socket.write(SMTPTestClient.stuffed(Array(mail.octets.dropFirst(100))))
            #expect(try busy.reply().code == 250)
            #expect(gateway.process.waitForExit() == 0)
            #expect(server.messages.count == 1)
        }

        @Test("a transaction that does not end is cut off after the grace period")
        func graceEnds() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.limits = ["grace: 1s"]
            let gateway = try ProgramUnderTest(file)
            let busy = try SMTPTestClient(port: gateway.port)
            #expect(try busy.begin().code == 354)
            gateway.process.signal(SIGTERM)
            #expect(gateway.process.waitForExit(.seconds(10)) == 0)
            #expect(try busy.reply().code == 421)
        }
    }
}
