import Foundation
import MailMessage
import MailTypes
import OpenSSLKit
import OutpostTestKit
import SenderAuth
import Testing

/// Signatures that other implementations make here and now, in each form there is: they verify, and no longer do when something
/// that they cover is changed.
@Suite("Signatures of other implementations")
struct InteroperabilityTests {
    struct Form: Sendable, CustomTestStringConvertible {
        var isEd25519: Bool
        var header: String
        var body: String

        var algorithm: String { self.isEd25519 ? "ed25519-sha256" : "rsa-sha256" }
        var testDescription: String { "\(self.algorithm) \(self.header)/\(self.body)" }

        static let all = [false, true].flatMap { isEd25519 in
            ["simple", "relaxed"].flatMap { header in
                ["simple", "relaxed"].map { Form(isEd25519: isEd25519, header: header, body: $0) }
            }
        }
    }

    private static let opendkim = "/usr/sbin/opendkim"
    private static let dkimsign = "/usr/bin/dkimsign"
    private static let openssl = "/usr/bin/openssl"

    /// With what canonicalization is about: white space in all places, a folded field, a name in capitals, empty lines at the end.
    private static let message = [
        "From: Ann  <ann@signer.example>", "TO:bob@example.com", "Subject: a  word", "\tthat goes \t on ", "X-Empty:",
        "Date: Mon, 23 Nov 2026 10:00:00 +0000", "Message-ID: <1@signer.example>", "", "Text  of\ttwo \t ", "", " lines.", "", "",
        "",
    ]

    private let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func bytes(lineEnd: String) -> [UInt8] { Array(Self.message.joined(separator: lineEnd).utf8) }

    /// The private key's file in PEM, and what the DNS has of it.
    private func makeKey(_ form: Form) throws -> (file: String, record: String) {
        let file = self.directory.path + "/key.pem"
        // PKCS #1 is what all of them read.
        let arguments =
            form.isEd25519
            ? ["genpkey", "-algorithm", "ed25519", "-out", file] : ["genrsa", "-traditional", "-out", file, "2048"]
        #expect(try ChildProgram.run(Self.openssl, arguments).status == 0)
        let pem = try ChildProgram.run(Self.openssl, ["pkey", "-in", file, "-pubout"]).output
        let der = pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
        guard form.isEd25519 else { return (file, "v=DKIM1; k=rsa; p=\(der)") }
        // The 32 octets at the end are the key (RFC 8463 §4).
        let key = try #require(Data(base64Encoded: der)).suffix(32)
        return (file, "v=DKIM1; k=ed25519; p=\(key.base64EncodedString())")
    }

    private func verify(_ message: [UInt8], _ record: String) async throws -> [DKIMFinding] {
        let name = try #require(DNSName("s1._domainkey.signer.example"))
        let zone = ZoneResolver(zone: [name: [.record(.txt, .text([Array(record.utf8)]))]])
        let time = Int(Date().timeIntervalSince1970)
        return await DKIMVerifier(resolver: zone, time: time).verify(SignedMessage(ParsedMessage(message)))
    }

    private func check(_ signed: [UInt8], _ record: String, _ form: Form) async throws {
        let findings = try await self.verify(signed, record)
        #expect(findings.map(\.result) == [.pass], "\(findings)")
        #expect(findings.first?.algorithm == form.algorithm)
        #expect(findings.first?.domain == "signer.example")
        let text = String(decoding: signed, as: UTF8.self)
        for (from, to) in [("Text  of", "Text  on"), ("a  word", "a  ward"), ("ann@signer", "anna@signer")] {
            let changed = text.replacing(from, with: to)
            #expect(changed != text)
            #expect(try await self.verify(Array(changed.utf8), record).map(\.result) == [.fail], "\(from)")
        }
        // What the form lets go by, and what it does not.
        let spaced = text.replacing("Text  of\ttwo", with: "Text of two")
        #expect(try await self.verify(Array(spaced.utf8), record).map(\.result) == [form.body == "relaxed" ? .pass : .fail])
        let refolded = text.replacing("Subject: a  word\r\n\tthat", with: "subject:a word that")
        #expect(try await self.verify(Array(refolded.utf8), record).map(\.result) == [form.header == "relaxed" ? .pass : .fail])
        let longer = text + "\r\n\r\n"
        #expect(try await self.verify(Array(longer.utf8), record).map(\.result) == [.pass])
    }

    @Test(
        "OpenDKIM",
        .enabled(if: [opendkim, openssl].allSatisfy(FileManager.default.isExecutableFile), "needs opendkim, openssl"),
        // What OpenDKIM 2.11.0 makes of Ed25519 with simple headers does not verify with OpenDKIM itself, nor with dkimpy.
        arguments: Form.all.filter { !$0.isEd25519 || $0.header == "relaxed" }
    )
    func openDKIM(form: Form) async throws {
        let key = try self.makeKey(form)
        let settings = try self.directory.write(
            """
            Mode s
            Domain signer.example
            Selector s1
            KeyFile \(key.file)
            InternalHosts 0.0.0.0/0
            Canonicalization \(form.header)/\(form.body)
            SignatureAlgorithm \(form.algorithm)
            RequireSafeKeys no
            Syslog no

            """,
            to: "opendkim.conf"
        )
        let file = self.directory.path + "/message"
        // Its test mode puts a space behind each colon that has none.
        let plain = String(decoding: self.bytes(lineEnd: "\n"), as: UTF8.self).replacing("TO:bob", with: "TO: bob")
        try Data(plain.utf8).write(to: URL(filePath: file))
        // In its test mode it says which field it would insert.
        let result = try ChildProgram.run(Self.opendkim, ["-x", settings, "-vv", "-t", file])
        let start = try #require(result.output.range(of: "hname='DKIM-Signature' hvalue='"), "\(result.output) \(result.errors)")
        let rest = result.output[start.upperBound...]
        let end = try #require(rest.range(of: "'\n") ?? rest.range(of: "'", options: .backwards))
        let value = rest[..<end.lowerBound].replacing("\n", with: "\r\n")
        let signed = "DKIM-Signature: \(value)\r\n" + plain.replacing("\n", with: "\r\n")
        try await self.check(Array(signed.utf8), key.record, form)
    }

