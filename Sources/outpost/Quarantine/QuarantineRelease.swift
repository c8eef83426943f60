import ArgumentParser
import MailStore
import MailTypes
import QuarantineReview

struct QuarantineRelease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Deliver held messages to their recipients.",
        discussion: """
            The message is scanned for viruses again and goes to its route through the gateway's own client. Exit code 1: the \
            answer was no, or a message was released before (--again sends it once more); 75: it may work later.
            """
    )

    @Argument(help: "IDs of messages.")
    var ids: [String]
    @OptionGroup var quarantine: QuarantineOptions
    @Option(help: "Deliver to this address instead of the message's recipients; may be given several times.")
    var to: [String] = []
    @Option(help: "The reason, for the history.")
    var why = ""
    @Flag(help: "Also when the message was released before.")
    var again = false
    @Option(help: "text or json (one object a line).")
    var format = OutputFormat.text

    func validate() throws {
        for address in self.to where MailAddress(address, allowUTF8: true) == nil {
            throw ValidationError("\(address) is not an address.")
        }
    }

    func run() async throws {
        try await CommandFailure.reported {
            let environment = try await self.quarantine.open()
            let ids = try await QuarantineOptions.resolve(self.ids, in: environment.store)
            var worst: ExitCode?
            for id in ids {
                // One message that cannot be released does not keep the others.
                do {
                    if let code = try await self.release(id, environment) { worst = worst ?? code }
                } catch {
                    let code = CommandFailure(error).told()
                    worst = worst ?? code
                }
            }
            if let worst { throw worst }
        }
    }

    /// nil when the message was delivered.
    private func release(_ id: TransactionID, _ environment: QuarantineEnvironment) async throws -> ExitCode? {
        let recipients = self.to.isEmpty ? nil : self.to.compactMap { MailAddress($0, allowUTF8: true) }
        let (claim, outcome) = try await environment.releaseMessage(
            id,
            by: QuarantineOptions.caller,
            why: self.why,
            to: recipients,
            again: self.again
        )
        let result = ReleaseJSON(
            id: id.text,
            outcome: outcome.word,
            detail: outcome.detail,
            mayHaveBeenDelivered: claim.mayHaveBeenDelivered
        )
        switch self.format {
        case .json: print(try jsonLine(result))
        case .text:
            if claim.mayHaveBeenDelivered {
                print("\(id): an earlier release was cut off; the message may have been delivered before")
            }
            print("\(id): \(outcome.word): \(HarmlessText.line(outcome.detail))")
        }
        return outcome.code.map { ExitCode($0.rawValue) }
    }
}

/// The result of a release for programs.
private struct ReleaseJSON: Encodable {
    let id: String
    /// `delivered`, `refused`, `failed`, `uncertain`.
    let outcome: String
    let detail: String
    let mayHaveBeenDelivered: Bool
}

extension ReleaseOutcome {
    var word: String {
        switch self {
        case .delivered: "delivered"
        case .refused: "refused"
        case .failed: "failed"
        case .uncertain: "uncertain"
        }
    }

    var detail: String {
        switch self {
        case .delivered(let detail), .refused(let detail), .failed(let detail), .uncertain(let detail): detail
        }
    }

    fileprivate var code: CommandFailure.Code? {
        switch self {
        case .delivered: nil
        case .refused: .answerIsNo
        case .failed, .uncertain: .tryAgain
        }
    }
}
