import Foundation
import SystemKit

/// Asks a running gateway.
package enum AdminClient {
    package enum Failure: Error, Hashable, Sendable {
        /// Nobody answers at this path.
        case noGateway
        /// The socket is there and not for this user.
        case notAllowed
        /// The gateway says why it does not answer.
        case refused(String)
        case failed(SystemError)
    }

    /// - Returns: the answer, one line of JSON without its end.
    package static func ask(_ command: AdminRequest.Command, path: String) throws(Failure) -> [UInt8] {
        let line: [UInt8]
        do throws(SystemError) {
            let deadline = ContinuousClock.now + AdminBounds.patience
            let connection = try StreamSocket(connectingTo: path, deadline: deadline)
            // A gateway that turns us away may have closed already; what it said can still be read.
            do throws(SystemError) {
                try connection.write(AdminRequest(command).line ?? [], deadline: deadline)
            } catch  where error.code == EPIPE {}
            line = try connection.line(limit: AdminBounds.answer, deadline: deadline)
        } catch {
            switch error.code {
            case ENOENT, ECONNREFUSED, ENOTDIR: throw .noGateway
            case EACCES, EPERM: throw .notAllowed
            default: throw .failed(error)
            }
        }
        if let refusal = try? JSONDecoder().decode(AdminRefusal.self, from: Data(line)) { throw .refused(refusal.error) }
        return line
    }
}
