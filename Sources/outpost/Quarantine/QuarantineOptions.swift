import ArgumentParser
import Glibc
import MailStore
import MailTypes
import QuarantineReview

/// Options of every quarantine command: which quarantine, and who asks.
struct QuarantineOptions: ParsableArguments {
    @Option(help: "The configuration file. Default: $OUTPOST_CONFIG, or /etc/outpost/outpost.yaml.")
    var config: String?

    @Option(help: "Open this quarantine directory itself, without a configuration; releases are then not possible.")
    var directory: String?

    func validate() throws {
        if self.config != nil, self.directory != nil { throw ValidationError("Give --config or --directory, not both.") }
    }

    func open() async throws -> QuarantineEnvironment {
        if let directory = self.directory {
            guard access(directory + "/quarantine.sqlite", F_OK) == 0 else {
                throw CommandFailure(.noInput, "\(directory) is no quarantine: there is no quarantine.sqlite in it")
            }
            return QuarantineEnvironment(store: try QuarantineStore(directory: directory))
        }
        return try await QuarantineEnvironment.load(configuration: self.configurationPath)
    }

    private var configurationPath: String {
        if let config = self.config { return config }
        if let value = getenv("OUTPOST_CONFIG") { return String(cString: value) }
        return "/etc/outpost/outpost.yaml"
    }

    /// Who asks, for the audit trail: behind sudo the person, not root.
    static var caller: String {
        if geteuid() == 0, let value = getenv("SUDO_USER") { return String(cString: value) }
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name else { return "uid \(getuid())" }
        return String(cString: name)
    }

    /// The messages that these texts stand for.
    static func resolve(_ texts: [String], in store: QuarantineStore) async throws -> [TransactionID] {
        var ids: [TransactionID] = []
        for text in texts {
            let id = try await store.resolve(text)
            if !ids.contains(id) { ids.append(id) }
        }
        return ids
    }
}

/// Options that choose messages.
struct FilterOptions: ParsableArguments {
    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case held
        case rejected
        case all
    }

    enum State: String, ExpressibleByArgument, CaseIterable {
        case waiting
        case released
        case deleted
        case all
    }

    @Option(help: "held: waits for a decision; rejected: copies of refused mail; all.")
    var kind: Kind?

    @Option(help: "waiting, released, deleted, all.")
    var state: State?

    @Option(help: "Received since: an age (90m, 12h, 30d, 4w), a day (2026-11-23), or a time (2026-11-23T18:30:00Z).")
    var since: TimePoint?

    @Option(help: "Received before: as --since.")
    var until: TimePoint?

    @Option(help: "Part of the sender's address or of the From field.")
    var from: String?

    @Option(help: "Part of a recipient's address.")
    var to: String?

    @Option(help: "Messages that this rule hit; * stands for any text.")
    var rule: String?

    @Option(help: "Messages with this virus signature; * stands for any text.")
    var signature: String?

    @Option(help: "At most so many messages, the newest first.")
    var limit = 100

    @Option(help: "Leave out so many of the newest.")
    var offset = 0

    func validate() throws {
        if self.limit < 1 || self.offset < 0 { throw ValidationError("--limit is 1 or more, --offset 0 or more.") }
    }

    func filter(kind: Kind, state: State, text: String? = nil) -> QuarantineFilter {
        QuarantineFilter(
            kind: QuarantineRecord.Kind(rawValue: (self.kind ?? kind).rawValue),
            states: (self.state ?? state).states,
            since: self.since?.milliseconds,
            until: self.until?.milliseconds,
            from: self.from,
            to: self.to,
            rule: self.rule,
            signature: self.signature,
            text: text
        )
    }
}

extension FilterOptions.State {
    fileprivate var states: Set<QuarantineState> {
        switch self {
        case .waiting: [.waiting, .releasing]
        case .released: [.released]
        case .deleted: [.deleted]
        case .all: []
        }
    }
}
