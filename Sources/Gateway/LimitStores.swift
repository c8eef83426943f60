import Logging
import MailPolicy
import MailStore
import MailTypes
import Synchronization

/// The greylist as the mail path needs it: nothing throws. While nothing can be remembered, nobody is delayed.
final class Greylist: Sendable {
    private let store: any GreylistStore
    private let logger: Logger

    init(_ store: any GreylistStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func visit(_ key: GreylistKey, settings: GreylistSettings) async -> GreylistVerdict? {
        do {
            return try await self.store.visit(key, settings: settings, now: Int64(TransactionClock.milliseconds()))
        } catch {
            self.logger.log(.warning, "the greylist cannot be asked, the message is taken", [.error: "\(error)"])
            return nil
        }
    }
}

/// Rates as the mail path needs them: nothing throws. While nothing can be counted, everybody may go on.
final class RateCounter: Sendable {
    private let store: any RateStore
    private let logger: Logger
    /// The wall clock may be set; from its time at the start on, time only goes forwards.
    private let wallAtStart = Int64(TransactionClock.milliseconds())
    private let start = ContinuousClock.now

    init(_ store: any RateStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// One answer for each event, in order; an event without charges is free.
    func take(_ events: [[RateCharge]]) async -> [RateOverrun?] {
        var overruns: [RateOverrun?] = []
        for charges in events {
            do {
                overruns.append(charges.isEmpty ? nil : try await self.store.take(charges, now: self.now))
            } catch {
                self.logger.log(.warning, "rates cannot be counted, the client may go on", [.error: "\(error)"])
                overruns.append(nil)
            }
        }
        return overruns
    }

    private var now: Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - self.start).components
        return self.wallAtStart + seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }
}
