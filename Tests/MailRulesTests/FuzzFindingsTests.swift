import Foundation
import MailMessage
import MailRules
import MailTypes
import OutpostTestKit
import Testing

@Suite("Inputs that fuzzing found, or might")
struct FuzzFindingsTests {
    private static func inputs(_ target: String) -> [URL] {
        Fixture.files("fuzz/\(target)", suffix: "").filter { !$0.hasDirectoryPath }
    }

    @Test("Rule files", arguments: inputs("rules"))
    func rules(file: URL) throws {
        let problems = RuleCompiler().compile([RuleSource(file: "fuzz.cf", bytes: try Fixture.bytes(file))]).problems
        #expect(problems.contains { $0.severity == .error })
    }

    @Test("Messages and HTML", arguments: inputs("message") + inputs("html"))
    func messages(file: URL) throws {
        var bytes = try Fixture.bytes(file)
        if file.deletingLastPathComponent().lastPathComponent == "html" {
            bytes = Array("Content-Type: text/html\r\n\r\n".utf8) + bytes
        }
        let message = ParsedMessage(bytes)
        for part in message.parts { #expect(message.content(of: part).count <= bytes.count * 4) }
        let text = MessageText(message)
        #expect(text.body.count + text.visibleBody.count + text.uris.count < bytes.count + 10)
    }

    @Test("Attachments", arguments: inputs("attachment"))
    func attachments(file: URL) throws {
        #expect(AttachmentContent(try Fixture.bytes(file)).members.count <= AttachmentContent.maximumMembers)
    }
}
