import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

@testable import MailChecks

@Suite("The check of archives", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/zip")))
struct ArchiveCheckTests {
    private let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
        for name in ["one.txt", "two.txt", "three.txt"] {
            try Data("\(name) has some text".utf8).write(to: self.directory.url.appending(path: name))
        }
        try Data("MZ program".utf8).write(to: self.directory.url.appending(path: "invoice.pdf.exe"))
    }

    private func zip(_ name: String, _ arguments: [String]) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/zip")
        process.currentDirectoryURL = self.directory.url
        process.arguments =
            ["-q"] + arguments.prefix { $0.hasPrefix("-") || $0 == "word" } + [name]
            + arguments.drop { $0.hasPrefix("-") || $0 == "word" }
        try process.run()
        process.waitUntilExit()
        return try Fixture.bytes(self.directory.url.appending(path: name))
    }

    private func check(_ content: [UInt8], name: String = "a.zip", _ change: (inout ArchiveLimits) -> Void = { _ in }) -> [Hit] {
        var limits = ArchiveLimits()
        change(&limits)
        let text = Data(content).base64EncodedString(options: [.lineLength76Characters, .endLineWithCarriageReturn])
            .replacing("\r", with: "\r\n")
        let message = """
            From: a@b.example\r
            Content-Type: application/octet-stream; name="\(name)"\r
            Content-Transfer-Encoding: base64\r
            \r
            \(text)\r

            """
        return ArchiveCheck().run(ParsedMessage(Array(message.utf8)), limits: limits).hits
    }

    @Test("an ordinary archive passes")
    func ordinary() throws {
        #expect(self.check(try self.zip("a.zip", ["one.txt", "two.txt"])) == [])
        #expect(self.check(Array("no archive at all".utf8)) == [])
    }

    @Test("members, depth, size and ratio")
    func limits() throws {
        let three = try self.zip("three.zip", ["one.txt", "two.txt", "three.txt"])
        let members = self.check(three) { $0.maxMembers = 2 }
        #expect(members.map(\.rule) == ["ARCHIVE_TOO_MANY_MEMBERS"])
        #expect(members.first?.action == .hold)
        #expect(members.first?.detail == "a.zip/three.txt: more than max_members 2")
        #expect(self.check(three) { $0.maxMembers = 3 } == [])
        #expect(self.check(three) { $0.maxSize = 50 }.map(\.rule) == ["ARCHIVE_TOO_LARGE"])
        #expect(self.check(three) { ($0.maxMembers, $0.onLimit) = (1, .accept) }.map(\.action) == [nil])

        _ = try self.zip("inner.zip", ["three.zip"])
        let outer = try self.zip("outer.zip", ["inner.zip"])
        let deep = self.check(outer) { ($0.maxDepth, $0.onLimit) = (2, .reject) }
        #expect(deep.map(\.rule) == ["ARCHIVE_TOO_DEEP"])
        if case .reject(let text) = deep.first?.action {
            #expect(text?.hasPrefix("552 5.3.4 ") == true)
        } else {
            Issue.record("\(deep)")
        }
        #expect(self.check(outer) { $0.maxDepth = 3 } == [])

        try Data(count: 20 * 1_048_576).write(to: self.directory.url.appending(path: "zeros"))
        let bomb = try self.zip("bomb.zip", ["zeros"])
        #expect(self.check(bomb).map(\.rule) == ["ARCHIVE_RATIO"])
        #expect(self.check(bomb) { $0.maxRatio = 2_000 } == [])
    }

    @Test("a member that lies about its size is measured")
    func lies() throws {
        try Data(count: 4 * 1_048_576).write(to: self.directory.url.appending(path: "zeros"))
        var bytes = try self.zip("bomb.zip", ["zeros"])
        // Sizes are in the local header and in the directory; 4 MiB is 00 00 40 00.
        for index in 0..<(bytes.count - 4) where Array(bytes[index..<(index + 4)]) == [0, 0, 0x40, 0] {
            bytes.replaceSubrange(index..<(index + 4), with: [1, 0, 0, 0])
        }
        #expect(self.check(bytes) { $0.maxSize = 1_048_576 }.map(\.rule).contains("ARCHIVE_TOO_LARGE"))
    }

    @Test("a member that takes a password")
    func encrypted() throws {
        let secret = try self.zip("secret.zip", ["-P", "word", "one.txt"])
        #expect(self.check(secret).map(\.rule) == ["ARCHIVE_ENCRYPTED"])
        #expect(self.check(secret).map(\.action) == [.hold])
        #expect(self.check(secret) { $0.encrypted = .accept }.map(\.action) == [nil])
    }

    @Test("a directory that tells another story than the members")
    func inconsistent() throws {
        let good = try self.zip("a.zip", ["one.txt", "two.txt"])
        let name = Array("one.txt".utf8)
        let first = try #require((0..<good.count).first { good[$0...].starts(with: name) })
        var renamed = good
        renamed.replaceSubrange(first..<(first + 7), with: Array("one.exe".utf8))
        let hits = self.check(renamed)
        #expect(hits.map(\.rule) == ["ARCHIVE_INCONSISTENT"])
        #expect(hits.first?.detail == "a.zip/one.txt: its local header has another name")
        // Two archives, one behind the other: some programs take the first, most the second.
        #expect(self.check(good + good).map(\.rule) == ["ARCHIVE_INCONSISTENT"])
        #expect(self.check(Array(good.prefix(good.count / 2))).map(\.rule) == ["ARCHIVE_INCONSISTENT"])
        for length in stride(from: 0, to: good.count, by: 3) { _ = self.check(Array(good.prefix(length))) }
    }

    @Test("forbidden names and types, wherever they stand")
    func forbidden() throws {
        let archive = try self.zip("a.zip", ["invoice.pdf.exe"])
        let names = self.check(archive) { $0.forbiddenNames = ["*.exe", "*.scr"] }
        #expect(names.map(\.rule) == ["ATTACHMENT_NAME_FORBIDDEN"])
        #expect(names.first?.detail == "a.zip/invoice.pdf.exe")
        #expect(self.check([1, 2, 3], name: "A.SCR. ") { $0.forbiddenNames = ["*.scr"] }.count == 1)
        #expect(self.check(archive) { $0.forbiddenNames = ["*.exe.*", "invoice"] } == [])
        let types = self.check(archive) { $0.forbiddenTypes = ["application/x-msdownload"] }
        #expect(types.map(\.rule) == ["ATTACHMENT_TYPE_FORBIDDEN"])
        #expect(types.first?.action == .reject(text: "550 5.7.1 Message refused: it has a file that is not accepted here"))
    }

    @Test("patterns of names")
    func patterns() {
        #expect(NamePattern("*").matches("") && NamePattern("*.a*b").matches("x/y.axxb") && NamePattern("b").matches("a\\B "))
        #expect(!NamePattern("*.a").matches("x.ab") && !NamePattern("").matches("a"))
        let stars = NamePattern(String(repeating: "*a", count: 200) + "b")
        #expect(!stars.matches(String(repeating: "a", count: 4_000)))
    }
}
