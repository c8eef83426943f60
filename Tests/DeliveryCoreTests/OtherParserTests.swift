import DeliveryCore
import Foundation
import MailTypes
import OutpostTestKit
import Testing

private let python = "/usr/bin/python3"

/// Notices as a parser that is not ours reads them.
@Suite(
    "Delivery status notifications, read by Python",
    .enabled(if: FileManager.default.isExecutableFile(atPath: python), "needs /usr/bin/python3")
)
struct OtherParserTests {
    /// Prints the content types with their defects, and the fields of each group of the report.
    private static let script = """
        import email, email.policy, sys
        message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default.clone(utf8=True))
        sys.stdout.reconfigure(errors="surrogateescape")
        def show(part, depth):
            defects = list(part.defects)
            for value in part.values():
                defects += value.defects
            print("  " * depth + part.get_content_type(), defects)
            if part.is_multipart() and part.get_content_type() != "message/delivery-status":
                for child in part.iter_parts() if part.get_content_maintype() == "multipart" else part.get_payload():
                    show(child, depth + 1)
        show(message, 0)
        print(message["From"].addresses[0].addr_spec, message["To"].addresses[0].addr_spec, message["Auto-Submitted"])
        status = message.get_payload()[1]
        if status.get_content_type() == "message/delivery-status":
            for group in status.get_payload():
                print(sorted(group.keys()))
                print(group["Final-Recipient"], group["Action"], group["Status"], group["Diagnostic-Code"])
        else:
            print("Final-Recipient: utf-8; " in status.as_bytes().decode())
        """

    private func read(_ name: String) throws -> [String] {
        let status = try #require(StatusSample.golden.first { $0.name == name }).status
        let result = try ChildProgram.run(
            python,
            ["-c", Self.script],
            input: status.composed().bytes,
            environment: ["PYTHONIOENCODING": "utf-8"]
        )
        #expect(result.status == 0, "\(result.errors)")
        return result.output.split(separator: "\n").map(String.init)
    }

    @Test("a failure with the message")
    func whole() throws {
        #expect(
            try self.read("failed-whole") == [
                "multipart/report []", "  text/plain []", "  message/delivery-status []", "  message/rfc822 []",
                "    text/plain []",
                "postmaster@mx2.example.net alice@example.org auto-replied",
                "['Arrival-Date', 'Original-Envelope-Id', 'Reporting-MTA']", "None None None None",
                "['Action', 'Diagnostic-Code', 'Final-Log-ID', 'Final-Recipient', 'Last-Attempt-Date', 'Original-Recipient', "
                    + "'Remote-MTA', 'Status']",
                "rfc822; bob@example.net failed 5.1.1 smtp; 550 5.1.1 User unknown in this place / ask the postmaster of it",
                "['Action', 'Diagnostic-Code', 'Final-Log-ID', 'Final-Recipient', 'Status']",
                "rfc822; carol@example.net failed 4.4.7 X-Outpost; no connection to the downstream server: connection timed out",
            ]
        )
    }

    @Test(
        "the other kinds",
        arguments: [
            ("failed-header", "rfc822; bob@example.net failed 5.1.1 "), ("delayed", "rfc822; carol@example.net delayed 4.3.2 "),
            ("relayed", "rfc822; bob@example.net relayed 2.0.0 "), ("long-lines", "rfc822; carol@example.net failed 4.4.7 "),
        ]
    )
    func others(name: String, start: String) throws {
        let lines = try self.read(name)
        #expect(
            Array(lines.prefix(4)) == [
                "multipart/report []", "  text/plain []", "  message/delivery-status []", "  text/rfc822-headers []",
            ]
        )
        #expect(lines.last?.hasPrefix(start) ?? false, "\(lines)")
    }

    @Test("international addresses")
    func international() throws {
        let lines = try self.read("international")
        // Python takes header fields in UTF-8 (RFC 6532) for a defect; there is none in the structure.
        let defects = lines.flatMap { $0.matches(of: /\w+Defect/).map { String($0.output) } }
        #expect(Set(defects).isSubset(of: ["NonASCIILocalPartDefect", "UndecodableBytesDefect"]), "\(lines)")
        #expect(lines.contains("  message/global-delivery-status []") && lines.contains("  message/global []"))
        #expect(lines.contains("postmaster@mx2.example.net ålice@example.org auto-replied") && lines.last == "True")
    }
}
