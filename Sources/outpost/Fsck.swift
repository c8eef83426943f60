import ArgumentParser
import Gateway
import MailStore
import QuarantineReview

struct Fsck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck",
        abstract: "Check that what is stored is whole: quarantine and spool with their files, and all other databases.",
        discussion: """
            Works beside a running gateway, and reads every stored message once. Without --repair nothing is changed.

            --repair removes files that no row owns once they are an hour old, corrects permissions, sums and indexes, and puts \
            messages aside that cannot be delivered or released: what is left of them is then in the store's directory damaged/, \
            and nobody is told but you. A damaged database is replaced by what can be read of it, while no gateway runs; the damaged \
            one is kept.

            Exit codes: 0 all is well, or is again; 1 something is left to look at, which includes what was put aside; 66 no \
            configuration, or a directory that cannot be read; 70 internal error; 75 try again.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @Flag(help: "Repair what can be repaired.")
    var repair = false
    @Option(help: "text or json (one problem a line).")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            let directory = try self.options.load().dataDirectory
            var problems: [StoreProblem] = []
            func tell(_ name: String, _ count: String, _ found: [StoreProblem]) {
                problems += found
                guard self.format == .text else { return }
                StandardError.write("\(name): \(count), \(found.filter(\.isOpen).count) problems left\n")
            }
            for store in StoreCheck.Store.allCases {
                guard let check = try StoreCheck(store, dataDirectory: directory, repairs: self.repair) else { continue }
                let report = try check.run()
                tell(store.rawValue, "\(report.messages) messages", report.problems)
            }
            for database in SmallDatabase.all {
                guard let check = SmallDatabaseCheck(database, dataDirectory: directory, repairs: self.repair) else { continue }
                let report = try check.run()
                tell(database.name, "\(report.rows) rows", report.problems)
            }
            switch self.format {
            case .json: for problem in problems { print(try jsonLine(ProblemJSON(problem))) }
            case .text: self.write(problems)
            }
            if problems.contains(where: \.isOpen) { throw ExitCode(CommandFailure.Code.answerIsNo.rawValue) }
        }
    }

    private func write(_ problems: [StoreProblem]) {
        guard !problems.isEmpty else { return }
        print("STORE       PROBLEM           WHERE                 WHAT")
        for problem in problems {
            let remedy = problem.remedy.text.map { " (\($0))" } ?? ""
            let columns = [
                problem.store.padded(10), problem.kind.rawValue.padded(16), HarmlessText.line(problem.name).padded(20),
                HarmlessText.line(problem.detail) + remedy,
            ]
            print(columns.joined(separator: "  "))
        }
    }
}

extension StoreProblem.Remedy {
    /// One word for programs.
    fileprivate var word: String {
        switch self {
        case .none: "none"
        case .mayBeOnItsWay: "young"
        case .done: "done"
        case .putAside: "put-aside"
        }
    }

    fileprivate var text: String? {
        switch self {
        case .none: nil
        case .mayBeOnItsWay: "young: it may be on its way"
        case .done(let text), .putAside(let text): text
        }
    }
}

/// A problem for programs. Fields may be added, never given another meaning.
private struct ProblemJSON: Encodable {
    var store: String
    var problem: String
    /// The message's id or the file's path in the store; empty for what concerns the whole.
    var name: String
    var detail: String
    /// `none`, `young`, `done`, `put-aside`.
    var remedy: String
    var done: String?
    /// Somebody has to look at it.
    var open: Bool

    init(_ problem: StoreProblem) {
        self.store = problem.store
        self.problem = problem.kind.rawValue
        self.name = problem.name
        self.detail = problem.detail
        self.remedy = problem.remedy.word
        self.done = problem.remedy.text
        self.open = problem.isOpen
    }
}
