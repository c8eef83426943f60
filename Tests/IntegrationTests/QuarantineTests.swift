import Foundation
import OutpostTestKit
import Testing

/// A line of `outpost quarantine list --format json`.
struct QuarantineLine: Decodable {
    let id: String
    let kind: String
    let from: String
    let subject: String?

    static func all(_ output: String) throws -> [QuarantineLine] {
        try output.split(separator: "\n").map { try JSONDecoder().decode(QuarantineLine.self, from: Data($0.utf8)) }
    }
}

extension IntegrationTests {
    /// The quarantine's commands beside a running gateway.
    @Suite(
        "Quarantine",
        .serialized,
        .enabled(if: PostfixInstance.isAvailable, Comment(rawValue: needsPostfix)),
        .postfix()
    )
    struct QuarantineCommands {
        private let postfix: PostfixInstance
        private let gateway: ProgramUnderTest
        private let rules: TemporaryDirectory

        init() throws {
            self.postfix = try #require(PostfixInstance.current)
            self.rules = try TemporaryDirectory()
            try self.rules.write(Crashes.holdRule, to: "test.cf")
            var file = GatewayFile(downstream: self.postfix.port)
            file.rules.append(self.rules.path)
            self.gateway = try ProgramUnderTest(file)
        }

        private func quarantine(_ arguments: String...) throws -> ChildProgram.Result {
            try self.gateway.command(["quarantine"] + arguments)
        }

        private func waiting() throws -> [QuarantineLine] {
            try QuarantineLine.all(self.quarantine("list", "--format", "json").output)
        }

        /// Sends a message that is held, and finds it in the list.
        private func hold(_ mail: TestMail = TestMail(subject: "Please hold this")) throws -> (mail: TestMail, id: String) {
            let reply = try SMTPTestClient(port: self.gateway.port).send(mail.octets)
            try #require(reply.code == 250 && reply.text.contains("kept for review"), "\(reply)")
            return (mail, try #require(self.waiting().first).id)
        }

        @Test("a held message is listed, shown, released once and not caught again")
        func release() throws {
            let (mail, id) = try self.hold()
            #expect(self.postfix.delivered().allSatisfy { $0.messageID != "<\(mail.id)>" })
            let list = try self.quarantine("list")
            #expect(list.output.contains("Please hold this") && list.output.contains("ann@sender.example"))
            let shown = try self.quarantine("show", id)
            #expect(shown.output.contains("TEST_HOLD") && shown.output.contains("see you on Friday"))
            #expect(try self.quarantine("show", id, "--raw").output.utf8.elementsEqual(mail.octets))

            let release = try self.quarantine("release", id, "--why", "a false alarm")
            #expect(release.status == 0 && release.output.contains("delivered"), "\(release.output)\(release.errors)")
            let arrived = try self.postfix.waitForMessage(mail.id)
            #expect(arrived.first?.body == TestMail.stored(Array("Dear Bob,\r\nsee you on Friday.\r\n".utf8)))
            let again = try self.quarantine("release", id)
            #expect(again.status == 1 && again.errors.contains("released"), "\(again.status) \(again.errors)")
            #expect(try self.waiting().allSatisfy { $0.id != id })
            #expect(try self.quarantine("show", id).output.contains("a false alarm"))

            // The sender sends it once more.
            let reply = try SMTPTestClient(port: self.gateway.port).send(mail.octets)
            #expect(reply.code == 250 && !reply.text.contains("kept for review"), "\(reply)")
            try Wait.until("two copies in all") {
                self.postfix.delivered(to: "bob").count { $0.messageID == "<\(mail.id)>" } == 2
            }
            try self.postfix.waitForEmptyQueue()
            #expect(self.postfix.delivered(to: "bob").count { $0.messageID == "<\(mail.id)>" } == 2)
        }

        @Test("a release to a recipient that is gone says so, and the message stays")
        func refusedRelease() throws {
            let (mail, id) = try self.hold()
            let release = try self.quarantine("release", id, "--to", "nobody@example.com")
            #expect(release.status == 1, "\(release.output)\(release.errors)")
            #expect(release.output.contains("User unknown"), "\(release.output)\(release.errors)")
            #expect(try self.waiting().contains { $0.id == id })
            #expect(try self.quarantine("release", id).status == 0)
            #expect(try self.postfix.waitForMessage(mail.id).count == 1)
        }

        @Test("delete, export, search and purge do what they say")
        func otherCommands() throws {
            let (mail, id) = try self.hold(TestMail(subject: "hold this for the export"))
            let out = try TemporaryDirectory()
            #expect(try self.quarantine("export", id, "--output", out.path + "/m.eml").status == 0)
            #expect(try Fixture.bytes(out.url.appending(path: "m.eml")) == mail.octets)
            #expect(try self.quarantine("search", "export").output.contains("for the export"))
            #expect(try self.quarantine("search", "never-there").status == 1)
            #expect(try self.quarantine("delete", id).status == 64, "nobody is there to ask")
            #expect(try self.quarantine("delete", id, "--yes").status == 0)
            #expect(try self.waiting().isEmpty)
            #expect(try self.quarantine("release", id).status == 1)
            #expect(try self.quarantine("show", "0000000000zz").status != 0)

            let refused = TestMail(text: TestMail.gtube + "\r\n")
            #expect(try SMTPTestClient(port: self.gateway.port).send(refused.octets).isPermanent)
            try Wait.until("a copy of the refused message") {
                try !self.quarantine("list", "--kind", "rejected", "--state", "all").output.isEmpty
            }
            #expect(try self.quarantine("purge", "--all-rejected").output.contains("1 message removed"))
            #expect(try self.quarantine("list", "--kind", "rejected", "--state", "all").output.contains("GTUBE") == false)
        }

        @Test(
            "the review shows the list and q quits",
            .enabled(if: ChildProgram.installed("tmux") != nil, "tmux is not installed")
        )
        func review() throws {
            _ = try self.hold()
            let directory = try TemporaryDirectory()
            let tmux = { (arguments: [String]) in
                try ChildProgram.run(
                    ChildProgram.installed("tmux") ?? "tmux",
                    ["-f", "/dev/null", "-S", directory.path + "/tmux"] + arguments,
                    environment: ["TERM": "xterm-256color"]
                )
            }
            let review = "'\(ProgramUnderTest.path)' quarantine review --config '\(self.gateway.configuration)'"
            // The server of tmux lives on in the background with what this process gave it.
            let screen = try ChildProgram(
                ChildProgram.installed("tmux") ?? "tmux",
                [
                    "-f", "/dev/null", "-S", directory.path + "/tmux", "new-session", "-d", "-x", "100", "-y", "30",
                    "\(review); echo status=$?; read end",
                ],
                environment: ["TERM": "xterm-256color"],
                log: directory.path + "/log"
            )
            try Wait.until("the list on the screen") {
                let text = try tmux(["capture-pane", "-p"]).output
                return text.contains("Please hold this") && text.contains("TEST_HOLD")
            }
            _ = try tmux(["send-keys", "q"])
            try Wait.until("the end of the review") { try tmux(["capture-pane", "-p"]).output.contains("status=0") }
            // The last window's end is the end of tmux.
            _ = try tmux(["send-keys", "Enter"])
            #expect(screen.waitForExit() == 0)
        }
    }
}
