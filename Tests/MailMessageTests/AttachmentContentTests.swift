import Foundation
import MailMessage
import OutpostTestKit
import Testing

@Suite("What attachments really hold")
struct AttachmentContentTests {
    @Test(
        "Files are known by their first octets",
        arguments: [
            ("MZ\u{90}\u{0}", "application/x-msdownload"), ("%PDF-1.7", "application/pdf"), ("PK\u{3}\u{4}", "application/zip"),
            ("Rar!\u{1a}\u{7}\u{1}\u{0}", "application/vnd.rar"), ("  <!DOCTYPE HTML><p>", "text/html"),
            ("<?xml version=\"1.0\"?><svg onload=", "image/svg+xml"), ("<?xml version=\"1.0\"?><a/>", "application/xml"),
            ("[InternetShortcut]\r\nURL=", "application/x-mswinurl"), ("{\\rtf1", "application/rtf"),
            ("@echo off", "application/x-bat"),
        ]
    )
    func kinds(head: String, kind: String) {
        #expect(ContentKind.detect(head.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }[...]) == kind)
    }

    @Test("Plain text is nothing special", arguments: ["Dear Sir,", "", "M", "a <html> in the middle"])
    func plain(text: String) {
        #expect(ContentKind.detect(Array(text.utf8)[...]) == nil)
    }

    private func zip(_ arguments: [String], in directory: TemporaryDirectory) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/zip")
        process.currentDirectoryURL = directory.url
        process.arguments = ["-q"] + arguments
        try process.run()
        process.waitUntilExit()
        return try Fixture.bytes(directory.url.appending(path: arguments.first { $0.hasSuffix(".zip") } ?? ""))
    }

    @Test(
        "Archives within archives are opened, encrypted ones are named",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/zip"))
    )
    func archives() throws {
        let directory = try TemporaryDirectory()
        try Data("MZ program".utf8).write(to: directory.url.appending(path: "invoice.pdf.exe"))
        try Data("just text".utf8).write(to: directory.url.appending(path: "read me.txt"))
        _ = try self.zip(["inner.zip", "invoice.pdf.exe"], in: directory)
        let outer = AttachmentContent(try self.zip(["outer.zip", "inner.zip", "read me.txt"], in: directory))
        #expect(outer.kind == "application/zip")
        #expect(
            outer.members.map { String(decoding: $0.path, as: UTF8.self) }.sorted() == [
                "inner.zip", "inner.zip/invoice.pdf.exe", "read me.txt",
            ]
        )
        #expect(outer.members.contains { $0.kind == "application/x-msdownload" })
        #expect(!outer.isEncrypted && !outer.isCut)
        let secret = AttachmentContent(try self.zip(["-P", "word", "secret.zip", "invoice.pdf.exe"], in: directory))
        #expect(secret.isEncrypted)
        #expect(secret.members.map(\.kind) == [nil])
        let cut = try self.zip(["outer.zip", "read me.txt"], in: directory)
        for length in stride(from: 0, to: cut.count, by: 7) { _ = AttachmentContent(Array(cut.prefix(length))) }
    }

    @Test("A bomb is cut at the bound", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/zip")))
    func bomb() throws {
        let directory = try TemporaryDirectory()
        try Data([0x50, 0x4b, 3, 4] + [UInt8](repeating: 0, count: 40_000_000)).write(to: directory.url.appending(path: "zeros"))
        let content = AttachmentContent(try self.zip(["bomb.zip", "zeros"], in: directory))
        #expect(content.isCut)
    }

    @Test("Damaged archives do no harm")
    func damaged() throws {
        var generator = SystemRandomNumberGenerator()
        let directory = try TemporaryDirectory()
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/zip") else { return }
        try Data((0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }).write(to: directory.url.appending(path: "a"))
        let whole = try self.zip(["a.zip", "a"], in: directory)
        for _ in 0..<300 {
            var bytes = whole
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = AttachmentContent(bytes)
        }
    }
}
