import ArgumentParser
import Glibc
import MailStore
import QuarantineReview

struct QuarantineReviewer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review",
        abstract: "Review held messages on the full screen of a terminal.",
        discussion: """
            A list above, the selected message with its reasons and its text below. Keys: arrows or j and k move, Enter reads, \
            r releases, d deletes (after a question), m marks several for the next action, n writes a note, x exports, f \
            filters, ? shows all keys, q quits. Whatever a message holds is shown harmless.
            """
    )

    @OptionGroup var quarantine: QuarantineOptions

    func run() async throws {
        try await CommandFailure.reported {
            guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
                throw CommandFailure(.wrongUse, "a review needs a terminal; list and show work without one")
            }
            let environment = try await self.quarantine.open()
            let who = QuarantineOptions.caller
            let session = ReviewSession(store: environment.store, who: who) { id in
                let (claim, outcome) = try await environment.releaseMessage(id, by: who, why: "")
                let before = claim.mayHaveBeenDelivered ? " (may have been delivered before)" : ""
                let text = "\(outcome.word)\(before): \(outcome.detail)"
                guard case .delivered = outcome else { throw CommandFailure(.tryAgain, "\(id): \(text)") }
                return text
            }
            try await session.run()
        }
    }
}
