import ArgumentParser
import Glibc
import MailStore
import MailTypes

struct QuarantineExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write messages to files (.eml) as they were received.",
        discussion: "A file that exists is not replaced. The files are readable for their owner only."
    )

    @Argument(help: "IDs of messages.")
    var ids: [String]
    @OptionGroup var quarantine: QuarantineOptions
    @Option(name: .shortAndLong, help: "A file for one message, or a directory; default: ID.eml in the current directory.")
    var output = "."

    func run() async throws {
        try await CommandFailure.reported {
            let store = try await self.quarantine.open().store
            let ids = try await QuarantineOptions.resolve(self.ids, in: store)
            var status = stat()
            let isDirectory = stat(self.output, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            guard isDirectory || ids.count == 1 else { throw CommandFailure(.noInput, "\(self.output) is not a directory") }
            for id in ids {
                let path = isDirectory ? "\(self.output)/\(id).eml" : self.output
                try await store.export(id, to: path, by: QuarantineOptions.caller)
                print(path)
            }
        }
    }
}
