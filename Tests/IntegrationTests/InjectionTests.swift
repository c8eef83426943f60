import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// What clients and messages say, where people and programs read it: the log, listings, what is passed on.
    @Suite("Injection", .serialized)
    struct Injection {
        /// A title for the terminal, colours, a hyperlink, a bell, and line ends that Unicode has.
        private static let hostile = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\u{85}\u{2028}disposition=deliver"

        private static func controls(_ text: String) -> [Unicode.Scalar] {
            text.unicodeScalars.filter { scalar in
                switch scalar.properties.generalCategory {
                case .control: scalar != "\n"
                case .lineSeparator, .paragraphSeparator: true
                default: false
                }
            }
        }

        @Test("nothing that a message says moves the cursor, begins a line or ends a field", arguments: ["text", "json"])
        func everywhere(format: String) throws {
            let rules = try TemporaryDirectory()
            try rules.write(Crashes.holdRule, to: "test.cf")
            let server = try RecordingMailServer()
            var file = GatewayFile(downstream: server.port)
            file.rules = [rules.path]
            file.antivirus = ["engine: none"]
            file.top = ["log: {format: \(format)}"]
            let gateway = try ProgramUnderTest(file)
            let client = try SMTPTestClient(port: gateway.port, helo: "evil)(\u{22}x=y;\\")
            let encoded = Data(Self.hostile.utf8).base64EncodedString()
            let message =
                "From: \(Self.hostile) <ann@sender.example>\r\nTo: bob@example.com\r\n"
                + "Subject: hold this \(Self.hostile) =?utf-8?B?\(encoded)?=\r\n\r\n\(Self.hostile)\r\n"
            let reply = try client.send(Array(message.utf8), from: "\"a b\\\\\\\" disposition=deliver\"@sender.example")
            #expect(reply.code == 250 && reply.text.contains("kept for review"), "\(reply)")
            client.quit()
            try gateway.waitForLog("kept for review")
            #expect(Self.controls(gateway.log) == [])
            for line in gateway.log.split(separator: "\n") {
                if format == "json" { #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) } }
                // No line begins with what somebody else said.
                #expect(!line.hasPrefix("disposition") && !line.hasPrefix("red"), "\(line)")
            }
            let list = try gateway.command(["quarantine", "list"]).output
            #expect(list.contains("hold this"))
            #expect(Self.controls(list) == [])
            let id = try #require(QuarantineLine.all(gateway.command(["quarantine", "list", "--format", "json"]).output).first).id
            for arguments in [
                ["quarantine", "list", "--format", "json"], ["quarantine", "show", id], ["quarantine", "search", "hold"],
            ] {
                let result = try gateway.command(arguments)
                #expect(result.status == 0, "\(arguments): \(result.errors)")
                #expect(Self.controls(result.output) == [], "\(arguments)")
            }
            #expect(server.messages.isEmpty)
        }
    }
}
