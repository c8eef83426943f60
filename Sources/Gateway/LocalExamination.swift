import ContentStorage
import MailChecks
import MailMessage
import MailPolicy
import MailRules
import MailTypes
import OpenSSLKit
import SenderAuth

/// A message taken apart, and how long that took.
struct ParsedContent: Sendable {
    let message: ParsedMessage
    let microseconds: Int

    init(_ bytes: [UInt8], limits: ParserLimits) {
        let watch = Stopwatch()
        self.message = ParsedMessage(bytes, limits: limits)
        self.microseconds = watch.microseconds
    }
}

/// A received message, read and taken apart.
enum MessageReading: Sendable {
    struct Read: Sendable {
        var message: ParsedMessage
        var key: VerdictCache.Key
        /// What an earlier try of the same message has left.
        var known: (scan: ScanFindings?, rules: RuleFindings?)
        var report: CheckReport
        /// Authentication-Results fields that claim to be ours, as ranges of the message: they do not go on, whether or not we
        /// have something to say ourselves (RFC 8601 §5).
        var forgedFields: [Range<Int>]
    }

    case success(Read)
    case failure(CheckFailure)

    static func read(_ subject: InspectionSubject, snapshot: GatewaySnapshot, cache: VerdictCache) -> MessageReading {
        let bytes: [UInt8]
        do {
            bytes = try subject.content.bytes()
        } catch {
            return .failure(.failed("reading the message: \(error)"))
        }
        let key = VerdictCache.Key(contentHash: SHA256.hash(bytes), generation: snapshot.generation)
        let parsed = subject.parsed ?? ParsedContent(bytes, limits: snapshot.parserLimits)
        let message = parsed.message
        let report = CheckReport(check: "parse", result: "\(message.parts.count) parts", microseconds: parsed.microseconds)
        return .success(
            Read(
                message: message,
                key: key,
                known: cache.find(key, envelope: subject.envelope),
                report: report,
                forgedFields: AuthenticationResults.forged(in: message, hostname: snapshot.configuration.hostname)
            )
        )
    }

    /// What checks and rules find, or why there is nothing to look at.
    func examination(_ course: MessageInspector.Course) -> LocalExamination.Outcome {
        switch self {
        case .success(let read): .success(LocalExamination.run(read, course.subject, snapshot: course.snapshot))
        case .failure(let reason): .failure(reason)
        }
    }
}

/// Everything that is found out about a message in this process, on one thread: parse, checks, rules.
struct LocalExamination: Sendable {
    enum Outcome: Sendable {
        case success(LocalExamination)
        case failure(CheckFailure)
    }

    var key: VerdictCache.Key
    var checks: CheckFindings
    var rules: RuleFindings
    var reports: [CheckReport]
    var forgedFields: [Range<Int>]
    /// For listings: decoded and cut to a line's length.
    var subject: String
    var headerFrom: String
    /// The addresses of From, for the lists.
    var fromAddresses: [MailAddress]
    /// SHA-256 of the body, for the greylist; empty where nobody asks for it.
    var bodyHash: [UInt8]

    /// Characters of a subject or sender that a listing may want.
    private static let listingLength = 200

    /// Checks and rules.
    static func run(_ read: MessageReading.Read, _ subject: InspectionSubject, snapshot: GatewaySnapshot) -> LocalExamination {
        let message = read.message
        var reports = [read.report]
        let checks = snapshot.checks.run(message, subject)
        reports += checks.reports
        let watch = Stopwatch()
        let rules = read.known.rules ?? snapshot.evaluateRules(message, envelope: subject.envelope, goal: subject.goal)
        if snapshot.rules != nil {
            let result = rules.failure == nil ? "\(rules.hits.count) hits" : "not completed"
            reports.append(CheckReport(check: "rules", result: result, microseconds: watch.microseconds))
        }
        if let network = subject.envelope.network {
            let unanswered = network.unanswered == 0 ? "" : ", \(network.unanswered) questions without an answer"
            let result = "\(network.hits.count) rules found something\(unanswered)"
            reports.append(CheckReport(check: "rules_network", result: result, microseconds: 0))
        }
        return LocalExamination(
            key: read.key,
            checks: checks,
            rules: rules,
            reports: reports,
            forgedFields: read.forgedFields,
            subject: self.listing(message, "Subject"),
            headerFrom: self.listing(message, "From"),
            fromAddresses: SenderCheck.headerFrom(message),
            bodyHash: snapshot.configuration.greylist == nil ? [] : SHA256.hash(message.bodyBytes)
        )
    }

    private static func listing(_ message: ParsedMessage, _ name: String) -> String {
        guard let field = message.fields(named: name).first else { return "" }
        return String(String(decoding: message.decodedValue(of: field), as: UTF8.self).prefix(self.listingLength))
    }
}

extension ParsedMessage {
    /// Everything behind the header.
    fileprivate var bodyBytes: [UInt8] { Array(self.bytes[(self.parts.first?.body.lowerBound ?? self.bytes.endIndex)...]) }

    /// Each leaf as our parser decodes it, files that are written into text by uuencode, and messages inside an encoding. The
    /// engine takes messages apart by itself, too; what both see differently is where viruses hide. Where the message can be
    /// read in several ways, what each of them yields.
    var partsForScan: [[UInt8]] {
        let leaves = self.parts.filter { !$0.isContainer && $0.body.count > 0 }
        // A single plain part is the message itself, which the engine gets anyway.
        let decoded = leaves.filter { self.parts.count > 1 || $0.encoding != .identity }.map { self.content(of: $0) }
        return decoded + leaves.flatMap { self.uuencodedFiles(in: $0).map(\.content) } + self.readings.contents
    }
}
