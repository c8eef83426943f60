import ArgumentParser
import Foundation
import Gateway
import MailPolicy
import MailRules
import MailStore
import QuarantineReview

struct RatesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rates",
        abstract: "Look at who has used up how much of the limits in `rates`, and let somebody begin anew.",
        subcommands: [RatesList.self, RatesReset.self]
    )

    static func open(_ configuration: GatewayConfiguration) throws -> RateDatabase {
        guard FileManager.default.fileExists(atPath: RateDatabase.file(in: configuration.dataDirectory)) else {
            throw CommandFailure(.noInput, "nothing was counted in \(configuration.dataDirectory) yet")
        }
        return try RateDatabase(directory: configuration.dataDirectory)
    }
}

struct RatesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List who has used something of a limit, those first who have used the largest part.",
        discussion: "A running gateway writes down once a second what it has counted."
    )

    @OptionGroup var options: ConfigurationOption
    @Flag(help: "Only those who have nothing left: their next try is refused.") var limited = false
    @Option(help: "At most so many.") var limit = 100
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func validate() throws {
        if self.limit < 1 { throw ValidationError("--limit is 1 or more.") }
    }

    func run() async throws {
        try await CommandFailure.reported {
            let store = try RatesCommand.open(try self.options.load())
            let now = TimeText.now()
            let time = now * 1_000
            var table = TextTable([
                ("key", .left), ("per", .left), ("of", .left), ("used", .right), ("limit", .right), ("window", .right),
                ("next in", .right), ("all back", .left),
            ])
            for bucket in try await store.list(isEmpty: self.limited, limit: self.limit, now: now) {
                let limit = bucket.charge.limit
                let wait = Int((bucket.wait(now: time) + 999_999) / 1_000_000)
                switch self.format {
                case .json:
                    let fields: [String: JSONValue] = [
                        "key": .text(bucket.charge.key), "per": .text(limit.per.rawValue), "of": .text(limit.of.rawValue),
                        "used": .number(bucket.used(now: time)), "limit": .number(limit.limit),
                        "window": .number(limit.windowSeconds), "wait": .number(wait),
                        "full": .text(TimeText.utc(bucket.full / 1_000)),
                    ]
                    say(try jsonLine(fields))
                case .text:
                    table.add([
                        HarmlessText.line(bucket.charge.key), limit.per.rawValue, limit.of.rawValue,
                        "\(bucket.used(now: time))", "\(limit.limit)", "\(limit.windowSeconds) s", wait > 0 ? "\(wait) s" : "",
                        TimeText.local(bucket.full / 1_000),
                    ])
                }
            }
            if self.format == .text { for line in table.lines { say(line) } }
        }
    }
}

struct RatesReset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Forget what was counted for these keys: who they name can begin anew.",
        discussion: "A running gateway follows within a second or two. Exit code 1: nothing was counted for one of them."
    )

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "Addresses, networks, domains, as `outpost rates list` has them.") var keys: [String]

    func run() async throws {
        try await CommandFailure.reported {
            let store = try RatesCommand.open(try self.options.load())
            try await each(self.keys, missing: "nothing is counted for") { key in
                let count = try await store.reset(key.lowercased())
                return count > 0 ? "\(count) \(count == 1 ? "count" : "counts") forgotten" : nil
            }
        }
    }
}
