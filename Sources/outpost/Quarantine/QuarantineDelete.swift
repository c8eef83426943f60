import ArgumentParser
import Glibc
import MailStore
import MailTypes
import QuarantineReview

struct QuarantineDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Remove messages for good; their facts and history stay until they are too old.",
        discussion: "Nobody is told. Exit code 1: a message was deleted before, or the question was answered with no."
    )

    @Argument(help: "IDs of messages.")
    var ids: [String]
    @OptionGroup var quarantine: QuarantineOptions
    @Option(help: "The reason, for the history.")
    var why = ""
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    func run() async throws {
        try await CommandFailure.reported {
            let store = try await self.quarantine.open().store
            let ids = try await QuarantineOptions.resolve(self.ids, in: store)
            if !self.yes { try await Self.ask(ids, store) }
            var worst: ExitCode?
            for id in ids {
                do {
                    try await store.delete(id, by: QuarantineOptions.caller, why: self.why)
                    print("\(id): deleted")
                } catch {
                    let code = CommandFailure(error).told()
                    worst = worst ?? code
                }
            }
            if let worst { throw worst }
        }
    }

    private static func ask(_ ids: [TransactionID], _ store: QuarantineStore) async throws {
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure(.wrongUse, "nobody is there to ask; --yes deletes without asking")
        }
        for id in ids {
            let record = try await store.record(id).record
            print(
                "\(id)  from <\(HarmlessText.line(record.envelope.reversePath.description))>  \(HarmlessText.line(record.subject))"
            )
        }
        print(ids.count == 1 ? "Delete this message? [y/N] " : "Delete these \(ids.count) messages? [y/N] ", terminator: "")
        fflush(nil)
        let answer = readLine()?.lowercased()
        guard answer == "y" || answer == "yes" else { throw CommandFailure(.answerIsNo, "nothing deleted") }
    }
}
