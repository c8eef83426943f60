import Foundation
import OutpostTestKit
import Testing

@testable import MailMessage

@Suite("Readers of archives and compound files")
struct ContainerReaderTests {
    /// A small generator with a fixed start, so that a failure comes again.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return self.state ^ self.state >> 33
        }
    }

    /// Everything that can be read of it.
    private func readAll(_ bytes: [UInt8]) {
        _ = AttachmentContent(bytes)
        if let file = CompoundFile(bytes) {
            for entry in file.entries.prefix(50) { #expect(file.content(of: entry, limit: 10_000).count <= 10_000) }
            _ = VBAProject(file)?.runsByItself
        }
        if let archive = ZipArchive(bytes) {
            for member in archive.members.prefix(50) {
                #expect((archive.content(of: member, limit: 10_000)?.bytes.count ?? 0) <= 10_000)
            }
        }
        var tar = TarReader(bytes)
        while let entry = tar.next() { #expect(entry.content.upperBound <= bytes.count) }
    }

    private func damage(_ whole: [UInt8], _ rounds: Int) {
        var generator = Generator(state: UInt64(whole.count))
        for _ in 0..<rounds {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                // Most of what steers a reader stands at the ends.
                let span = Bool.random(using: &generator) ? bytes.count : min(bytes.count, 1_536)
                let place =
                    Bool.random(using: &generator)
                    ? bytes.count - 1 - Int.random(in: 0..<span, using: &generator) : Int.random(in: 0..<span, using: &generator)
                bytes[place] =
                    [0, 1, 0x7f, 0xff, UInt8.random(in: 0...255, using: &generator)].randomElement(using: &generator) ?? 0
            }
            if Int.random(in: 0..<4, using: &generator) == 0 {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            }
            self.readAll(bytes)
        }
    }

    @Test(
        "Damaged documents do no harm",
        .enabled(if: Fixture.shared("malware-docs") != nil),
        arguments: [
            "oletools/olevba/sample_with_vba.ppt", "oletools/oleobj/sample_with_lnk_file.doc",
            "oletools/oleobj/embedded-simple-2007.docx", "oletools/oleobj/embedded-simple-2007.xls",
        ]
    )
    func damagedDocuments(path: String) throws {
        let file = try #require(Fixture.shared("malware-docs/\(path)"))
        self.damage(try Fixture.bytes(file), 60)
    }

    @Test("A compound file of any length and of any numbers is read without harm")
    func smallCompoundFiles() {
        var generator = Generator(state: 7)
        for count in stride(from: 8, to: 2_100, by: 13) {
            var bytes = CompoundFile.signature + [UInt8](repeating: 0, count: count - 8)
            for place in 8..<bytes.count {
                bytes[place] =
                    [0, 0, 1, 0xff, UInt8.random(in: 0...255, using: &generator)].randomElement(using: &generator) ?? 0
            }
            if count > 34 { bytes.replaceSubrange(30..<34, with: [9, 0, 6, 0]) }
            self.readAll(bytes)
        }
    }

    /// A file of ustar.
    private func tarFile(_ name: String, _ content: [UInt8], kind: Character = "0") -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: Array(text.utf8))
        }
        put(name, at: 0)
        put(String(content.count, radix: 8), at: 124)
        put("ustar", at: 257)
        header[156] = kind.asciiValue ?? 0
        return header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    @Test("Files of a tar archive are listed, those with long names and those within too")
    func tar() {
        let inner = self.tarFile("deep.exe", Array("MZ\u{1}\u{2}".utf8))
        let long = String(repeating: "d/", count: 80) + "x.pdf"
        let bytes =
            self.tarFile("folder", [], kind: "5") + self.tarFile("a.txt", Array("text".utf8)) + self.tarFile("b.tar", inner)
            + self.tarFile("././@LongLink", Array(long.utf8) + [0], kind: "L") + self.tarFile("cut", Array("%PDF-1.4".utf8))
            + [UInt8](repeating: 0, count: 1_024)
        let content = AttachmentContent(bytes)
        #expect(content.kind == "application/x-tar")
        #expect(content.members.map { String(decoding: $0.path, as: UTF8.self) } == ["a.txt", "b.tar", "b.tar/deep.exe", long])
        #expect(content.members.map(\.kind) == [nil, "application/x-tar", "application/x-msdownload", "application/pdf"])
        #expect(!content.isCut)
        #expect(AttachmentContent([UInt8](bytes.prefix(2_200))).isCut)
        self.damage(bytes, 100)
    }

    @Test("A disk image says late that it is one")
    func image() {
        let bytes = [UInt8](repeating: 0, count: 32_769) + Array("CD001\u{1}".utf8)
        #expect(AttachmentContent(bytes).kind == "application/x-iso9660-image")
    }

    @Test(
        "Office documents are told apart, and encrypted ones from others",
        .enabled(if: Fixture.shared("malware-docs") != nil),
        arguments: [
            (
                "oleobj/embedded-simple-2007.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                false
            ),
            ("oleobj/embedded-simple-2007.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", false),
            ("oleobj/embedded-simple-2007.doc", "application/msword", false),
            ("oleobj/embedded-simple-2007.xls", "application/vnd.ms-excel", false),
            ("oleobj/embedded-simple-2007.odt", "application/vnd.oasis.opendocument.text", false),
            ("olevba/sample_with_vba.ppt", "application/vnd.ms-powerpoint", false),
        ]
    )
    func kinds(path: String, kind: String, isEncrypted: Bool) throws {
        let file = try #require(Fixture.shared("malware-docs/oletools/\(path)"))
        let content = AttachmentContent(try Fixture.bytes(file))
        #expect(content.kind == kind)
        #expect(content.isEncrypted == isEncrypted)
    }

    @Test("Encrypted documents and macros are found as by olevba", .enabled(if: Fixture.shared("malware-docs") != nil))
    func reference() throws {
        struct Verdict: Decodable {
            var file: String
            var encrypted: Bool?
            var vba_macros: Bool?
            var olevba_type: String?
        }
        let table = try Fixture.bytes(try #require(Fixture.shared("malware-docs/reference.jsonl")))
        for line in table.split(separator: 0x0a) {
            let verdict = try JSONDecoder().decode(Verdict.self, from: Data(line))
            guard let file = Fixture.shared("malware-docs/\(verdict.file)") else { continue }
            let bytes = try Fixture.bytes(file)
            guard let compound = CompoundFile(bytes) else { continue }
            if let isEncrypted = verdict.encrypted {
                #expect(AttachmentContent(bytes).isEncrypted == isEncrypted, "\(verdict.file)")
            }
            if let hasMacros = verdict.vba_macros { #expect((VBAProject(compound) != nil) == hasMacros, "\(verdict.file)") }
        }
    }

    @Test("The reading of SpamAssassin takes mutated messages", arguments: Fixture.files("messages", suffix: ".eml"))
    func filterReading(_ file: URL) throws {
        let original = try Fixture.bytes(file)
        var generator = Generator(state: UInt64(original.count))
        let pieces = [
            "\n--", "--\n", "\n\n", "Content-Type: message/rfc822\n\n", "Content-Type: multipart/mixed; boundary=x\n\n--x\n",
            "=\n", ":",
        ]
        for _ in 0..<150 {
            var bytes = original
            for _ in 0..<4 {
                bytes.insert(
                    contentsOf: Array((pieces.randomElement(using: &generator) ?? "").utf8),
                    at: Int.random(in: 0...bytes.count, using: &generator)
                )
            }
            let message = FilterMessage(bytes)
            #expect(!message.parts.isEmpty)
            #expect(message.depthFirst.count == message.parts.count)
            for part in message.leaves { #expect(part.decoded().count <= part.raw.count) }
        }
    }
}
