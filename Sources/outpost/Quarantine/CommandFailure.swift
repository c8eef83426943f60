import ArgumentParser
import Foundation
import Glibc
import MailStore
import SystemKit

/// Why a command ends with another code than 0, in words for the person who called it.
struct CommandFailure: Error, CustomStringConvertible {
    /// The exit codes of every command.
    enum Code: Int32 {
        case answerIsNo = 1
        case wrongUse = 64
        case noInput = 66
        case inside = 70
        case tryAgain = 75
    }

    var code: Code
    var description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as QuarantineError: self.init(error.commandCode, error.description)
        case let error as SpoolError: self.init(error == .full ? .tryAgain : .noInput, error.description)
        case let error as SystemError:
            let isInput = [ENOENT, EEXIST, EACCES, EISDIR, ENOTDIR].contains(error.code)
            self.init(isInput ? .noInput : .inside, error.description)
        default:
            let database = DatabaseTrouble(error)
            self.init(database?.isBusy == true ? .tryAgain : .inside, database?.text ?? "\(error)")
        }
    }

    /// Runs a command's work; a failure is told on standard error and becomes the exit code.
    static func reported(_ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let code as ExitCode {
            throw code
        } catch {
            throw CommandFailure(error).told()
        }
    }

    /// Tells it on standard error.
    func told() -> ExitCode {
        StandardError.write("outpost: \(self.description)\n")
        return ExitCode(self.code.rawValue)
    }
}

extension QuarantineError {
    fileprivate var commandCode: CommandFailure.Code {
        switch self {
        case .notFound, .damaged: .noInput
        case .notAnID, .ambiguous, .reviewOnly: .wrongUse
        case .deleted, .alreadyReleased, .exists: .answerIsNo
        case .beingReleased, .claimLost, .full: .tryAgain
        case .unusable: .noInput
        }
    }
}

/// Standard error, unbuffered.
enum StandardError {
    static func write(_ text: String) {
        // Where standard error is closed there is nobody to tell.
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
