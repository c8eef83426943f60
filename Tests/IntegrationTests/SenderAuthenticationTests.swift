import Foundation
import OutpostTestKit
import Testing

/// Debian's python3-dkim.
private let hasMailSigner = FileManager.default.isExecutableFile(atPath: "/usr/bin/dkimsign")

extension IntegrationTests {
    /// Who really sends, over real DNS packets, with signatures of another implementation.
    @Suite(
        "Sender authentication",
        .serialized,
        .enabled(if: NameServer.isAvailable && hasMailSigner, "needs nsd and python3-dkim")
    )
    struct SenderAuthentication {
        /// For which Debian's python3-dkim is installed.
        private static let python = "/usr/bin/python3"

        private let directory: TemporaryDirectory
        private let names: NameServer
        private let downstream: RecordingMailServer
        private let gateway: ProgramUnderTest
        private let keyRecord: String

        init() throws {
            self.directory = try TemporaryDirectory()
            let key = self.directory.path + "/key.pem"
            // PKCS #1, as the other implementation reads it.
            _ = try ChildProgram.run("/usr/bin/openssl", ["genrsa", "-traditional", "-out", key, "2048"])
            let der = try ChildProgram.run("/usr/bin/openssl", ["rsa", "-in", key, "-pubout"]).output
            let base64 = der.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
            self.keyRecord = "v=DKIM1; k=rsa; p=\(base64)"
            let halves = "\"\(self.keyRecord.prefix(200))\" \"\(self.keyRecord.dropFirst(200))\""
            self.names = try NameServer(
                zone: "example",
                records: [
                    "good TXT \"v=spf1 ip4:127.0.0.1 -all\"", "_dmarc.good TXT \"v=DMARC1; p=reject\"",
                    "forged TXT \"v=spf1 -all\"", "_dmarc.forged TXT \"v=DMARC1; p=reject\"",
                    "_dmarc.signer TXT \"v=DMARC1; p=reject\"", "s1._domainkey.signer TXT \(halves)",
                    "s1._domainkey.gateway TXT \(halves)",
                    "s1._domainkey.plain TXT \(halves)",
                ]
            )
            self.downstream = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: self.downstream.port)
            file.authentication = [
                "enabled: true", "arc_seal: {domain: gateway.example, selector: s1, private_key: \(key)}",
            ]
            file.top = ["dns: {servers: [\"127.0.0.1:\(self.names.port)\"]}"]
            try self.directory.write(
                "body TEST_WORD /aubergine/\ndescribe TEST_WORD A word\nscore TEST_WORD 100\n",
                to: "rules/test.cf"
            )
            file.rules = [self.directory.path + "/rules"]
            self.gateway = try ProgramUnderTest(file)
        }

        private func mail(from domain: String, fields: [String] = []) -> [UInt8] {
            let lines =
                fields + [
                    "From: Ann <ann@\(domain)>", "To: bob@example.com", "Subject: a word",
                    "Date: Mon, 23 Nov 2026 10:00:00 +0000", "Message-ID: <1@\(domain)>", "", "Text  of two ", "lines.", "",
                ]
            return Array(lines.joined(separator: "\r\n").utf8)
        }

