import ArgumentParser
import Gateway
import Glibc

/// Runs the command on other threads and keeps the first one waiting.
///
/// An asynchronous `main` would end the first thread (`dispatch_main`). The kernel would then show the whole process with what
/// that thread was at its end: as root's, also after it has become another user.
@main
enum Program {
    static func main() {
        Task.detached {
            await Outpost.main()
            exit(0)
        }
        while true { pause() }
    }
}

struct Outpost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outpost",
        abstract: "A filtering mail gateway: judges mail while the sender waits, then refuses, holds or forwards it.",
        discussion: """
            Exit codes: 0 done; 1 the answer is no (problems found, a message would be refused); 64 wrong use; 66 no such \
            input; 70 internal error; 75 try again.
            """,
        version: "outpost \(Gateway.version)",
        subcommands: [
            Serve.self, StatusCommand.self, Check.self, ConfigCommand.self, RulesCommand.self, QuarantineCommand.self,
            QueueCommand.self, Fsck.self, ListsCommand.self, GreylistCommand.self, RatesCommand.self, DMARCCommand.self,
            Demo.self,
        ]
    )
}
