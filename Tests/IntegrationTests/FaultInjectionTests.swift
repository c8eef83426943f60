import Foundation
import OutpostTestKit
import Testing

private let python = "/usr/bin/python3"
private let isPossible =
    ["cc", "gcc", "clang"].contains { ChildProgram.installed($0) != nil } && FileManager.default.isExecutableFile(atPath: python)

extension IntegrationTests {
    /// The crash and fault harness, in a run that ends soon; `Tests/FaultInjection/run --kills 5000` is the long one.
    @Suite(
        "Fault injection",
        .serialized,
        .enabled(if: isPossible, "needs a C compiler (cc, gcc or clang) and python3")
    )
    struct FaultInjection {
        /// Each with about so many kills, so that every series has its share of the time.
        @Test(
            "nothing is lost, and nothing doubled outside the window",
            arguments: [
                ("forward", 60), ("hold", 50), ("spool", 60), ("notices", 30), ("downstream", 40), ("client", 40), ("scanner", 3),
                ("errors", 24), ("full", 1), ("power", 1),
            ]
        )
        func series(name: String, kills: Int) throws {
            let harness = Fixture.root.appending(path: "Tests/FaultInjection/run").path
            let result = try ChildProgram.run(
                python,
                [harness, "--program", ProgramUnderTest.path, "--only", name, "--kills", "\(kills)"],
                limit: .seconds(300)
            )
            #expect(result.status == 0, "\(result.output.suffix(6_000))\(result.errors.suffix(2_000))")
            #expect(result.output.contains(": lost 0, doubled in the window"))
        }
    }
}