        /// Signed by the other implementation.
        private func signed(_ message: [UInt8], for domain: String) throws -> [UInt8] {
            let key = self.directory.path + "/key.pem"
            let signed = try ChildProgram.run("/usr/bin/dkimsign", ["s1", domain, key], input: message)
            #expect(signed.status == 0, "\(signed.errors)")
            return Array(signed.output.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n").utf8)
        }

        private func send(_ message: [UInt8], from sender: String) throws -> SMTPTestClient.Reply {
            try SMTPTestClient(port: self.gateway.port).send(message, from: sender)
        }

        /// Asks the other implementation, which finds the key under any name.
        private func verify(_ function: String, _ message: [UInt8]) throws -> String {
            let script = """
                import dkim, sys
                print(dkim.\(function)(sys.stdin.buffer.read(), dnsfunc=lambda name, timeout=5: \(self.keyRecord.debugDescription).encode()))
                """
            return try ChildProgram.run(Self.python, ["-c", script], input: message).output
        }

        @Test("A host that may send is told so, and nobody else's word stands for ours")
        func passes() throws {
            let fake = "Authentication-Results: gateway.example.com; spf=pass; dkim=pass; dmarc=pass"
            let other = "Authentication-Results: other.example; spf=fail"
            let reply = try self.send(self.mail(from: "good.example", fields: [fake, other]), from: "ann@good.example")
            #expect(reply.code == 250)
            let arrived = String(decoding: try #require(self.downstream.messages.first).octets, as: UTF8.self)
            #expect(arrived.contains("spf=pass smtp.mailfrom=ann@good.example"))
            #expect(arrived.contains("dmarc=pass (p=reject) header.from=good.example"))
            #expect(!arrived.contains(fake))
            #expect(arrived.contains(other))
            #expect(arrived.hasSuffix("\r\n\r\nText  of two \r\nlines.\r\n"))
            #expect(self.gateway.log.contains("spf=pass dkim=none dmarc=pass arc=none"))
        }

        @Test("A forged sender is refused in the session, and told why")
        func forged() throws {
            let reply = try self.send(self.mail(from: "forged.example"), from: "ann@forged.example")
            #expect(reply.code == 550)
            #expect(reply.text.contains("5.7.26") && reply.text.contains("forged.example"))
            #expect(self.downstream.messages.isEmpty)
        }

        @Test("A signature of another implementation verifies here, and what we pass on and seal verifies there")
        func signed() throws {
            let message = try self.signed(self.mail(from: "signer.example"), for: "signer.example")
            #expect(try self.send(message, from: "list@elsewhere.example").code == 250)
            let arrived = try #require(self.downstream.messages.first).octets
            let text = String(decoding: arrived, as: UTF8.self)
            #expect(text.contains("dkim=pass header.d=signer.example header.s=s1"))
            #expect(text.contains("dmarc=pass"))
            #expect(try self.verify("verify", arrived).contains("True"))
            #expect(try self.verify("arc_verify", arrived).contains("b'pass'"))

            let changed = Array(String(decoding: message, as: UTF8.self).replacing("Text  of two", with: "Text  of ten").utf8)
            let refused = try self.send(changed, from: "list@elsewhere.example")
            #expect(refused.code == 550 && refused.text.contains("5.7.26"))
        }

        @Test("An entry of the lists counts for mail that a signature proves, and for no other that bears the name")
        func lists() throws {
            let word = Array(
                String(decoding: self.mail(from: "plain.example"), as: UTF8.self).replacing("two ", with: "aubergine ").utf8
            )
            let proven = try self.signed(word, for: "plain.example")
            let sender = "list@elsewhere.example"
            for message in [word, proven] { #expect(try self.send(message, from: sender).code == 550) }

            #expect(try self.gateway.command(["lists", "add", "plain.example", "--allow"]).status == 0)
            // The gateway sees it within a moment.
            var reply = try self.send(proven, from: sender)
            try Wait.until("the entry") {
                reply = try self.send(proven, from: sender)
                return reply.code == 250
            }
            #expect(self.gateway.log.contains("(DKIM of plain.example)"), "\(self.gateway.log.suffix(600))")
            let unsigned = try self.send(word, from: sender)
            #expect(unsigned.code == 550 && unsigned.text.contains("spam"), "\(unsigned)")
            let broken = String(decoding: proven, as: UTF8.self).replacing("aubergine", with: "aubergine, more")
            #expect(try self.send(Array(broken.utf8), from: sender).code == 550)
            // Somebody else's signature proves somebody else.
            #expect(try self.send(self.signed(word, for: "signer.example"), from: sender).code == 550)

            #expect(try self.gateway.command(["lists", "remove", "1"]).status == 0)
            #expect(try self.gateway.command(["lists", "add", "plain.example", "--deny"]).status == 0)
            let harmless = self.mail(from: "plain.example")
            let harmlessProven = try self.signed(harmless, for: "plain.example")
            try Wait.until("the entry") {
                reply = try self.send(harmlessProven, from: sender)
                return reply.code == 550
            }
            #expect(reply.text.contains("this sender is not accepted here"), "\(reply)")
            #expect(try self.send(harmless, from: sender).code == 250, "nobody is refused for what others say of themselves")
        }

        @Test("A message that goes twice through sealing hosts has a chain that holds")
        func chain() throws {
            #expect(try self.send(self.mail(from: "good.example"), from: "ann@good.example").code == 250)
            let once = try #require(self.downstream.messages.first).octets
            #expect(try self.send(once, from: "ann@good.example").code == 250)
            let twice = try #require(self.downstream.messages.last).octets
            #expect(String(decoding: twice, as: UTF8.self).contains("ARC-Seal: i=2; a=rsa-sha256"))
            #expect(try self.verify("arc_verify", twice).contains("b'pass'"))
        }
    }
}
