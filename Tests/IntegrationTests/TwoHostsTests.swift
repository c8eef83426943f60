import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// Gateway and Postfix as they stand in life: two hosts with a network between them.
    @Suite(
        "Two hosts",
        .serialized,
        .enabled(if: PostfixInstance.isAvailable, Comment(rawValue: needsPostfix)),
        .enabled(if: TwoHosts.isPermitted, "network namespaces are not permitted here")
    )
    struct TwoHostsTests {
        /// Senders side by side, each with one message after another until the file `stop` is there. A line for each message with
        /// its name and what was said about it.
        private static let load = """
            import os, smtplib, sys, threading, uuid
            address, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
            out = os.open(directory + "/told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            def send(sender):
                for number in range(400):
                    if os.path.exists(directory + "/stop"): return
                    name = f"{uuid.uuid4()}@load.example"
                    text = f"From: <u{sender}@example.com>\\r\\nMessage-ID: <{name}>\\r\\nSubject: load\\r\\n\\r\\nText\\r\\n"
                    try:
                        with smtplib.SMTP(address, port, timeout=20) as client:
                            client.sendmail(f"u{sender}@example.com", [f"u{number % 40}@example.com"], text)
                            code = 250
                    except smtplib.SMTPResponseException as error: code = error.smtp_code
                    except smtplib.SMTPRecipientsRefused as error: code = list(error.recipients.values())[0][0]
                    os.write(out, f"{name} {code}\\n".encode())
            for number in range(3):
                with smtplib.SMTP(address, port, timeout=20) as client:
                    client.sendmail(f"u{70 + number}@example.com", ["x@away.example"], "Subject: lost\\r\\n\\r\\nText\\r\\n")
            threads = [threading.Thread(target=send, args=(sender,)) for sender in range(60, 65)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            """

        /// What Python's `email` makes of a notice: its defects, and whom it is about.
        private static let reader = """
            import email, email.policy, sys
            m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
            report = [p for p in m.walk() if p.get_content_type() == "message/delivery-status"][0].get_payload()
            print(m.get_content_type(), sum(len(p.defects) for p in m.walk()), report[1]["action"], report[1]["final-recipient"])
            """

        private func configuration(_ hosts: TwoHosts, _ postfix: PostfixInstance, port: Int, data: String) -> String {
            var file = GatewayFile.bare(downstream: postfix.port)
            file.listenerAddress = hosts.first.address
            file.downstream = ["\(hosts.second.address):\(postfix.port)"]
            file.domain += [
                "downstream_connect_timeout: 2s", "downstream_reply_timeout: 5s", "when_downstream_is_away: spool",
            ]
            file.top = ["spool: {expire_after: 25s, delay_warning_after: 0s}"]
            // Nothing listens there.
            let away = """
                domains:
                  - names: [away.example]
                    downstream: ["\(hosts.second.address):9"]
                    downstream_tls: none
                    downstream_connect_timeout: 2s
                    when_downstream_is_away: spool
                """
            return file.text(port: port, data: data).replacing("domains:", with: away)
        }

        @Test("Postfix stops under load and comes back: all that was accepted arrives once, and what expires is told of once")
        func outage() throws {
            let hosts = try TwoHosts()
            // They outlive what runs on them.
            defer { withExtendedLifetime(hosts) {} }
            let postfix = try PostfixInstance(on: hosts.second)
            defer { try? postfix.stop() }
            let directory = try TemporaryDirectory()
            let port = 2_525
            let text = self.configuration(hosts, postfix, port: port, data: directory.path + "/data")
            let configuration = try directory.write(text, to: "outpost.yaml")
            let gateway = try ChildProgram(
                TwoHosts.ip,
                hosts.first.command(ProgramUnderTest.path, ["serve", "--config", configuration]),
                log: directory.path + "/log"
            )
            defer { gateway.stop() }
            try Wait.until("the gateway") { hosts.first.hasListener(at: hosts.first.address, port: port) || !gateway.isRunning }

            let load = try ChildProgram(
                TwoHosts.ip,
                hosts.first.command("/usr/bin/python3", ["-c", Self.load, hosts.first.address, "\(port)", directory.path]),
                log: directory.path + "/load"
            )
            defer { load.stop() }
            func told() -> [(id: String, code: Int)] {
                let octets = FileManager.default.contents(atPath: directory.path + "/told") ?? Data()
                return String(decoding: octets, as: UTF8.self).split(separator: "\n").compactMap { line in
                    let words = line.split(separator: " ")
                    return words.count == 2 ? Int(words[1]).map { (String(words[0]), $0) } : nil
                }
            }
            func waitForMore(_ count: Int) throws {
                let before = told().count
                try Wait.until("\(count) more messages") { told().count >= before + count || !load.isRunning }
            }
            try waitForMore(100)
            try postfix.abort()
            try waitForMore(150)
            try postfix.start()
            try waitForMore(100)
            try directory.write("", to: "stop")
            #expect(load.waitForExit(.seconds(30)) == 0, "\(load.logText)")

            let accepted = Set(told().filter { $0.code == 250 }.map(\.id))
            #expect(accepted.count >= 300)
            #expect(told().allSatisfy { $0.code == 250 || $0.code / 100 == 4 }, "\(Set(told().map(\.code)))")
            var taken: [String: Set<String>] = [:]
            var notices: [PostfixInstance.Delivered] = []
            try Wait.until("delivery of all that was accepted, and of the notices", within: .seconds(60)) {
                taken = [:]
                let delivered = postfix.delivered()
                for message in delivered {
                    guard let id = message.messageID, let name = message.queueID else { continue }
                    taken[String(id.dropFirst().dropLast()), default: []].insert(name)
                }
                notices = delivered.filter { ["u70", "u71", "u72"].contains($0.mailbox) }
                return accepted.isSubset(of: Set(taken.keys)) && notices.count >= 3
            }
            let doubled = accepted.filter { taken[$0]?.count != 1 }
            #expect(doubled.isEmpty, "\(doubled)")
            try Wait.until("an empty spool") {
                try ProgramUnderTest.run(["queue", "list", "--format", "json", "--config", configuration]).output.isEmpty
            }
            #expect(postfix.delivered().filter { ["u70", "u71", "u72"].contains($0.mailbox) }.count == 3)
            #expect(Set(notices.map(\.mailbox)).count == 3)
            for notice in notices {
                let read = try ChildProgram.run("/usr/bin/python3", ["-c", Self.reader], input: notice.octets)
                #expect(read.output == "multipart/report 0 failed rfc822; x@away.example\n", "\(read)")
            }
        }
    }
}
