import OutpostTestKit
import Testing

/// The built programs with real peers on loopback. One test at a time: each starts processes of its own.
@Suite(
    "Integration",
    .serialized,
    .blocking,
    .timeLimit(.minutes(4)),
    .enabled(if: ProgramUnderTest.isBuilt, "outpost and outpost-scanner are not built")
)
struct IntegrationTests {
    static let needsPostfix = "Postfix is not installed, or the tests do not run as root"
}
