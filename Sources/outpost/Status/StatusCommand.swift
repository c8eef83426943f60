import AdminSocket
import ArgumentParser
import Gateway
import SystemKit

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Ask the running gateway how it is.",
        discussion: """
            The gateway answers on its admin socket (admin.socket), to root, to its own user, and to those that the settings in \
            admin name. Counts are since its start; times in JSON are UTC, those in text are local.

            Exit codes: 0 it answers, 64 wrong use, 66 the configuration or the socket cannot be read, 70 internal error, 75 no \
            gateway runs with this configuration.
            """
    )

    @OptionGroup var options: ConfigurationOption
    @Option(help: "text or json (one object).")
    var format = OutputFormat.text

    func run() async throws {
        try await CommandFailure.reported {
            let path = try self.options.adminSocket()
            let answer: [UInt8]
            do throws(AdminClient.Failure) {
                answer = try AdminClient.ask(.status, path: path)
            } catch {
                throw CommandFailure(error, path: path)
            }
            switch self.format {
            case .json: say(String(decoding: answer, as: UTF8.self))
            case .text:
                guard let status = try? GatewayStatus(encoded: answer) else {
                    throw CommandFailure(
                        .inside,
                        "the gateway's answer cannot be read: is it of another version than this command?"
                    )
                }
                for line in StatusText.lines(of: status) { say(line) }
            }
        }
    }
}

extension CommandFailure {
    fileprivate init(_ failure: AdminClient.Failure, path: String) {
        switch failure {
        case .noGateway:
            self.init(.tryAgain, "no gateway runs with this configuration: nobody answers at \(path)")
        case .notAllowed:
            self.init(.noInput, "\(path): you may not ask: be root or the gateway's user, or be named in `admin`")
        case .refused(let reason): self.init(.noInput, "\(path): \(reason)")
        case .failed(let error) where error.isTimeout:
            self.init(.tryAgain, "\(path): the gateway did not answer in time")
        case .failed(let error): self.init(.inside, "\(path): \(error)")
        }
    }
}
