import Logging
import MailTypes
import NIOPosix
import Synchronization

/// Scans at one of several clamd, the first that answers.
package final class ClamdScanner: VirusScanner {
    package struct Configuration: Hashable, Sendable {
        /// Tried in order.
        package var endpoints: [ClamdEndpoint]
        /// Scans at once. clamd's own limit is `MaxThreads`, 10.
        package var concurrency = 8
        /// Scans that wait; more are not scanned.
        package var queueLimit = 1_000
        /// Long scans that wait, in all and of one client network.
        package var longQueueLimit = 64
        package var longQueuePerNetwork = 8
        /// One that did not answer is left out for this long.
        package var restTime = Duration.seconds(5)
        /// Content in files is passed as an open file on Unix sockets. Off: always copied, which clamd's
        /// `StreamMaxLength` then limits.
        package var passesDescriptors = true

        package init(endpoints: [ClamdEndpoint]) {
            self.endpoints = endpoints
        }
    }

    /// For listings.
    package struct Status: Hashable, Sendable {
        package struct Engine: Hashable, Sendable {
            package var endpoint: String
            /// As it says itself; nil before its first answer, and after a failure.
            package var version: String?
            /// It did not answer a moment ago.
            package var isResting: Bool
        }

        package var engines: [Engine]
        package var load: ScanLoad
        package var queueLimit: Int
    }

    private let configuration: Configuration
    private let clients: [ClamdClient]
    private let threads: NIOThreadPool
    private let lanes: ScanLanes
    private let logger: Logger
    /// When each may be tried again.
    private let restingUntil: Mutex<[ContinuousClock.Instant]>
    private let versions: Mutex<[String?]>

    package init(configuration: Configuration, logger: Logger) {
        // Half of clamd's threads at most for what takes long. It knows no spare ones.
        let long = max(1, configuration.concurrency / 2)
        let lanes = ScanLanes(
            quick: max(1, configuration.concurrency - long),
            long: long,
            spares: 0,
            queueLimit: configuration.queueLimit,
            longQueueLimit: configuration.longQueueLimit,
            longQueuePerNetwork: configuration.longQueuePerNetwork
        )
        let threads = NIOThreadPool(numberOfThreads: lanes.places)
        threads.start()
        self.configuration = configuration
        self.threads = threads
        self.lanes = lanes
        self.clients = configuration.endpoints.map {
            ClamdClient(endpoint: $0, threads: threads, passesDescriptors: configuration.passesDescriptors)
        }
        self.logger = logger
        self.restingUntil = Mutex(Array(repeating: .now, count: configuration.endpoints.count))
        self.versions = Mutex(Array(repeating: nil, count: configuration.endpoints.count))
    }

    /// Ends the threads; scans that come later are not done.
    package func stop() async {
        try? await self.threads.shutdownGracefully()
    }

    package func load() async -> ScanLoad { await self.lanes.load }

    package func status() async -> Status {
        let now = ContinuousClock.now
        let resting = self.restingUntil.withLock { $0.map { $0 > now } }
        let versions = self.versions.withLock { $0 }
        let engines = self.configuration.endpoints.indices.map {
            Status.Engine(
                endpoint: "\(self.configuration.endpoints[$0])",
                version: versions[$0],
                isResting: resting[$0]
            )
        }
        return await Status(
            engines: engines,
            load: self.lanes.load,
            queueLimit: self.configuration.queueLimit
        )
    }

    package func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings {
        let began = ContinuousClock.now
        let deadline = began + budget
        var findings: ScanFindings
        switch await self.lanes.enter(subject.demand, deadline: deadline) {
        case .entered(let pass):
            findings = await self.answer(subject, deadline)
            await pass.leave()
        case .notScanned(let failure): findings = ScanFindings(status: .notScanned(failure))
        }
        findings.microseconds = Int((ContinuousClock.now - began) / .microseconds(1))
        return findings
    }

    private func answer(_ subject: ScanSubject, _ deadline: ContinuousClock.Instant) async -> ScanFindings {
        var failure = CheckFailure.failed("no engine is configured")
        let order = self.order()
        for (position, index) in order.enumerated() {
            let client = self.clients[index]
            let now = ContinuousClock.now
            guard now < deadline else { return ScanFindings(status: .notScanned(.timedOut)) }
            // One that accepts and never answers must leave time for the next.
            let isLast = position == order.count - 1
            let answer = await client.scan(subject, deadline: isLast ? deadline : now + (deadline - now) / 2)
            switch answer {
            case .status(let status):
                return await ScanFindings(status: status, engine: self.version(index, deadline))
            case .timedOut: failure = .timedOut
            case .unreachable(let reason), .lost(let reason): failure = .failed("\(client.endpoint): \(reason)")
            case .cancelled: return ScanFindings(status: .notScanned(.failed("stopped")))
            }
            self.rest(index, failure)
        }
        return ScanFindings(status: .notScanned(failure))
    }

    /// Those that answer first; the resting ones are still better than no answer.
    private func order() -> [Int] {
        let now = ContinuousClock.now
        let resting = self.restingUntil.withLock { $0.map { $0 > now } }
        return resting.indices.filter { !resting[$0] } + resting.indices.filter { resting[$0] }
    }

    private func rest(_ index: Int, _ failure: CheckFailure) {
        self.restingUntil.withLock { $0[index] = .now + self.configuration.restTime }
        self.versions.withLock { $0[index] = nil }
        self.logger.warning(
            "virus engine does not answer",
            metadata: ["engine": "\(self.clients[index].endpoint)", "reason": "\(failure)"]
        )
    }

    /// Asked once, and again after the engine was away.
    private func version(_ index: Int, _ deadline: ContinuousClock.Instant) async -> String? {
        if let known = self.versions.withLock({ $0[index] }) { return known }
        guard case .success(let text) = await self.clients[index].version(deadline: deadline) else { return nil }
        self.versions.withLock { $0[index] = text }
        return text
    }
}
