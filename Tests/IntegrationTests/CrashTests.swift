import Dispatch
import Foundation
import Glibc
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// Processes that are killed at the worst moment.
    @Suite("Crashes", .serialized)
    struct Crashes {
        /// A rule of the test's own that holds what says so.
        static let holdRule = """
            header   TEST_HOLD Subject =~ /hold this/
            describe TEST_HOLD A test wants it held
            score    TEST_HOLD 9

            """

        @Test("a scanner that is killed in a scan costs no message its right answer", arguments: [0, 30, 100, 250])
        func killedScanner(milliseconds: UInt32) throws {
            let server = try RecordingMailServer()
            let gateway = try ProgramUnderTest(GatewayFile(downstream: server.port))
            let filler = [UInt8]((0..<3_000_000).map { UInt8(truncatingIfNeeded: ($0 &* 1_103_515_245 &+ 12_345) >> 9) })
            // Once for the scanner to be ready.
            #expect(try SMTPTestClient(port: gateway.port).send(TestMail().octets).code == 250)
            let mails = [
                TestMail(attachment: filler, name: "large.bin"), TestMail(attachment: filler + TestMail.eicar, name: "bad.bin"),
            ]
            for (index, mail) in mails.enumerated() {
                let client = try SMTPTestClient(port: gateway.port)
                #expect(try client.begin().code == 354)
                let before = gateway.scanners
                #expect(!before.isEmpty)
                client.socket.write(SMTPTestClient.stuffed(mail.octets))
                usleep(milliseconds * 1_000)
                for id in before { kill(id, SIGKILL) }
                let reply = try client.reply()
                if index == 0 {
                    #expect(reply.code == 250, "\(reply)")
                } else {
                    #expect(reply.isPermanent && reply.text.contains("Eicar-Test-Signature"), "\(reply)\n\(gateway.log)")
                }
                try Wait.until("another scanner") { !Set(gateway.scanners).subtracting(before).isEmpty }
            }
            #expect(server.messages.count == 2)
        }

        @Test("a gateway that is killed has promised nothing that is not downstream or on the disk")
        func killedGateway() throws {
            let server = try RecordingMailServer()
            let rules = try TemporaryDirectory()
            try rules.write(Self.holdRule, to: "test.cf")
            var file = GatewayFile.bare(downstream: server.port)
            file.rules = [rules.path]
            let gateway = try ProgramUnderTest(file)
            let port = gateway.port
            let told = Told()
            for round in 0..<30 {
                if round > 0 { try gateway.startAgain() }
                let process = gateway.process
                DispatchQueue.concurrentPerform(iterations: 4) { number in
                    if number == 0 {
                        // From the first moments of the first message on, to somewhere in the middle of the twentieth.
                        usleep(UInt32(round * round) * 500 + 3_000)
                        process.signal(SIGKILL)
                        process.waitForExit()
                        return
                    }
                    for count in 0..<1_000 {
                        let mail = TestMail(subject: (count + number) % 2 == 0 ? "hold this" : "let this pass")
                        guard let client = try? SMTPTestClient(port: port), let reply = try? client.send(mail.octets) else {
                            return
                        }
                        told.note(mail.id, reply)
                    }
                }
            }
            try gateway.startAgain()
            let held = told.ids { $0.text.contains("kept for review") }
            let passed = told.accepted.subtracting(held)
            #expect(held.count > 20 && passed.count > 20, "\(held.count) held, \(passed.count) delivered: too few to tell")
            let downstream = Set(
                server.messages.compactMap { message in
                    String(decoding: message.octets, as: UTF8.self).firstMatch(of: /Message-ID: <(.*)>/).map { String($0.1) }
                }
            )
            #expect(passed.isSubset(of: downstream), "lost downstream: \(passed.subtracting(downstream))")
            let listing = try gateway.command(["quarantine", "list", "--format", "json", "--limit", "100000"])
            let ids = try QuarantineLine.all(listing.output).map(\.id)
            #expect(listing.status == 0 && Set(ids).count == ids.count)
            var stored: Set<String> = []
            let out = try TemporaryDirectory()
            let export = try gateway.command(["quarantine", "export"] + ids + ["--output", out.path])
            #expect(export.status == 0, "\(export.errors)")
            for id in ids {
                let text = String(decoding: try Fixture.bytes(out.url.appending(path: "\(id).eml")), as: UTF8.self)
                if let match = text.firstMatch(of: /Message-ID: <(.*)>/) { stored.insert(String(match.1)) }
            }
            #expect(Set(held).isSubset(of: stored), "lost from the quarantine: \(Set(held).subtracting(stored))")
        }
    }
}
