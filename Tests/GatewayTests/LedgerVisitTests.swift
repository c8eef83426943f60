import ConfigurationFile
import Logging
import MailStore
import MailTypes
import OutpostTestKit
import Testing

@testable import Gateway

@Suite("Who is with the ledger")
struct LedgerVisitTests {
    private let directory: TemporaryDirectory
    private let ledger: Ledger
    private static let key = Ledger.key(.null, contentHash: [1, 2, 3])

    init() throws {
        self.directory = try TemporaryDirectory()
        let file = try self.directory.write(
            GatewayFile.bare(downstream: 25).text(port: 2_525, data: self.directory.path),
            to: "outpost.yaml"
        )
        let result = ConfigurationReader.load(file: file, environment: [:], files: SystemFileAccess())
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.ledger = try Ledger(try #require(result.configuration), logger: logger)
    }

    private func recipients(_ names: String...) throws -> [Recipient] {
        try names.map { Recipient(try #require(MailAddress("\($0)@example.com"))) }
    }

    private func isKnown(since: ContinuousClock.Instant, _ recipients: [Recipient]) -> Bool {
        self.ledger.isWith(anotherSince: since, Self.key, recipients)
    }

    @Test("a session that began when the message of another was here may be its retry, until that client is known to have gone")
    func retry() async throws {
        let early = ContinuousClock.now
        guard case .new(let passage) = self.ledger.enter(Self.key, try self.recipients("a", "b")) else {
            Issue.record("not new")
            return
        }
        let late = ContinuousClock.now
        #expect(self.isKnown(since: late, try self.recipients("B", "c")))
        #expect(!self.isKnown(since: late, try self.recipients("c")))
        // Its session is as old as the other: it has not begun anew.
        #expect(!self.isKnown(since: early, try self.recipients("a")))
        await self.ledger.taken(passage, id: TransactionID(milliseconds: 1, sequence: 1), reply: .success(.ok, nil, "taken"))
        #expect(self.isKnown(since: late, try self.recipients("a")))
        self.ledger.clientLeft(passage)
        #expect(!self.isKnown(since: late, try self.recipients("a")))
        guard case .taken = await self.ledger.look(Self.key, try self.recipients("a")) else {
            Issue.record("not known")
            return
        }
    }

    @Test("who has heard is with it no longer")
    func heard() async throws {
        guard case .new(let passage) = self.ledger.enter(Self.key, try self.recipients("a")) else {
            Issue.record("not new")
            return
        }
        await self.ledger.taken(passage, id: TransactionID(milliseconds: 1, sequence: 1), reply: .success(.ok, nil, "taken"))
        self.ledger.heard(passage)
        #expect(!self.isKnown(since: .now, try self.recipients("a")))
    }
}