    /// Ed25519 needs Debian's python3-nacl beside python3-dkim.
    private static let hasNaCl = (try? ChildProgram.run("/usr/bin/python3", ["-c", "import nacl.signing"]).status) == 0

    @Test(
        "dkimpy",
        .enabled(if: [dkimsign, openssl].allSatisfy(FileManager.default.isExecutableFile), "needs python3-dkim, openssl"),
        arguments: Form.all.filter { !$0.isEd25519 || hasNaCl }
    )
    func dkimpy(form: Form) async throws {
        let key = try self.makeKey(form)
        var file = key.file
        if form.isEd25519 {
            // It wants the 32 octets of the seed alone, in base 64.
            let der = try ChildProgram.run(Self.openssl, ["pkey", "-in", file]).output.split(separator: "\n")
                .filter { !$0.hasPrefix("-----") }.joined()
            file = try self.directory.write(
                try #require(Data(base64Encoded: der)).suffix(32).base64EncodedString(),
                to: "key.seed"
            )
        }
        let result = try ChildProgram.run(
            Self.dkimsign,
            ["--hcanon", form.header, "--bcanon", form.body, "--signalg", form.algorithm, "--identity", "ann@signer.example"]
                + ["s1", "signer.example", file],
            input: self.bytes(lineEnd: "\r\n")
        )
        #expect(result.status == 0, "\(result.errors)")
        try await self.check(
            Array(result.output.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n").utf8),
            key.record,
            form
        )
    }

    // MARK: - What we sign

    private static let ownForms = [false, true].map { Form(isEd25519: $0, header: "relaxed", body: "relaxed") }

    /// A message signed by us, and what the DNS has of the key.
    private func signedByUs(_ form: Form) throws -> (message: [UInt8], record: String) {
        let key = try self.makeKey(form)
        let signer = DKIMSigner(
            domain: "signer.example",
            selector: "s1",
            key: try #require(SigningKey(pem: Fixture.bytes(URL(filePath: key.file))))
        )
        let plain = self.bytes(lineEnd: "\r\n")
        let signature = try #require(signer.signature(of: plain, time: Int(Date().timeIntervalSince1970)))
        return (signature + plain, key.record)
    }

    @Test("Our own signature verifies here, covers what it should, and not a second From", arguments: ownForms)
    func own(form: Form) async throws {
        let (message, record) = try self.signedByUs(form)
        #expect(try await self.verify(message, record).map(\.result) == [.pass])
        let text = String(decoding: message, as: UTF8.self)
        for line in text.split(separator: "\r\n") where line.hasPrefix("DKIM-Signature") || line.hasPrefix("\t") {
            #expect(line.utf8.count <= 78, "\(line)")
        }
        for (from, to) in [("Text  of", "Text  on"), ("a  word", "a  ward"), ("<1@", "<2@"), ("Date: Mon", "Date: Tue")] {
            let changed = text.replacing(from, with: to)
            #expect(changed != text)
            #expect(try await self.verify(Array(changed.utf8), record).map(\.result) == [.fail], "\(from)")
        }
        let second = "From: eve@evil.example\r\n" + text
        #expect(try await self.verify(Array(second.utf8), record).map(\.result) == [.fail])
    }

    @Test(
        "OpenDKIM verifies what we sign, and not when it was changed",
        .enabled(if: [opendkim, openssl].allSatisfy(FileManager.default.isExecutableFile), "needs opendkim, openssl"),
        arguments: ownForms
    )
    func openDKIMVerifies(form: Form) throws {
        let (message, record) = try self.signedByUs(form)
        let keys = try self.directory.write("s1._domainkey.signer.example \(record)\n", to: "keys")
        let settings = try self.directory.write("Mode v\nSyslog no\nTestPublicKeys \(keys)\n", to: "verify.conf")
        let text = String(decoding: message, as: UTF8.self).replacing("\r\n", with: "\n")
        let file = try self.directory.write(text, to: "signed")
        let good = try ChildProgram.run(Self.opendkim, ["-x", settings, "-vv", "-t", file])
        #expect((good.output + good.errors).contains("succeeded"), "\(good.output)")
        try self.directory.write(text.replacing("Text  of", with: "Text  on"), to: "signed")
        let bad = try ChildProgram.run(Self.opendkim, ["-x", settings, "-vv", "-t", file])
        #expect((bad.output + bad.errors).contains("failed"), "\(bad.output)")
    }

    @Test(
        "dkimpy verifies what we sign, and not when it was changed",
        .enabled(if: [dkimsign, openssl].allSatisfy(FileManager.default.isExecutableFile), "needs python3-dkim, openssl"),
        arguments: ownForms.filter { !$0.isEd25519 || hasNaCl }
    )
    func dkimpyVerifies(form: Form) throws {
        let (message, record) = try self.signedByUs(form)
        let script = """
            import dkim, sys
            print(dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda name, timeout=5: \(record.debugDescription).encode()))
            """
        let changed = String(decoding: message, as: UTF8.self).replacing("Text  of", with: "Text  on")
        for (octets, word) in [(message, "True"), (Array(changed.utf8), "False")] {
            let result = try ChildProgram.run("/usr/bin/python3", ["-c", script], input: octets)
            #expect(result.output.contains(word), "\(result.output) \(result.errors)")
        }
    }
}
