import ContentStorage
import MailStore
import MailTypes

/// What the quarantine's commands work on.
struct QuarantineEnvironment: Sendable {
    /// Sends a message to the route of its record: scans it for viruses again, then delivers it through the gateway's own
    /// client. The record's envelope has the recipients of this release.
    typealias Release = @Sendable (QuarantineRecord, MessageContent) async -> ReleaseOutcome

    var store: QuarantineStore
    /// nil when there is no configuration that says where messages go.
    var release: Release?

    /// Opens what the configuration names.
    static func load(configuration path: String) async throws -> QuarantineEnvironment {
        throw CommandFailure(.noInput, "\(path): no configuration is read here; name the quarantine with --directory")
    }

    /// Releases one message: the claim, the delivery and its record.
    func releaseMessage(
        _ id: TransactionID,
        by: String,
        why: String,
        to recipients: [MailAddress]? = nil,
        again: Bool = false
    ) async throws -> (claim: ReleaseClaim, outcome: ReleaseOutcome) {
        guard let release = self.release else {
            throw CommandFailure(.wrongUse, "a release needs the configuration: use --config instead of --directory")
        }
        let content = try await self.store.content(of: id)
        let claim = try await self.store.beginRelease(id, by: by, why: why, to: recipients, again: again)
        let outcome = await release(claim.record, content)
        try await self.store.finishRelease(claim, outcome)
        return (claim, outcome)
    }
}
