import MailTypes
import Synchronization
import UnboundKit

/// Asks the DNS through libunbound. The same question asked by many at once goes out once, answers are kept as long as they
/// are good, and every question has an end in time.
package final class DNSClient: DNSResolver {
    package struct Configuration: Hashable, Sendable {
        /// `192.0.2.1:53`, `[2001:db8::1]:53`; empty: those of the system.
        package var servers: [String]
        /// A file with the key of the root; nil: DNSSEC is not checked.
        package var trustAnchor: String?
        /// Milliseconds after which a question counts as not answered.
        package var timeoutMilliseconds: Int

        package init(servers: [String] = [], trustAnchor: String? = nil, timeoutMilliseconds: Int = 5_000) {
            self.servers = servers
            self.trustAnchor = trustAnchor
            self.timeoutMilliseconds = timeoutMilliseconds
        }
    }

    /// Questions on their way at once; more are answered with a failure at once, so that a flood cannot fill memory.
    static let maximumQuestions = 10_000

    /// Records of one answer that are taken; the rest is not read.
    package static var maximumRecords: Int { UnboundContext.maximumRecords }

    private typealias Question = AnswerCache.Question

    /// Who waits for a question that is on its way.
    private typealias Waiters = [CheckedContinuation<DNSResponse, Never>]

    /// What was asked since the client was made; for listings.
    package struct Figures: Hashable, Sendable {
        /// Questions of ours, and how many of them were answered from the cache.
        package var questions = 0
        package var cacheHits = 0
        /// Of those that went out: without an answer in time, and with one that is a failure (SERVFAIL, a wrong signature…).
        package var timeouts = 0
        package var failures = 0
        /// On their way now.
        package var open = 0
        /// Answers that are kept; one that was asked for again lately may count twice.
        package var cached = 0
        /// The servers do not answer; questions fail at once.
        package var isAway = false
    }

    private struct State {
        var figures = Figures()
        var cache = AnswerCache()
        var open: [Question: Waiters] = [:]
        var health = ServerHealth()
    }

    private let resolver: UnboundResolver
    /// Servers that the configuration names: they can be looked at before they are asked.
    private let servers: [(address: String, port: UInt16)]
    private let state = Mutex(State())

    package init(_ configuration: Configuration) throws(UnboundError) {
        var unbound = UnboundContext.Configuration()
        self.servers = configuration.servers.map(Self.parts(of:))
        // libunbound writes a port behind an @.
        unbound.servers = self.servers.map { "\($0.address)@\($0.port)" }
        unbound.trustAnchor = configuration.trustAnchor
        self.resolver = try UnboundResolver(unbound, timeout: .milliseconds(configuration.timeoutMilliseconds))
    }

    /// `192.0.2.1:53`, `[2001:db8::1]:53`, or an address alone.
    private static func parts(of server: String) -> (address: String, port: UInt16) {
        let end = server.lastIndex(of: "]")
        let colon =
            end == nil && server.filter { $0 == ":" }.count > 1 ? nil : server[(end ?? server.startIndex)...].lastIndex(of: ":")
        let port = colon.flatMap { UInt16(server[server.index(after: $0)...]) } ?? 53
        let address = server[..<(colon ?? server.endIndex)].filter { $0 != "[" && $0 != "]" }
        return (String(address), port)
    }

    package func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse {
        let question = Question(name: name, type: type)
        let now = ContinuousClock.now
        let known = self.state.withLock { state in
            let known = state.cache.find(question, now: now)
            state.figures.questions += 1
            if known != nil { state.figures.cacheHits += 1 }
            return known
        }
        if let known { return known }
        return await withCheckedContinuation { continuation in self.join(question, continuation) }
    }

    package var figures: Figures {
        self.state.withLock { state in
            var figures = state.figures
            figures.open = state.open.count
            figures.cached = state.cache.count
            figures.isAway = state.health.isAway
            return figures
        }
    }

    private enum Joined {
        case started(probes: Bool)
        case waits
        case refused(DNSFailure)
    }

    /// How long a server may take to show that it is there; one that is slower is asked all the same.
    private static let probeMilliseconds: Int32 = 20

    private func join(_ question: Question, _ continuation: CheckedContinuation<DNSResponse, Never>) {
        let joined = self.state.withLock { state -> Joined in
            if state.open[question] != nil {
                state.open[question]?.append(continuation)
                return .waits
            }
            guard state.open.count < Self.maximumQuestions else { return .refused(.failed("too many open questions")) }
            let advice = state.health.advice(now: .now)
            if advice == .fail { return .refused(.timeout) }
            state.open[question] = [continuation]
            return .started(probes: advice == .probe && !self.servers.isEmpty)
        }
        switch joined {
        case .waits: break
        case .refused(let failure): continuation.resume(returning: DNSResponse(.failure(failure)))
        case .started(probes: false): self.ask(question)
        case .started(probes: true):
            self.resolver.look(at: self.servers, milliseconds: Self.probeMilliseconds) { refuse in
                guard refuse else { return self.ask(question) }
                self.state.withLock { $0.health.refused(now: .now) }
                self.finish(question, DNSResponse(.failure(.failed("the DNS server refuses connections"))))
            }
        }
    }

    private func ask(_ question: Question) {
        self.resolver.ask("\(question.name)", type: question.type.rawValue) { outcome in
            self.state.withLock { state in
                if outcome == nil { state.health.timedOut(now: .now) } else { state.health.answered(now: .now) }
            }
            self.finish(question, Self.response(outcome, question.type))
        }
    }

    private func finish(_ question: Question, _ response: DNSResponse) {
        let now = ContinuousClock.now
        let waiters = self.state.withLock { state in
            switch response.outcome {
            case .failure(.timeout): state.figures.timeouts += 1
            case .failure: state.figures.failures += 1
            case .found, .noData, .noName: break
            }
            state.cache.keep(response, question, now: now)
            return state.open.removeValue(forKey: question) ?? []
        }
        for waiter in waiters { waiter.resume(returning: response) }
    }

    private static func response(_ outcome: UnboundResolver.Outcome, _ type: DNSRecordType) -> DNSResponse {
        switch outcome {
        case nil:
            return DNSResponse(.failure(.timeout))
        case .failure(let error):
            return DNSResponse(.failure(.failed(error.description)))
        case .success(let answer):
            if answer.isBogus { return DNSResponse(.failure(.bogus)) }
            if answer.isCut { return DNSResponse(.failure(.failed("the answer is too long"))) }
            let records = answer.records.compactMap { RecordData.record($0, type) }
            let found: DNSResponse.Outcome
            switch answer.code {
            case 0:
                found = records.isEmpty ? (answer.records.isEmpty ? .noData : .failure(.failed("wrong data"))) : .found(records)
            case 3: found = .noName
            default: found = .failure(.serverFailure(code: answer.code))
            }
            return DNSResponse(found, isSecure: answer.isSecure, timeToLive: answer.timeToLive)
        }
    }
}
