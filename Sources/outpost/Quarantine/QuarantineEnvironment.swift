import ArgumentParser
import ContentStorage
import Gateway
import Glibc
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
        let options = try ConfigurationOption.parse(["--config", path])
        // Rules do not matter here: what is in the quarantine was judged, and a release is not judged again.
        let configuration = try options.load()
        let directory = configuration.quarantineDirectory
        guard access(directory, F_OK) == 0 else {
            throw CommandFailure(.noInput, "\(directory): there is no quarantine yet; it is made when the gateway first starts")
        }
        let store = try QuarantineStore(directory: directory, limits: QuarantineLimits(configuration))
        let releaser = QuarantineReleaser(snapshot: GatewaySnapshot(configuration: configuration, rules: nil))
        return QuarantineEnvironment(store: store) { await releaser.release($0, $1) }
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
