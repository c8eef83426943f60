import Foundation
import Glibc
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// Second messages hidden in the first one's text. This Postfix believes in lone line feeds: a gateway that lets one pass
    /// is found out.
    @Suite(
        "SMTP smuggling",
        .serialized,
        .enabled(if: PostfixInstance.isAvailable, Comment(rawValue: needsPostfix)),
        .postfix("smtpd_forbid_bare_newline = no", "smtpd_forbid_unauth_pipelining = no")
    )
    struct Smuggling {
        private static let ends = [
            "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r", "\n\r.\r\n", "\r\r\n.\r\r\n",
            "\r\n\0.\r\n",
            "\r\n.\0\r\n", "\n\n.\r\n", "\r\n.\n\r", "\r\n\r.\r\n", "\r\n.\r\r\n", "\r\n \r\n.\u{b}\r\n",
            "\r\n\0.\0\r\n", "\r\n.\r\0\n", "\0\n.\n", "\r\n. \r\n", "\r\n .\r\n", "\r\n.\t\r\n",
            "\u{85}.\u{85}", "\u{2028}.\u{2028}", "\u{b}.\u{b}", "\u{c}.\u{c}",
            // Doubled as senders double dots: undone before a lone line end, a server would make an end of it.
            "\n..\n", "\n..\r\n", "\r\n..\n", "\r..\r", "\r..\r\n", "\r\n..\r", "\r\n..\r\n", "\r\n...\r\n",
        ]

        @Test("no false end of data yields a second message", arguments: ["refuse", "accept"])
        func falseEnds(bareLineEnds: String) throws {
            let postfix = try #require(PostfixInstance.current)
            var file = GatewayFile.bare(downstream: postfix.port)
            file.limits += ["bare_line_ends: \(bareLineEnds)"]
            let gateway = try ProgramUnderTest(file)
            for end in Self.ends {
                for pieces in [false, true] {
                    let mail = TestMail(text: "first")
                    let client = try SMTPTestClient(port: gateway.port)
                    #expect(try client.begin().code == 354)
                    let second =
                        "MAIL FROM:<evil@sender.example>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\n"
                        + "Message-ID: <evil-\(mail.id)>\r\n\r\nsmuggled\r\n.\r\n"
                    client.socket.write(mail.octets)
                    if pieces {
                        for octet in end.utf8 {
                            client.socket.write([octet])
                            // Lets the octet leave in a packet of its own.
                            usleep(300)
                        }
                        client.socket.write(second)
                    } else {
                        client.socket.write(end + second)
                    }
                    let reply = try client.reply()
                    #expect(reply.code == 250 || reply.isPermanent, "\(end.debugDescription): \(reply)")
                    let isBare = Array(end.utf8).replacing([0x0d, 0x0a], with: []).contains { [0x0d, 0x0a].contains($0) }
                    if bareLineEnds == "refuse", isBare { #expect(reply.isPermanent, "\(end.debugDescription): \(reply)") }
                    // The connection is in step: one answer for one message.
                    #expect(try client.command("NOOP").code == 250, "\(end.debugDescription)")
                    client.quit()
                }
            }
            let last = TestMail()
            #expect(try SMTPTestClient(port: gateway.port).send(last.octets).code == 250)
            _ = try postfix.waitForMessage(last.id)
            try postfix.waitForEmptyQueue()
            #expect(postfix.delivered(to: "eve").isEmpty)
            #expect(!postfix.log.contains("from=<evil@sender.example>"))
            #expect(!gateway.log.contains("from=<evil@sender.example>"))
        }

        /// In a chunk the true end mark is text as well.
        private static let chunkEnds = ends + ["\r\n.\r\n", "\r\n.\r\n.\r\n", "\r\n..\r\n.\r\n"]

        @Test(
            "no end of data in a chunk yields a second message, nor one that is cut over two chunks",
            arguments: ["refuse", "accept"]
        )
        func falseEndsInChunks(bareLineEnds: String) throws {
            let postfix = try #require(PostfixInstance.current)
            var file = GatewayFile.bare(downstream: postfix.port)
            file.limits += ["bare_line_ends: \(bareLineEnds)"]
            let gateway = try ProgramUnderTest(file)
            var taken: [String] = []
            for end in Self.chunkEnds {
                // The whole in one chunk, and cut behind each octet of the end.
                for cut in [nil] + (0...end.utf8.count).map(Optional.some) {
                    let mail = TestMail(text: "first")
                    let client = try SMTPTestClient(port: gateway.port)
                    #expect(try client.command("MAIL FROM:<ann@sender.example> BODY=8BITMIME").code == 250)
                    #expect(try client.command("RCPT TO:<bob@example.com>").code == 250)
                    let second =
                        "MAIL FROM:<evil@sender.example>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\n"
                        + "Message-ID: <evil-\(mail.id)>\r\n\r\nsmuggled\r\n"
                    let octets = mail.octets + Array((end + second).utf8)
                    let lengths = cut.map { [mail.octets.count + $0, octets.count - mail.octets.count - $0] } ?? [octets.count]
                    var start = 0
                    var last: SMTPTestClient.Reply?
                    for (index, length) in lengths.enumerated() {
                        client.socket.write("BDAT \(length)\(index == lengths.count - 1 ? " LAST" : "")\r\n")
                        client.socket.write(Array(octets[start..<(start + length)]))
                        start += length
                        let reply = try client.reply()
                        last = reply
                        if !reply.isPositive { break }
                    }
                    let reply = try #require(last)
                    #expect(reply.code == 250 || reply.isPermanent, "\(end.debugDescription) \(cut ?? -1): \(reply)")
                    if reply.code == 250 { taken.append(mail.id) }
                    let isBare = Array(end.utf8).replacing([0x0d, 0x0a], with: []).contains { [0x0d, 0x0a].contains($0) }
                    if bareLineEnds == "refuse", isBare { #expect(reply.isPermanent, "\(end.debugDescription): \(reply)") }
                    client.quit()
                }
            }
            #expect(!taken.isEmpty)
            for id in taken { #expect(try postfix.waitForMessage(id).count == 1, "\(id)") }
            try postfix.waitForEmptyQueue()
            #expect(postfix.delivered(to: "eve").isEmpty)
            #expect(!postfix.log.contains("from=<evil@sender.example>"))
            #expect(!gateway.log.contains("from=<evil@sender.example>"))
        }

        @Test(
            "what is sent in the clear behind STARTTLS yields nothing",
            .enabled(if: ChildProgram.installed("python3") != nil, "python3 is not installed")
        )
        func injectedPlaintext() throws {
            let postfix = try #require(PostfixInstance.current)
            let certificate = try TestCertificates.shared.get().make(["gateway.example.com"])
            var file = GatewayFile.bare(downstream: postfix.port)
            file.listener = ["tls: {certificate: \(certificate.certificate), private_key: \(certificate.privateKey)}"]
            let gateway = try ProgramUnderTest(file)
            let script = """
                import socket, ssl, sys
                s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
                f = s.makefile("rb")
                def reply(f):
                    lines = []
                    while True:
                        line = f.readline().decode(); lines.append(line.rstrip())
                        if line[3:4] != "-": return lines
                def step(s, f, line): s.sendall(line + b"\\r\\n"); return reply(f)
                reply(f); step(s, f, b"EHLO client.example.org")
                s.sendall(b"STARTTLS\\r\\nMAIL FROM:<evil@sender.example>\\r\\nRCPT TO:<eve@example.com>\\r\\nDATA\\r\\n")
                print(reply(f)[-1][:3])
                print(len(f.read()))
                s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
                f = s.makefile("rb")
                reply(f); step(s, f, b"EHLO client.example.org")
                print(step(s, f, b"STARTTLS")[-1][:3])
                c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
                t = c.wrap_socket(s); g = t.makefile("rb")
                print(step(t, g, b"RCPT TO:<eve@example.com>")[-1][:3])
                print("STARTTLS" in " ".join(step(t, g, b"EHLO again.example.org")))
                print(step(t, g, b"RCPT TO:<eve@example.com>")[-1][:3])
                for line in (b"MAIL FROM:<ann@sender.example>", b"RCPT TO:<bob@example.com>", b"DATA"): reply_line = step(t, g, line)
                print(step(t, g, b"Subject: secret\\r\\n\\r\\ntext\\r\\n.")[-1][:3])
                print(step(t, g, b"QUIT")[-1][:3])
                """
            // Refused and closed without another word; and what was said before the handshake is forgotten.
            let wanted: [Substring] = ["554", "0", "220", "503", "False", "503", "250", "221"]
            let result = try ChildProgram.run(
                ChildProgram.installed("python3") ?? "python3",
                ["-c", script, "\(gateway.port)"]
            )
            #expect(result.output.split(separator: "\n") == wanted, "\(result.errors)")
            #expect(!gateway.log.contains("evil@sender.example"))
        }
    }
}
