import Foundation
import Glibc
import Testing

@testable import MailStore

@Suite("Whose a release is")
struct ReleaseOwnerTests {
    private static let now: Int64 = 1_795_392_000_000

    /// This process's claim with one part replaced: number, start, boot, space.
    private func claim(_ part: Int? = nil, _ text: String = "") -> String {
        var parts = ReleaseOwner.current.text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        if let part { parts[part] = text }
        return parts.joined(separator: " ")
    }

    private func part(_ number: Int) -> String {
        ReleaseOwner.current.text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)[number]
    }

    private func isAlive(_ claim: String, seconds: Int64 = 0) -> Bool {
        ReleaseOwner.isAlive(claim, since: Self.now - seconds * 1_000, now: Self.now)
    }

    @Test("a process that lives keeps its claim for ever")
    func alive() {
        #expect(self.isAlive(self.claim()))
        #expect(self.isAlive(self.claim(), seconds: 10 * 86_400))
    }

    @Test("a later process with the same number, or one of an earlier boot, is another")
    func others() {
        #expect(!self.isAlive(self.claim(1, "1")))
        #expect(!self.isAlive(self.claim(2, "b0075e1f-0000-4000-8000-000000000000")))
        #expect(!self.isAlive(self.claim(0, "\(Int32.max)")))
    }

    @Test("a process of another container cannot be looked at: it has a quarter of an hour")
    func elsewhere() {
        let claim = self.claim(3, "1")
        #expect(self.isAlive(claim, seconds: 899))
        #expect(!self.isAlive(claim, seconds: 900))
        #expect(!self.isAlive(claim.replacing(self.part(2), with: "another-boot")))
    }

    @Test("what is no claim is nobody's", arguments: ["", "1", "1 2 3", "x 2 3 4", "1 2 3 4 5"])
    func malformed(text: String) {
        #expect(!self.isAlive(text))
    }

    @Test("a process that has ended is gone, also before anybody has asked how")
    func ended() throws {
        var child = pid_t()
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/sleep"), strdup("60"), nil]
        defer { for argument in arguments { free(argument) } }
        #expect(posix_spawn(&child, "/bin/sleep", nil, nil, arguments, nil) == 0)
        let start = try #require(Self.start(of: child))
        var claim = self.claim(0, "\(child)").split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        claim[1] = start
        let text = claim.joined(separator: " ")
        #expect(self.isAlive(text))
        kill(child, SIGKILL)
        // It has ended, and stays a zombie until it is waited for.
        var information = siginfo_t()
        #expect(waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT) == 0)
        #expect(!self.isAlive(text))
        var status: Int32 = 0
        waitpid(child, &status, 0)
        #expect(!self.isAlive(text))
    }

    private static func start(of process: pid_t) -> String? {
        guard let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = line.lastIndex(of: ")")
        else { return nil }
        return line[line.index(after: end)...].split(separator: " ").map(String.init).dropFirst(19).first
    }
}
