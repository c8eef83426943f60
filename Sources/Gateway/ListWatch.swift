import Logging
import MailStore
import MailTypes
import SenderReputation
import Synchronization

/// The lists of a configuration, and which of them work: each is tried when the configuration comes into force and then every
/// now and then, and one that fails is not asked.
final class ListWatch: Sendable {
    /// Why a list is not asked, and since when.
    private struct Fault {
        var reason: String
        /// Milliseconds since 1970.
        var since: Int64
    }

    private struct State {
        /// By symbol, why a list is not asked.
        var broken: [String: Fault] = [:]
        var firstTest: Task<Void, Never>?
        var routine: Task<Void, Never>?
        var logger: Logger?
        /// By symbol, when a refusal of the list was last told of.
        var told: [String: ContinuousClock.Instant] = [:]
    }

    /// Between two looks at lists that do not work; the others are looked at every sixth time, that is each hour: owners of lists
    /// want no more (RFC 5782 §5 leaves it open).
    private static let interval = Duration.seconds(600)
    private static let roundsOfWorkingLists = 6

    private let lists: [DNSList]
    private let resolver: any DNSResolver
    private let state = Mutex(State())

    init(_ lists: [DNSList], resolver: any DNSResolver) {
        self.lists = lists
        self.resolver = resolver
    }

    var isEmpty: Bool { self.lists.isEmpty }

    /// For listings, in the order of the configuration.
    var figures: [GatewayStatus.DNSList] {
        let broken = self.state.withLock { $0.broken }
        return self.lists.map { list in
            let fault = broken[list.symbol]
            return GatewayStatus.DNSList(
                name: list.symbol,
                zone: "\(list.zone)",
                isOn: fault == nil,
                since: fault.map { TimeText.utc($0.since) },
                reason: fault?.reason
            )
        }
    }

    func asksAbout(_ isWanted: (ListSubject) -> Bool) -> Bool { self.lists.contains { $0.subjects.contains(where: isWanted) } }

    /// Lists that can be asked. The first caller waits until all have been tried.
    func usable() async -> [DNSList] {
        guard !self.lists.isEmpty else { return [] }
        let test = self.state.withLock { state -> Task<Void, Never> in
            if let running = state.firstTest { return running }
            let test = Task { await self.test(self.lists) }
            state.firstTest = test
            return test
        }
        await test.value
        return self.state.withLock { state in self.lists.filter { state.broken[$0.symbol] == nil } }
    }

    /// Looks after the lists until `stop`.
    func start(logger: Logger) {
        guard !self.lists.isEmpty else { return }
        let routine = Task {
            _ = await self.usable()
            var round = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                guard !Task.isCancelled else { return }
                round += 1
                let isBroken = self.state.withLock { $0.broken }
                let all = round % Self.roundsOfWorkingLists == 0
                await self.test(self.lists.filter { all || isBroken[$0.symbol] != nil })
            }
        }
        self.state.withLock {
            $0.logger = logger
            $0.routine = routine
        }
    }

    func stop() {
        self.state.withLock { $0.routine?.cancel() }
    }

    private func test(_ lists: [DNSList]) async {
        let resolver = BoundedResolver(self.resolver, deadline: .now + .seconds(60))
        let test = ListTest(resolver: resolver)
        let outcomes = await withTaskGroup(of: (String, ListTest<BoundedResolver>.Outcome).self) { group in
            for list in lists { group.addTask { (list.symbol, await test.run(list)) } }
            return await group.reduce(into: [(String, ListTest<BoundedResolver>.Outcome)]()) { $0.append($1) }
        }
        let (changes, logger) = self.state.withLock { state -> ([(String, String?)], Logger?) in
            var changes: [(String, String?)] = []
            for (symbol, outcome) in outcomes {
                switch outcome {
                case .works:
                    if state.broken.removeValue(forKey: symbol) != nil { changes.append((symbol, nil)) }
                case .fails(let reason):
                    let since = state.broken[symbol]?.since
                    if since == nil { changes.append((symbol, reason)) }
                    state.broken[symbol] = Fault(reason: reason, since: since ?? TimeText.now())
                case .unanswered: break
                }
            }
            return (changes, state.logger)
        }
        for (symbol, reason) in changes {
            if let reason {
                logger?.log(
                    .warning,
                    "DNS list is switched off: it fails its test",
                    [.dnsList: "\(symbol)", .error: "\(reason)"]
                )
            } else {
                logger?.log(.notice, "DNS list works again", [.dnsList: "\(symbol)"])
            }
        }
    }

    /// Tells of lists that do not answer us, once in a while.
    func note(_ failures: [ListFailure]) {
        guard !failures.isEmpty else { return }
        let now = ContinuousClock.now
        let (new, logger) = self.state.withLock { state -> ([ListFailure], Logger?) in
            var new: [ListFailure] = []
            for failure in failures where state.told[failure.list].map({ $0 + Self.interval < now }) ?? true {
                state.told[failure.list] = now
                new.append(failure)
            }
            return (new, state.logger)
        }
        for failure in new {
            logger?.log(
                .warning,
                "DNS list gave no answer that counts",
                [.dnsList: "\(failure.list)", .error: "\(failure.reason)"]
            )
        }
    }
}
