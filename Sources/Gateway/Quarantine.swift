import ContentStorage
import Logging
import MailStore
import MailTypes
import SMTPCore

/// The quarantine as the mail path needs it: nothing throws, and old messages go in time.
final class Quarantine: Sendable {
    private let store: QuarantineStore
    private let logger: Logger
    private let retention = RecurringTask()

    /// Often enough that the sizes of the configuration hold within a few minutes.
    private static let retentionInterval = Duration.seconds(300)

    init(_ configuration: GatewayConfiguration, logger: Logger) throws {
        self.store = try QuarantineStore(directory: configuration.quarantineDirectory, limits: QuarantineLimits(configuration))
        self.logger = logger
    }

    /// When this says `.durable`, message and facts are on the disk.
    func hold(_ record: QuarantineRecord, content: MessageContent) async -> RelayMachine.StoreOutcome {
        do {
            try await self.store.hold(record, content: content)
            return .durable
        } catch QuarantineError.full {
            return .full
        } catch {
            return .failed(reason: "\(error)")
        }
    }

    /// Takes over a message that could not be delivered and whose sender is not told, before the spool forgets it.
    /// - Returns: whether it lies here for good now; also when an earlier try had brought it here.
    func keepUndelivered(_ record: QuarantineRecord, content: MessageContent) async -> Bool {
        do {
            try await self.store.hold(record, content: content)
            return true
        } catch QuarantineError.exists {
            // A file without a row, which a crash leaves, is no message: it is swept, and the next try succeeds.
            return (try? await self.store.record(record.id)) != nil
        } catch {
            self.logger.log(.error, "An undelivered message could not be kept", [.id: "\(record.id)", .error: "\(error)"])
            return false
        }
    }

    /// What was held last, for the ledger.
    func latest(_ limit: Int) async -> [Ledger.Stored] {
        let records = (try? await self.store.latestHeld(limit: limit)) ?? []
        return records.map { Ledger.Stored($0, reply: RelayMachine.heldReply($0.id)) }
    }

    /// - Returns: why there is no copy; nil when there is one.
    func keepCopy(_ record: QuarantineRecord, content: MessageContent) async -> String? {
        do {
            return try await self.store.keepCopy(record, content: content) ? nil : "the room for copies is used up"
        } catch {
            return "\(error)"
        }
    }

    /// The rules that do not count for a message which an administrator has released.
    func releasedRules(contentHash: [UInt8], reversePath: ReversePath, recipients: [Recipient]) async -> Set<String> {
        do {
            let rules = try await self.store.isReleased(
                contentHash: contentHash,
                reversePath: reversePath,
                recipients: recipients.map(\.forwardPath)
            )
            return Set(rules ?? [])
        } catch {
            self.logger.log(.warning, "The quarantine cannot be asked for releases", [.error: "\(error)"])
            return []
        }
    }

    /// For listings.
    func figures() async throws -> GatewayStatus.Quarantine {
        let octets = try await self.store.octets()
        return GatewayStatus.Quarantine(
            waiting: try await self.store.count(QuarantineFilter(kind: .held, states: [.waiting, .releasing])),
            heldOctets: octets.held,
            copies: try await self.store.count(QuarantineFilter(kind: .rejectedCopy, states: [.waiting, .releasing])),
            copiesOctets: octets.rejected
        )
    }

    func startRetention() {
        self.retention.start(every: Self.retentionInterval, isFirstAtOnce: true) {
            do {
                let gone = try await self.store.purge(.retention, by: "gateway")
                if gone > 0 {
                    self.logger.log(.info, "old messages left the quarantine", [.accepted: .stringConvertible(gone)])
                }
            } catch {
                self.logger.log(.warning, "Old messages could not be removed from the quarantine", [.error: "\(error)"])
            }
        }
    }

    func stopRetention() async { await self.retention.stop() }
}

extension QuarantineLimits {
    package init(_ configuration: GatewayConfiguration) {
        self.init()
        self.keepDays = configuration.quarantine.keepDays
        self.keepRejectedDays = configuration.quarantine.keepRejectedDays
        self.maxRejectedSize = configuration.quarantine.maxRejectedSize
        self.maxSize = configuration.quarantine.maxSize
    }
}
