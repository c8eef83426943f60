import Foundation
import Logging
import MailRules
import PatternKit
import Synchronization

/// Compiles the prefilters that the cache does not have, beside the running service, and takes each into use when it is ready. Until
/// then, and where the library is missing, every pattern is searched by itself, with the same result.
package final class PatternBuilder: Sendable {
    private let snapshot: GatewaySnapshot
    private let logger: Logger
    private let isCancelled = Atomic(false)

    package init(_ snapshot: GatewaySnapshot, logger: Logger) {
        self.snapshot = snapshot
        self.logger = logger
    }

    /// Starts a thread for it.
    package func start() {
        guard self.snapshot.rules != nil, PatternPrefilter.isAvailable else { return }
        let thread = Thread { self.run() }
        // Compiling nests deeply in the library.
        thread.stackSize = 8 * 1_024 * 1_024
        thread.qualityOfService = .background
        thread.start()
    }

    /// Ends the work behind the group that is being compiled.
    package func cancel() { self.isCancelled.store(true, ordering: .relaxed) }

    /// Compiles what is missing.
    /// - Parameter progress: called before each group is compiled with the number of its patterns.
    package func run(progress: (Int) -> Void = { _ in }) {
        guard let rules = self.snapshot.rules else { return }
        let cache = self.snapshot.configuration.patternCache
        var prefilters = self.snapshot.prefilters
        let missing = rules.patternGroups.indices.filter {
            rules.patternGroups[$0].isWorthFiltering && !prefilters.has(group: $0)
        }
        guard !missing.isEmpty else { return }
        let start = ContinuousClock.now
        // The small ones first: they are ready soon.
        for index in missing.sorted(by: { rules.patternGroups[$0].patterns.count < rules.patternGroups[$1].patterns.count }) {
            guard !self.isCancelled.load(ordering: .relaxed) else { return }
            let group = rules.patternGroups[index]
            progress(group.patterns.count)
            guard let filter = PatternPrefilter.compile(group.patterns) else { continue }
            prefilters.set(filter, forGroup: index)
            self.snapshot.use(prefilters)
            do {
                try cache.store(filter, for: group)
            } catch {
                self.logger.log(.warning, "a pattern database cannot be kept", [.file: "\(cache.directory)", .error: "\(error)"])
            }
        }
        cache.removeAll(but: rules)
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        self.logger.log(.notice, "pattern databases are ready", [.milliseconds: "\(Int(milliseconds))"])
    }
}
