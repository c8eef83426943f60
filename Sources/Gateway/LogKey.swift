import Logging

/// The names of all fields in the log, in the order in which a line shows them. `docs/logging.md` describes each.
package enum LogKey: String, CaseIterable, Sendable {
    case id
    case client
    case helo
    case tls
    case from
    case to
    case recipients
    case octets
    case disposition
    case reply
    case policy
    case reason
    case score
    case hits
    case virus
    case unchecked
    case downstream
    case inspection
    case milliseconds
    case commands
    case errors
    case accepted
    case refused
    case end
    case error
    case file
    case address
    case user
    case version
}

/// Metadata whose keys cannot be misspelt.
typealias LogFields = [LogKey: Logger.Metadata.Value]

extension Logger {
    func log(_ level: Logger.Level, _ message: Logger.Message, _ fields: LogFields) {
        guard level >= self.logLevel else { return }
        var metadata = Logger.Metadata(minimumCapacity: fields.count)
        for (key, value) in fields {
            metadata[key.rawValue] = value
        }
        self.log(level: level, message, metadata: metadata)
    }
}
