import ArgumentParser

struct QuarantineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine",
        abstract: "Look at, release and remove messages that were held, and copies of refused mail.",
        discussion: """
            A message's ID may be cut to a part of its beginning or its end that no other message has.

            Exit codes: 0 done, 1 the answer is no, 64 wrong use, 66 no such message or file, 70 internal error, 75 try again.
            """,
        subcommands: [
            QuarantineList.self, QuarantineSearch.self, QuarantineShow.self, QuarantineReviewer.self, QuarantineRelease.self,
            QuarantineDelete.self, QuarantineExport.self, QuarantinePurge.self,
        ]
    )
}
