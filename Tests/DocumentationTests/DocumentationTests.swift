import Foundation
import OutpostTestKit
import Testing

@Suite("Documentation")
struct DocumentationTests {
    private static let scripts = Fixture.root.appending(path: "scripts").path

    private func run(_ script: String, _ arguments: [String]) throws -> ChildProgram.Result {
        try ChildProgram.run("/usr/bin/env", ["python3", "\(Self.scripts)/\(script)"] + arguments)
    }

    @Test("The check of the documents finds faults that are made up")
    func selfTest() throws {
        let result = try self.run("docs", ["--self-test"])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test(
        "Links, settings, replies, specifications, commands and options are those of the code",
        .enabled(if: ProgramUnderTest.isBuilt)
    )
    func documents() throws {
        let result = try self.run("docs", ["--programs", ProgramUnderTest.programs])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test("The manual pages are those that scripts/man makes", .enabled(if: ProgramUnderTest.isBuilt))
    func manualPages() throws {
        let result = try self.run("man", ["--check", "--programs", ProgramUnderTest.programs])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test(
        "The manual pages render without a warning",
        .enabled(if: ChildProgram.installed("man") != nil),
        arguments: ["outpost.1", "outpost-scanner.8", "outpost.yaml.5"]
    )
    func rendering(page: String) throws {
        let path = Fixture.root.appending(path: "docs/man/\(page)").path
        let result = try ChildProgram.run("/usr/bin/env", ["man", "--warnings", "-l", path], environment: ["MANPAGER": "cat"])
        #expect(result.status == 0)
        #expect(result.errors.isEmpty)
    }
}
