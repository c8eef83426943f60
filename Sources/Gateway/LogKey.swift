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
    case shadowHits = "shadow_hits"
    case suspended
    case cuts
    case list
    case limit
    case greylist
    case virus
    case authentication
    case dns
    case dnsList = "dns_list"
    case unchecked
    case repeats
    case downstream
    case inspection
    case milliseconds
    case commands
    case errors
    case accepted
    case refused
    case end
    case entries
    case error
    case file
    case address
    case user
    case version

    static let ordered = Self.allCases.map(\.rawValue)
}

/// Metadata whose keys cannot be misspelt.
struct LogFields: ExpressibleByDictionaryLiteral {
    private(set) var metadata: Logger.Metadata

    init(dictionaryLiteral elements: (LogKey, Logger.Metadata.Value)...) {
        // Room for what is added later, so that the table is built once.
        self.metadata = Logger.Metadata(minimumCapacity: elements.count + 4)
        for (key, value) in elements { self.metadata[key.rawValue] = value }
    }

    subscript(key: LogKey) -> Logger.Metadata.Value? {
        get { self.metadata[key.rawValue] }
        set { self.metadata[key.rawValue] = newValue }
    }
}

extension Logger {
    func log(_ level: Logger.Level, _ message: Logger.Message, _ fields: LogFields) {
        guard level >= self.logLevel else { return }
        self.log(level: level, message, metadata: fields.metadata)
    }
}
