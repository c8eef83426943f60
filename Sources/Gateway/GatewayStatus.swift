import Foundation

/// How a running gateway is: the answer on its admin socket. Times are UTC as text; counts are since the start, unless it is said.
/// Fields may be added, never given another meaning.
package struct GatewayStatus: Codable, Hashable, Sendable {
    package var version: String
    package var process: Int32
    package var started: String
    package var configuration: Configuration
    package var sessions: Sessions
    package var transactions: Transactions
    package var messages: Messages
    package var inspection: Inspection
    package var scanner: Scanner
    package var rules: Rules
    /// Missing when nothing is asked of the DNS.
    package var dns: DNS?
    package var dnsLists: [DNSList]
    package var routes: [Route]
    /// Missing when it cannot be read; `problems` says why.
    package var spool: Spool?
    package var quarantine: Quarantine?
    /// What could not be found out.
    package var problems: [String]

    package struct Configuration: Codable, Hashable, Sendable {
        package var file: String?
        package var loaded: String
        /// Reloads that have succeeded.
        package var reloads: Int
        /// The last reload, if it failed: the old configuration is in force.
        package var failure: Failure?

        package struct Failure: Codable, Hashable, Sendable {
            package var time: String
            package var reason: String
        }
    }

    package struct Sessions: Codable, Hashable, Sendable {
        package var now: Int
        package var peak: Int
        package var limit: Int
        package var taken: Int
        /// By one of the bounds on sessions.
        package var turnedAway: Int
    }

    /// From MAIL to the final reply.
    package struct Transactions: Codable, Hashable, Sendable {
        package var now: Int
        /// Senders and recipients, by one of the bounds on transactions at once.
        package var refused: Int
        /// Of what is bounded, the keys that are nearest to their bounds.
        package var busiest: [Key]

        package struct Key: Codable, Hashable, Sendable {
            /// `reverse_path`, `sender_domain`, `recipient_domain`.
            package var per: String
            package var key: String
            package var now: Int
            package var limit: Int
        }
    }

    package struct Messages: Codable, Hashable, Sendable {
        /// What was decided.
        package var deliver: Int
        package var tag: Int
        package var hold: Int
        package var reject: Int
        package var `defer`: Int
        package var discard: Int
        /// What senders were told at the end: 2xx, 4xx, 5xx.
        package var repliedPositive: Int
        package var repliedTransient: Int
        package var repliedPermanent: Int
        /// Accepted although a check was missing.
        package var unchecked: Int
        /// Refusals by lists, limits and the DNS before the content came.
        package var refusedEarly: Int
    }

    package struct Inspection: Codable, Hashable, Sendable {
        package var running: Int
        /// For a thread.
        package var waiting: Int
        /// Parts of inspections that are with the virus scanner or the DNS.
        package var elsewhere: Int
        package var bound: Int
        /// Messages that take long: examined now, and waiting for that.
        package var slowRunning: Int
        package var slowWaiting: Int
        /// Because too much waited: clients at connect, and messages.
        package var clientsTurnedAway: Int
        package var messagesPutOff: Int
    }

    package struct Scanner: Codable, Hashable, Sendable {
        /// `builtin`, `clamd`, `none`.
        package var engine: String
        package var isReady: Bool
        package var version: String?
        package var signatures: Int?
        package var databaseVersion: Int?
        package var databaseDate: String?
        package var workers: Int?
        /// Ends of a worker that were not asked for.
        package var restarts: Int?
        package var lastFailure: String?
        /// Of clamd: each place with what it says of itself.
        package var engines: [Engine]?
        package var load = Load()
        /// Scans that may wait.
        package var bound: Int = 0

        /// Scans that are expected to be short, and the others.
        package struct Load: Codable, Hashable, Sendable {
            package var running = 0
            package var waiting = 0
            package var longRunning = 0
            package var longWaiting = 0
        }

        package struct Engine: Codable, Hashable, Sendable {
            package var endpoint: String
            package var version: String?
            package var isResting: Bool
        }
    }

    package struct Rules: Codable, Hashable, Sendable {
        package var files: Int
        package var rules: Int
        /// Those that can give a hit.
        package var scored: Int
        /// `ready`, `compiling`, `unavailable` (every pattern is searched by itself), `none` (there is nothing to search together).
        package var prefilter: String
        package var prefilterGroups: Int
        package var prefilterGroupsReady: Int
        package var suspended: [Suspended]

        package struct Suspended: Codable, Hashable, Sendable {
            package var rule: String
            package var reason: String
        }
    }

    package struct DNS: Codable, Hashable, Sendable {
        /// Empty: those of the system.
        package var servers: [String]
        package var questions: Int
        package var cacheHits: Int
        package var timeouts: Int
        package var failures: Int
        package var open: Int
        package var cached: Int
        package var isAway: Bool
    }

    package struct DNSList: Codable, Hashable, Sendable {
        package var name: String
        package var zone: String
        package var isOn: Bool
        /// Since when it is off, and why.
        package var since: String?
        package var reason: String?
    }

    package struct Route: Codable, Hashable, Sendable {
        package var hosts: [Host]
        /// A connection was made since the start.
        package var wasReached: Bool
        package var inUse: Int
        package var resting: Int
        package var limit: Int

        package struct Host: Codable, Hashable, Sendable {
            package var name: String
            /// Since when every attempt has failed; missing: the last one did not, or there was none.
            package var awaySince: String?
        }
    }

    package struct Spool: Codable, Hashable, Sendable {
        package var messages: Int
        package var octets: Int
        package var oldest: String?
        /// Of the file system.
        package var freeOctets: Int
        /// One more message may be taken.
        package var hasRoom: Bool
    }

    package struct Quarantine: Codable, Hashable, Sendable {
        /// Held messages that nobody has decided about.
        package var waiting: Int
        package var heldOctets: Int
        /// Of refused mail.
        package var copies: Int
        package var copiesOctets: Int
    }
}

extension GatewayStatus {
    /// One line of JSON, keys sorted, words in them joined by `_`.
    package func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }

    package init(encoded line: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Self.self, from: Data(line))
    }
}
