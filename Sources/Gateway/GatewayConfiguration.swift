import MailPolicy
import MailTypes
import SMTPCore
import SenderAuth
import SenderReputation

/// Everything the gateway is told, as one immutable value. A connection keeps the one it was accepted with.
///
/// `ConfigurationFile` reads it from YAML; nothing here knows the format.
package struct GatewayConfiguration: Hashable, Sendable {
    /// The file that it was read from, for listings; nil: from none.
    package var file: String?
    /// EHLO name and `Received`.
    package var hostname: String
    /// Quarantine, caches and temporary files.
    package var dataDirectory: String
    package var listeners: [Listener]
    package var domains: [Domain]
    /// By name; `default` is always there.
    package var policies: [String: Policy]
    /// Directories of `.cf` files, in order; in each the `*.pre`, then the `*.cf` files by name.
    package var ruleDirectories: [String]
    package var antivirus: Antivirus
    package var lists: Lists
    /// nil: no message is delayed.
    package var greylist: GreylistSettings?
    package var rates: [RateLimit]
    package var limits: Limits
    package var quarantine: Quarantine
    package var spool: Spool
    package var ledger: Ledger
    package var log: Log
    package var admin = Admin()
    /// Addresses of DNS servers; empty: the system's.
    package var dnsServers: [String]
    /// A file with the key of the root, for DNSSEC; nil: it is not checked.
    package var dnsTrustAnchor: String?
    /// Milliseconds for one question.
    package var dnsTimeoutMilliseconds: Int
    package var authentication: Authentication
    package var connectionChecks: ConnectionChecks
    package var dnsLists: DNSLists
    /// Rules may ask the DNS.
    package var rulesAskNetwork: Bool
    package var dmarcReports = DMARCReports()
    /// The user (and its group) the process becomes after binding, when started as root; nil: stays.
    package var runAsUser: String?

    package init(hostname: String, dataDirectory: String) {
        self.hostname = hostname
        self.dataDirectory = dataDirectory
        self.listeners = []
        self.domains = []
        self.policies = ["default": Policy(name: "default")]
        self.ruleDirectories = []
        self.antivirus = Antivirus()
        self.lists = Lists()
        self.greylist = nil
        self.rates = []
        self.limits = Limits()
        self.quarantine = Quarantine()
        self.spool = Spool()
        self.ledger = Ledger()
        self.log = Log()
        self.dnsServers = []
        self.dnsTrustAnchor = nil
        self.dnsTimeoutMilliseconds = 5_000
        self.authentication = Authentication()
        self.connectionChecks = ConnectionChecks()
        self.dnsLists = DNSLists()
        self.rulesAskNetwork = false
        self.runAsUser = nil
    }

    package struct Listener: Hashable, Sendable {
        package var address: IPAddress
        package var port: UInt16
        package var tls: TLS?
        /// Networks whose connections start with a PROXY header; from others it is refused.
        package var proxyProtocolFrom: [IPNetwork] = []
        package var xclientFrom: [IPNetwork] = []
        /// Connections waiting to be accepted, kernel's queue: as many as Linux allows at first. Whoever finds it full tries again
        /// after a second.
        package var backlog: Int = 4_096

        package init(address: IPAddress, port: UInt16, tls: TLS? = nil) {
            self.address = address
            self.port = port
            self.tls = tls
        }
    }

    /// How it is found out who really sends.
    package struct Authentication: Hashable, Sendable {
        package var isEnabled = true
        /// The published list of public suffixes; it is read when the configuration is.
        package var publicSuffixList = "/usr/share/publicsuffix/public_suffix_list.dat"
        /// DMARC's domains are found by asking the tree instead.
        package var usesTreeWalk = false
        /// Seconds that one message's questions may take in all; what is left then counts as not answered.
        package var budgetSeconds = 10
        package var seal: SigningIdentity?

        package init() {}
    }

    /// In whose name something is signed, and the key for that.
    package struct SigningIdentity: Hashable, Sendable {
        package var domain: String
        package var selector: String
        /// PEM, without a passphrase.
        package var privateKey: String

        package init(domain: String, selector: String, privateKey: String) {
            self.domain = domain
            self.selector = selector
            self.privateKey = privateKey
        }
    }

    /// What is asked about clients and their envelopes.
    package struct ConnectionChecks: Hashable, Sendable {
        /// Names are looked up: of clients, of EHLO, of senders' domains.
        package var isEnabled = true
        package var policy = ConnectionPolicy()
        /// Seconds for the questions about one client or one envelope; what is left then counts as not answered.
        package var budgetSeconds = 5

        package init() {}
    }

    /// Reports for the owners of domains about mail in their name.
    package struct DMARCReports: Hashable, Sendable {
        package var isEnabled = false
        package var organization = ""
        /// In From of the reports, where questions about them go.
        package var email: MailAddress?
        /// The reports' envelope sender, where failures go; nil: `email`.
        package var sender: MailAddress?
        /// A page or a telephone number.
        package var contact: String?
        package var schema = DMARCReport.Schema.rfc7489
        /// Signs the reports (DKIM); nil: whoever sends them on does.
        package var signing: SigningIdentity?
        /// In order; empty: the downstream of the first domain.
        package var relay: [Host] = []
        package var relayTLS = DownstreamTLS.opportunistic
        /// Days that what reports are made of is kept.
        package var keptDays = 30

        package init() {}
    }

    /// Block and allow lists in the DNS.
    package struct DNSLists: Hashable, Sendable {
        package var lists: [DNSList] = []
        /// Hosts of one message's links that are looked up: SpamAssassin's number; honest mail has fewer, and each costs a
        /// question to every list.
        package var maximumLinkedHosts = 20
        /// Domains of links that are never looked up.
        package var skippedDomains: [String] = []
        /// Milliseconds that a greeting waits for lists where they can keep a client from being greeted: most answer within a tenth
        /// of a second, and a client waits five minutes (RFC 5321 §4.5.3.2.1).
        package var greetingWaitMilliseconds = 2_000

        package init() {}
    }

    /// Something has to be asked of the DNS.
    package var asksDNS: Bool {
        self.authentication.isEnabled || self.connectionChecks.isEnabled || !self.dnsLists.lists.isEmpty || self.rulesAskNetwork
    }

    package struct TLS: Hashable, Sendable {
        /// PEM files; the first is used for clients that name no host or one we do not know (SNI).
        package var certificates: [CertificateFiles]
        /// Mail is taken only after STARTTLS (530 5.7.0).
        package var required: Bool = false

        package init(certificates: [CertificateFiles], required: Bool = false) {
            self.certificates = certificates
            self.required = required
        }
    }

    package struct CertificateFiles: Hashable, Sendable {
        package var certificate: String
        package var privateKey: String

        package init(certificate: String, privateKey: String) {
            self.certificate = certificate
            self.privateKey = privateKey
        }
    }

    package enum DownstreamTLS: String, Hashable, Sendable, CaseIterable {
        case none
        /// Encrypted when offered, without checking whose certificate it is.
        case opportunistic
        /// Encrypted and verified, or no mail goes there.
        case required
    }

    package enum WhenAway: String, Hashable, Sendable, CaseIterable {
        case `defer`
        /// Take the mail and keep it until the server is back.
        case spool
    }

    package struct Host: Hashable, Sendable, CustomStringConvertible {
        /// A host name or an address without brackets.
        package var name: String
        package var port: UInt16

        package init(name: String, port: UInt16) {
            self.name = name
            self.port = port
        }

        package var description: String { self.name.contains(":") ? "[\(self.name)]:\(self.port)" : "\(self.name):\(self.port)" }
    }

    /// Where the mail of some domains goes and under which policy. Recipients with equal `Route` and policy share a
    /// transaction.
    package struct Domain: Hashable, Sendable {
        /// `example.com`, `*.example.com` (any depth below, not the name itself), lower case.
        package var names: [String]
        package var route: Route
        package var policy: String
        /// Policies for single recipients, by folded address; `local@` counts in every domain of this entry.
        package var recipientPolicies: [String: String]

        package init(names: [String], route: Route, policy: String = "default", recipientPolicies: [String: String] = [:]) {
            self.names = names
            self.route = route
            self.policy = policy
            self.recipientPolicies = recipientPolicies
        }
    }

    package struct Route: Hashable, Sendable {
        /// In order; the next is tried when one is away.
        package var hosts: [Host]
        package var tls: DownstreamTLS = .opportunistic
        /// PEM file of authorities for `required`; nil: the system's.
        package var certificateAuthorities: String?
        package var whenAway: WhenAway = .defer
        /// Tell the downstream the real client with XCLIENT, where it offers that.
        package var sendsXCLIENT = false
        /// Connections open at once to this route.
        package var maxConnections = 50
        /// Seconds that an unused connection is kept; below most servers' own limit.
        package var idleSeconds = 30
        package var connectSeconds = 10
        /// Seconds for one reply, the final one excepted.
        package var replySeconds = 60
        /// Seconds for the reply to the end of data (RFC 5321 §4.5.3.2.6 wants 10 minutes of a client).
        package var finalReplySeconds = 600

        package init(hosts: [Host]) {
            self.hosts = hosts
        }

        /// Its hosts, as log and quarantine name it.
        package var name: String { self.hosts.map(\.description).joined(separator: ",") }
    }

    package struct Antivirus: Hashable, Sendable {
        package enum Engine: String, Hashable, Sendable, CaseIterable {
            case builtin
            case clamd
            case none
        }

        package var engine: Engine = .builtin
        /// Directory of signature databases.
        package var database = "/var/lib/clamav"
        /// `unix:/path` or `host:port`, tried in order.
        package var clamd: [String] = ["unix:/run/clamav/clamd.ctl"]
        package var onFailure: FailurePolicy = .defer
        /// Seconds one message's scan may take, the retry included.
        package var budgetSeconds = 30
        /// Scans at once in one worker; 0: as many as there are cores.
        package var concurrency = 0
        /// Octets of one file inside an archive; larger members raise `Heuristics.Limits.Exceeded`.
        package var maxFileSize = 100 * 1_048_576
        /// Octets of everything unpacked from one message.
        package var maxScanSize = 400 * 1_048_576
        package var maxRecursion = 17
        package var maxFiles = 10_000
        /// Path of `outpost-scanner`; nil: beside the running program.
        package var scannerPath: String?
        /// The user the scanner runs as when started as root.
        package var runAsUser: String?

        package init() {}
    }

    /// Senders that are let through or refused whatever the content (virus scan excepted).
    package struct Lists: Hashable, Sendable {
        /// Entries: an address, a domain (`example.org`, `*.example.org`), a network (`192.0.2.0/24`), or one of those of
        /// `ListEntry.configured` with a mark.
        package var allow: [String] = []
        package var deny: [String] = []
        /// Clients that may use our own name and domains: hosts of our own that send through us.
        package var trusted: [IPNetwork] = ["127.0.0.0/8", "::1"].compactMap { IPNetwork($0) }

        /// As entries; lines that are none are left out, the configuration's reader has refused them.
        package var entries: [ListEntry] {
            func entries(_ lines: [String], _ action: ListEntry.Action) -> [ListEntry] {
                lines.enumerated().compactMap { try? ListEntry.configured($1, action: action, index: $0) }
            }
            return entries(self.allow, .allow) + entries(self.deny, .deny)
        }

        package init() {}
    }

    package struct Limits: Hashable, Sendable {
        package var session = SessionLimits()
        package var bareLineEnds: BareLineEnds = .refuse
        /// Sessions in all and from one address; beyond either 421.
        package var sessions = 10_000
        package var sessionsPerAddress = 50
        /// From one /24 or /64; as many as in all unless it is set.
        package var sessionsPerNetwork = 10_000
        /// By sender and recipients' domain; beyond it 450.
        package var transactions = OpenTransactionLimits()
        /// Seconds for all checks of one message; then 451, and the finished verdict waits for the retry.
        package var inspectionSeconds = 45
        /// Messages being inspected at once; 0: as many as there are cores.
        package var inspections = 0
        /// Messages waiting to be inspected; beyond that 451 4.3.2.
        package var inspectionQueue = 1_000
        /// Messages that take long and wait for that, in all and from one /24 or /64; beyond either 451 4.3.2.
        package var slowQueue = 64
        package var slowQueuePerNetwork = 8
        /// Octets of a message kept in memory while it arrives; more goes to an unlinked file.
        package var memoryThreshold = 256 * 1_024
        /// Octets of a message's header section.
        package var headerSize = 256 * 1_024
        package var mimeDepth = 64
        package var mimeParts = 1_000
        /// PCRE2: steps of one match, and KiB of heap.
        package var patternMatchLimit = 100_000
        package var patternHeapKiB = 1_024
        /// Seconds that open transactions get to finish after SIGTERM.
        package var graceSeconds = 30

        package init() {}
    }

    package struct Quarantine: Hashable, Sendable {
        /// Days that held messages and copies of refused ones are kept.
        package var keepDays = 30
        package var keepRejectedDays = 7
        /// Octets of all copies of refused mail, and of everything.
        package var maxRejectedSize = 1_073_741_824
        package var maxSize = 10 * 1_073_741_824

        package init() {}
    }

    /// Mail that was taken for servers that are away.
    package struct Spool: Hashable, Sendable {
        /// Octets and number of all messages; beyond either 452.
        package var maxSize = 10 * 1_073_741_824
        package var maxMessages = 100_000
        /// Octets that the file system must have free; below that 452.
        package var minimumFree = 256 * 1_048_576
        /// Seconds after which a message is given up. RFC 5321 §4.5.4.1 asks for 4 to 5 days.
        package var expireSeconds = 5 * 86_400
        /// Seconds after which a sender is told that the message still waits; 0: never. RFC 5321 §4.5.4.1 leaves it open; 4 hours are
        /// what mail servers have long done.
        package var delayWarningSeconds = 4 * 3_600
        /// Messages that are handed to one route at once.
        package var deliveries = 10
        /// Hosts that notices to senders go to, in order; empty: those that MX records name.
        package var relay: [Host] = []

        package init() {}
    }

    /// Messages whose clients may not have heard that they were taken.
    package struct Ledger: Hashable, Sendable {
        /// Seconds; 0: nothing is written down. Mail servers try again within minutes or hours.
        package var rememberSeconds = 86_400
        /// Beyond that the oldest are forgotten. One takes some 200 octets of the disk.
        package var maxEntries = 1_000_000

        package init() {}
    }

    /// The socket on which a running gateway answers questions.
    package struct Admin: Hashable, Sendable {
        /// nil: `admin.sock` in the data directory.
        package var socket: String?
        /// Who may ask beside root and the gateway's own user: names or numbers.
        package var users: [String] = []
        package var groups: [String] = []

        package init() {}
    }

    package struct Log: Hashable, Sendable {
        package enum Format: String, Hashable, Sendable, CaseIterable {
            case text
            case json
        }

        package var format: Format = .text
        /// trace, debug, info, warning, error.
        package var level = "info"

        package init() {}
    }
}
