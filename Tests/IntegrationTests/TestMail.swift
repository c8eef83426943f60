import Foundation
import OutpostTestKit

/// Messages for the tests. What scanners find is made here from halves: it stands in clear in no file of the repository.
struct TestMail {
    let id: String
    let octets: [UInt8]

    /// - Parameter body: the octets behind the header, or behind the fields that `fields` ends with.
    init(subject: String = "Minutes of the meeting", fields: [String] = [], body: [UInt8]) {
        self.id = "\(UUID().uuidString)@sender.example"
        let header = [
            "From: Ann Example <ann@sender.example>", "To: Bob <bob@example.com>", "Subject: \(subject)",
            "Date: Mon, 23 Nov 2026 10:00:00 +0000", "Message-ID: <\(self.id)>", "MIME-Version: 1.0",
        ]
        self.octets = Array(((header + fields).joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    init(subject: String = "Minutes of the meeting", text: String = "Dear Bob,\r\nsee you on Friday.\r\n") {
        self.init(subject: subject, body: Array(text.utf8))
    }

    /// A message with one attachment in base64.
    init(subject: String = "Minutes of the meeting", attachment: [UInt8], name: String) {
        let text = """
            --seam
            Content-Type: text/plain

            The file is attached.
            --seam
            Content-Type: application/octet-stream; name="\(name)"
            Content-Disposition: attachment; filename="\(name)"
            Content-Transfer-Encoding: base64

            \(Data(attachment).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed]))
            --seam--

            """
        self.init(
            subject: subject,
            fields: ["Content-Type: multipart/mixed; boundary=seam"],
            body: Array(text.replacing("\n", with: "\r\n").utf8)
        )
    }

    /// The body as Postfix stores it: lines end with LF, and the last one ends.
    static func stored(_ body: [UInt8]) -> [UInt8] {
        let octets = body.replacing([0x0d, 0x0a], with: [0x0a])
        return octets.isEmpty || octets.last == 0x0a ? octets : octets + [0x0a]
    }

    /// The harmless file that every scanner finds.
    static let eicar = Array(
        (["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD", "ANTIVIRUS-TEST-FILE!$H+H*"].joined(separator: "-")).utf8
    )

    /// The text that every junk filter refuses.
    static let gtube = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD", "ANTI-UBE-TEST-EMAIL*C.34X"].joined(separator: "-")

    /// One of `Fixtures/samples` as a mail client sends it, with the harmless file in its place.
    static func sample(_ name: String) throws -> [UInt8] {
        try Fixture.bytes(Fixture.directory.appending(path: "samples/\(name)"))
            .replacing([0x0d, 0x0a], with: [0x0a]).replacing([0x0a], with: [0x0d, 0x0a])
            .replacing(Array("@EICAR-BASE64@".utf8), with: Array(Data(self.eicar).base64EncodedString().utf8))
    }

    static let canZip = ChildProgram.installed("zip") != nil

    /// An archive with one file. What follows the octets makes packing worth while, so that they do not lie in it as they are.
    static func zip(_ octets: [UInt8], name: String) throws -> [UInt8] {
        let directory = try TemporaryDirectory()
        let padding = [UInt8](repeating: UInt8(ascii: " "), count: 2_000)
        try Data(octets + padding).write(to: directory.url.appending(path: name))
        let result = try ChildProgram.run(
            ChildProgram.installed("zip") ?? "zip",
            ["-q", "-9", "out.zip", name],
            directory: directory.path
        )
        guard result.status == 0 else { throw ChildProgram.Failure("zip: \(result.output)\(result.errors)") }
        return try Fixture.bytes(directory.url.appending(path: "out.zip"))
    }
}
