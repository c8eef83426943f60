import ContentStorage
import Logging
import MailStore
import MailTypes
import NIOCore
import SMTPClient
import SMTPCore
import Synchronization

/// The spool as the mail path needs it: nothing throws, and nothing waits for the disk but the one write that makes a promise.
final class Spool: Sendable {
    private struct State {
        /// Known from the last look, once a second.
        var hasRoom = true
        /// Routes whose server was away, by name, and since when it has not been asked.
        var away: [String: NIODeadline] = [:]
        /// Routes whose server has answered since it was away.
        var answered: Set<String> = []
    }

    let store: SpoolStore
    private let expireAfter: Int
    private let state = Mutex(State())

    /// For so long after a failed attempt mail for a route is taken without another: the sender of each message would have to wait
    /// for the attempt otherwise.
    private static let awayTime = TimeAmount.seconds(30)

    init(_ configuration: GatewayConfiguration) throws {
        self.store = try SpoolStore(directory: configuration.spoolDirectory, limits: configuration.spool.limits)
        self.expireAfter = configuration.spool.expireSeconds
    }

    /// What came last, for the ledger.
    func latest(_ limit: Int) async -> [Ledger.Stored] {
        let messages = (try? await self.store.latest(limit: limit)) ?? []
        return messages.map { Ledger.Stored($0.record, reply: RelayMachine.spooledReply($0.id)) }
    }

    var hasRoom: Bool { self.state.withLock { $0.hasRoom } }

    /// The route's server was away a moment ago.
    func isAway(_ route: GatewayConfiguration.Route) -> Bool {
        self.state.withLock { $0.away[route.name].map { NIODeadline.now() - $0 < Self.awayTime } ?? false }
    }

    func noteAway(_ route: String) {
        self.state.withLock {
            $0.away[route] = .now()
            $0.answered.remove(route)
        }
    }

    /// The route's server has spoken, to live mail or to what waits here.
    func noteAnswered(_ route: String) {
        self.state.withLock {
            guard $0.away.removeValue(forKey: route) != nil else { return }
            $0.answered.insert(route)
        }
    }

    /// Whether the route's server has answered since it was away and this was asked last.
    func takeAnswered(_ route: String) -> Bool { self.state.withLock { $0.answered.remove(route) != nil } }

    func noteRoom(_ hasRoom: Bool) { self.state.withLock { $0.hasRoom = hasRoom } }

    /// When this says `.durable`, message and facts are on the disk.
    func keep(
        _ record: QuarantineRecord,
        omitting omitted: [Range<Int>],
        isForged: Bool,
        about: TransactionID? = nil,
        content: MessageContent
    ) async -> RelayMachine.StoreOutcome {
        let message = SpooledMessage(
            record: record,
            omitted: omitted,
            expires: record.received + Int64(self.expireAfter) * 1_000,
            isForged: isForged,
            about: about
        )
        do {
            try await self.store.store(message, content: content)
            return .durable
        } catch SpoolError.full {
            self.noteRoom(false)
            return .full
        } catch {
            return .failed(reason: "\(error)")
        }
    }

    /// For listings.
    func figures() async throws -> GatewayStatus.Spool {
        let room = try await self.store.room()
        return GatewayStatus.Spool(
            messages: room.messages,
            octets: room.octets,
            oldest: try await self.store.oldest().map { TimeText.utc($0) },
            freeOctets: room.free,
            hasRoom: try await self.store.hasRoom()
        )
    }

    /// Keeps a notice whose id is that of the event it tells of.
    /// - Returns: whether it lies here for good; also when an earlier try had brought it here, and it has left.
    func keepNotice(_ record: QuarantineRecord, about message: TransactionID, content: MessageContent) async -> Bool {
        guard let isMade = try? await self.store.hasMade(record.id, about: message) else { return false }
        if isMade { return true }
        if case .durable = await self.keep(record, omitting: [], isForged: false, about: message, content: content) {
            return true
        }
        return false
    }
}

extension GatewayConfiguration.Spool {
    var limits: SpoolLimits {
        SpoolLimits(maxSize: self.maxSize, maxMessages: self.maxMessages, minimumFree: self.minimumFree)
    }
}
