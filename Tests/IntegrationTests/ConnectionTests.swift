import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// Who the client is, before and behind the gateway, and what is encrypted.
    @Suite("Clients through proxies", .serialized)
    struct Clients {
        @Test("listens on IPv6", .enabled(if: LoopbackSocket.hasIPv6, "there is no IPv6 on loopback"))
        func ipv6() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.listenerAddress = "[::1]"
            let gateway = try ProgramUnderTest(file)
            #expect(try SMTPTestClient(port: gateway.port, family: .v6).send(TestMail().octets).code == 250)
            let text = String(decoding: try #require(server.messages.first).octets, as: UTF8.self)
            #expect(text.contains("[IPv6:::1]"))
        }

        @Test("a PROXY header from a trusted network names the client, from others it is refused")
        func proxyHeader() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.listener = ["proxy_protocol_from: [127.0.0.0/8]"]
            let gateway = try ProgramUnderTest(file)
            let version2: [UInt8] =
                Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, 0x11, 0, 12, 203, 0, 113, 9, 127, 0, 0, 1, 0x9c, 0x40, 0, 25]
            for (header, address) in [
                (Array("PROXY TCP4 192.0.2.77 127.0.0.1 40000 25\r\n".utf8), "192.0.2.77"), (version2, "203.0.113.9"),
            ] {
                let client = try SMTPTestClient(connecting: gateway.port)
                client.socket.write(header)
                #expect(try client.reply().code == 220)
                #expect(try client.command("EHLO client.example.org").code == 250)
                #expect(try client.send(TestMail().octets).code == 250)
                let text = String(decoding: try #require(server.messages.last).octets, as: UTF8.self)
                #expect(text.contains("[\(address)]"))
            }
            file.listener = []
            let closed = try ProgramUnderTest(file)
            let client = try SMTPTestClient(connecting: closed.port)
            client.socket.write("PROXY TCP4 192.0.2.77 127.0.0.1 40000 25\r\n")
            let first = try client.reply()
            #expect(try first.isPermanent || client.reply().isPermanent)
            #expect(!closed.log.contains("client=192.0.2.77"))
        }

        @Test("XCLIENT counts from a trusted network only")
        func xclient() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.listener = ["xclient_from: [127.0.0.0/8]"]
            let gateway = try ProgramUnderTest(file)
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.command("XCLIENT ADDR=192.0.2.78 NAME=real.example.org").code == 220)
            #expect(try client.command("EHLO real.example.org").code == 250)
            #expect(try client.send(TestMail().octets).code == 250)
            let text = String(decoding: try #require(server.messages.last).octets, as: UTF8.self)
            #expect(text.contains("[192.0.2.78]"))
            file.listener = []
            let closed = try ProgramUnderTest(file)
            #expect(try SMTPTestClient(port: closed.port).command("XCLIENT ADDR=192.0.2.78").isPermanent)
        }
    }

    /// Certificates of the downstream server, and what it hears of the client.
    @Suite(
        "TLS and XCLIENT to Postfix",
        .serialized,
        .enabled(if: PostfixInstance.isAvailable, Comment(rawValue: needsPostfix))
    )
    struct DownstreamSecurity {
        @Test("required TLS is verified: the right name passes, another is refused with 451 4.7.5")
        func requiredTLS() throws {
            let authority = try TestCertificates()
            let other = try TestCertificates(name: "Another")
            // Their files go with them.
            defer { withExtendedLifetime([authority, other]) {} }
            let files = try authority.make(["localhost"])
            let postfix = try PostfixInstance(settings: [
                "smtpd_tls_cert_file = \(files.certificate)", "smtpd_tls_key_file = \(files.privateKey)",
                "smtpd_tls_security_level = encrypt", "smtpd_tls_received_header = yes", "smtpd_tls_loglevel = 1",
            ])
            var file = GatewayFile.bare(downstream: postfix.port)
            file.domain = ["downstream_tls: required", "downstream_tls_ca: \(authority.authority)"]
            file.downstream = ["localhost:\(postfix.port)"]
            let gateway = try ProgramUnderTest(file)
            let mail = TestMail()
            let reply = try SMTPTestClient(port: gateway.port).send(mail.octets)
            #expect(reply.code == 250, "\(reply) \(gateway.log)")
            #expect(try postfix.waitForMessage(mail.id).first?.text.contains("using TLSv1") == true)

            // The address is in no certificate.
            file.downstream = ["127.0.0.1:\(postfix.port)"]
            let wrongName = try ProgramUnderTest(file)
            #expect(try SMTPTestClient(port: wrongName.port).send(TestMail().octets).text.hasPrefix("451 4.7.5"))

            // Nor is this authority to be trusted.
            file.downstream = ["localhost:\(postfix.port)"]
            file.domain = ["downstream_tls: required", "downstream_tls_ca: \(other.authority)"]
            let wrongAuthority = try ProgramUnderTest(file)
            #expect(try SMTPTestClient(port: wrongAuthority.port).send(TestMail().octets).text.hasPrefix("451 4.7.5"))

            // Without verification the same server is good enough.
            file.domain = ["downstream_tls: opportunistic"]
            let opportunistic = try ProgramUnderTest(file)
            #expect(try SMTPTestClient(port: opportunistic.port).send(TestMail().octets).code == 250)
        }

        @Test("required TLS sends nothing to a server without it")
        func noTLSOffered() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.domain = ["downstream_tls: required"]
            let gateway = try ProgramUnderTest(file)
            let reply = try SMTPTestClient(port: gateway.port).send(TestMail().octets)
            #expect(reply.isTransient, "\(reply)")
            #expect(server.commands.allSatisfy { !$0.hasPrefix("MAIL") })
        }

        @Test("Postfix sees the real client by XCLIENT")
        func xclient() throws {
            let postfix = try PostfixInstance(settings: ["smtpd_authorized_xclient_hosts = 127.0.0.0/8"])
            var file = GatewayFile.bare(downstream: postfix.port)
            file.domain += ["downstream_xclient: true"]
            file.listener = ["proxy_protocol_from: [127.0.0.0/8]"]
            let gateway = try ProgramUnderTest(file)
            for address in ["192.0.2.77", "192.0.2.78"] {
                let client = try SMTPTestClient(connecting: gateway.port)
                client.socket.write("PROXY TCP4 \(address) 127.0.0.1 40000 25\r\n")
                #expect(try client.reply().code == 220)
                try client.command("EHLO client.example.org")
                let mail = TestMail()
                let reply = try? client.send(mail.octets)
                try #require(reply?.code == 250, "\(String(describing: reply)) \(gateway.log) \(postfix.log)")
                let text = try #require(try postfix.waitForMessage(mail.id).first).text
                #expect(text.contains("Received: from client.example.org (unknown [\(address)])"), "\(text)")
                #expect(postfix.log.contains("[\(address)]"))
                client.quit()
            }
        }
    }
}
