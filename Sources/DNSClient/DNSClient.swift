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
    private typealias Question = AnswerCache.Question

    /// Who waits for a question that is on its way.
    private typealias Waiters = [CheckedContinuation<DNSResponse, Never>]

    private struct State {
        var cache = AnswerCache()
        var open: [Question: Waiters] = [:]
    }

    private let resolver: UnboundResolver
    private let state = Mutex(State())

    package init(_ configuration: Configuration) throws(UnboundError) {
        var unbound = UnboundContext.Configuration()
        unbound.servers = configuration.servers.map(Self.withAtSign)
        unbound.trustAnchor = configuration.trustAnchor
        self.resolver = try UnboundResolver(unbound, timeout: .milliseconds(configuration.timeoutMilliseconds))
    }

    /// libunbound writes a port behind an @.
    private static func withAtSign(_ server: String) -> String {
        if server.hasPrefix("[") {
            let parts = server.dropFirst().split(separator: "]", maxSplits: 1, omittingEmptySubsequences: false)
            let port = parts.count == 2 ? parts[1].drop { $0 == ":" } : ""
            return String(parts[0]) + (port.isEmpty ? "" : "@" + port)
        }
        let parts = server.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? "\(parts[0])@\(parts[1])" : server
    }

    package func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse {
        let question = Question(name: name, type: type)
        let now = ContinuousClock.now
        if let known = self.state.withLock({ $0.cache.find(question, now: now) }) { return known }
        return await withCheckedContinuation { continuation in self.join(question, continuation) }
    }

    private enum Joined {
        case started
        case waits
        case refused
    }

    private func join(_ question: Question, _ continuation: CheckedContinuation<DNSResponse, Never>) {
        let joined = self.state.withLock { state -> Joined in
            if state.open[question] != nil {
                state.open[question]?.append(continuation)
                return .waits
            }
            guard state.open.count < Self.maximumQuestions else { return .refused }
            state.open[question] = [continuation]
            return .started
        }
        switch joined {
        case .waits: break
        case .refused: continuation.resume(returning: DNSResponse(.failure(.failed("too many open questions"))))
        case .started:
            self.resolver.ask("\(question.name)", type: question.type.rawValue) { outcome in
                self.finish(question, Self.response(outcome, question.type))
            }
        }
    }

    private func finish(_ question: Question, _ response: DNSResponse) {
        let now = ContinuousClock.now
        let waiters = self.state.withLock { state in
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
