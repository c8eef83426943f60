import ArgumentParser
import Foundation
import Gateway
import MailPolicy
import MailRules
import MailStore
import QuarantineReview

struct GreylistCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "greylist",
        abstract: "Look at senders of doubtful messages that were asked to come again, and let them pass.",
        subcommands: [GreylistList.self, GreylistPass.self, GreylistRemove.self]
    )

    static func open(_ configuration: GatewayConfiguration) throws -> GreylistDatabase {
        guard FileManager.default.fileExists(atPath: GreylistDatabase.file(in: configuration.dataDirectory)) else {
            throw CommandFailure(.noInput, "there is no greylist in \(configuration.dataDirectory) yet")
        }
        return try GreylistDatabase(directory: configuration.dataDirectory)
    }
}

extension GreylistEntry.State: ExpressibleByArgument {}

struct GreylistList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the records, the last visits first.",
        discussion: "pending: was asked to come again; passed: a sender that came again and is known."
    )

    @OptionGroup var options: ConfigurationOption
    @Option(help: "pending or passed. Default: both.") var state: GreylistEntry.State?
    @Option(help: "At most so many.") var limit = 100
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func validate() throws {
        if self.limit < 1 { throw ValidationError("--limit is 1 or more.") }
    }

    func run() async throws {
        try await CommandFailure.reported {
            let store = try GreylistCommand.open(try self.options.load())
            var table = TextTable([
                ("id", .right), ("state", .left), ("source", .left), ("reverse path", .left), ("first", .left), ("last", .left),
                ("visits", .right), ("expires", .left),
            ])
            for entry in try await store.list(self.state, limit: self.limit, now: TimeText.now()) {
                switch self.format {
                case .json:
                    let fields: [String: JSONValue] = [
                        "id": .number(Int(entry.id)), "state": .text(entry.state.rawValue), "source": .text(entry.source),
                        "reverse_path": .text(entry.path), "first": .text(TimeText.utc(entry.first)),
                        "last": .text(TimeText.utc(entry.last)), "visits": .number(entry.visits),
                        "expires": .text(TimeText.utc(entry.expires)),
                    ]
                    say(try jsonLine(fields))
                case .text:
                    table.add([
                        "\(entry.id)", entry.state.rawValue, entry.source, HarmlessText.line(entry.path),
                        TimeText.local(entry.first), TimeText.local(entry.last), "\(entry.visits)", TimeText.local(entry.expires),
                    ])
                }
            }
            if self.format == .text { for line in table.lines { say(line) } }
        }
    }
}

struct GreylistPass: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pass",
        abstract: "Make senders known as if their message had come again: the next try is taken.",
        discussion: "Exit code 1: there was no such record."
    )

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "Numbers of records, as `outpost greylist list` has them.") var ids: [Int64]

    func run() async throws {
        try await CommandFailure.reported {
            let configuration = try self.options.load()
            let store = try GreylistCommand.open(configuration)
            let settings = configuration.greylist ?? GreylistSettings()
            try await each(self.ids, missing: "there is no record") {
                try await store.pass($0, settings: settings, now: TimeText.now()) ? "passed" : nil
            }
        }
    }
}

struct GreylistRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Forget records: their senders are delayed again.",
        discussion: "Exit code 1: there was no such record."
    )

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "Numbers of records, as `outpost greylist list` has them.") var ids: [Int64]

    func run() async throws {
        try await CommandFailure.reported {
            let store = try GreylistCommand.open(try self.options.load())
            try await each(self.ids, missing: "there is no record") { try await store.remove($0) ? "removed" : nil }
        }
    }
}
