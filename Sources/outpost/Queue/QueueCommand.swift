import ArgumentParser
import Gateway
import Glibc
import MailStore
import MailTypes

struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Look at and steer mail that waits for a mail server that is away (when_downstream_is_away: spool).",
        discussion: """
            The commands work beside a running gateway, which sees a change within a second, and without one.

            Exit codes: 0 done, 1 there was nothing to do it with, 64 wrong use, 66 no such message, 70 internal error, 75 try \
            again.
            """,
        subcommands: [
            QueueList.self, QueueShow.self, QueueRetry.self, QueueHold.self, QueueRelease.self, QueueRemove.self,
        ]
    )
}

/// Which spool.
struct QueueOptions: ParsableArguments {
    @OptionGroup var configuration: ConfigurationOption

    func open() throws -> SpoolStore {
        let directory = try self.configuration.load().spoolDirectory
        guard access(directory, F_OK) == 0 else {
            throw CommandFailure(.noInput, "\(directory): there is no spool yet; it is made when the gateway first starts")
        }
        return try SpoolStore(directory: directory)
    }
}

/// Which messages.
struct QueueSelection: ParsableArguments {
    @Argument(help: "IDs of messages.")
    var ids: [String] = []
    @Option(help: "All messages for this route: the mail servers as `queue list` shows them, `mail.internal:25`.")
    var route: String?
    @Flag(help: "All messages.")
    var all = false

    func validate() throws {
        let ways = (self.ids.isEmpty ? 0 : 1) + (self.route == nil ? 0 : 1) + (self.all ? 1 : 0)
        if ways != 1 { throw ValidationError("Give IDs, or --route, or --all.") }
    }

    func selection() throws -> SpoolSelection {
        if self.all { return .all }
        if let route = self.route { return .route(route) }
        return .ids(
            try self.ids.map { text in
                guard let id = TransactionID(text.uppercased()) else {
                    throw CommandFailure(
                        .wrongUse,
                        "\(text.debugDescription) is not a message's ID: it has 12 digits and letters"
                    )
                }
                return id
            }
        )
    }

    /// Does something to the messages and says to how many; to none is an answer of its own. An ID that is not there does not keep
    /// the others.
    func apply(_ deed: String, in store: SpoolStore, _ work: (SpoolSelection) async throws -> Int) async throws {
        let selection = try self.selection()
        var missing: ExitCode?
        if case .ids(let ids) = selection {
            let found = Set(try await store.list(selection, limit: ids.count).map(\.id))
            for id in ids where !found.contains(id) { missing = CommandFailure(SpoolError.notFound(id.text)).told() }
        }
        let count = try await work(selection)
        if count > 0 {
            print("\(count) \(count == 1 ? "message" : "messages") \(deed)")
        }
        if let missing { throw missing }
        if count == 0 { throw CommandFailure(.answerIsNo, "nothing to do: no message fits") }
    }
}

struct QueueRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Try messages at the next opportunity.",
        discussion: """
            A server that is away is still tried no more often than the pauses allow; messages do not wait for theirs. Those that \
            `queue hold` has stopped stay where they are.
            """
    )

    @OptionGroup var selection: QueueSelection
    @OptionGroup var queue: QueueOptions

    func run() async throws {
        try await CommandFailure.reported {
            let store = try self.queue.open()
            try await self.selection.apply("will be tried", in: store) { try await store.retry($0) }
        }
    }
}

struct QueueHold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold",
        abstract: "Stop messages: they stay and are not tried until `queue release` lets them go.",
        discussion: "The time until they are given up stands still meanwhile. An attempt that is under way goes on to its end."
    )

    @OptionGroup var selection: QueueSelection
    @OptionGroup var queue: QueueOptions

    func run() async throws {
        try await CommandFailure.reported {
            let store = try self.queue.open()
            try await self.selection.apply("stopped", in: store) { try await store.hold($0) }
        }
    }
}

struct QueueRelease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Let messages go on waiting that `queue hold` has stopped."
    )

    @OptionGroup var selection: QueueSelection
    @OptionGroup var queue: QueueOptions

    func run() async throws {
        try await CommandFailure.reported {
            let store = try self.queue.open()
            try await self.selection.apply("released", in: store) { try await store.release($0) }
        }
    }
}

struct QueueRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove messages for good. Nobody is told: their senders believe that they arrived."
    )

    @OptionGroup var selection: QueueSelection
    @OptionGroup var queue: QueueOptions
    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    func run() async throws {
        try await CommandFailure.reported {
            let store = try self.queue.open()
            let selection = try self.selection.selection()
            if !self.yes {
                guard isatty(STDIN_FILENO) == 1 else {
                    throw CommandFailure(.wrongUse, "nobody is there to ask; --yes removes without asking")
                }
                print("Remove \(try await store.count(selection)) messages for good? [y/N] ", terminator: "")
                fflush(nil)
                let answer = readLine()?.lowercased()
                guard answer == "y" || answer == "yes" else { throw CommandFailure(.answerIsNo, "nothing removed") }
            }
            try await self.selection.apply("removed", in: store) { try await store.remove($0).count }
        }
    }
}
