import MailPolicy
import MailTypes
import Synchronization

/// Counts the transactions that are open, in all and by sender and recipients' domain, over all connections. May be used from any
/// thread.
final class TransactionGate: Sendable {
    private struct State {
        var counted = OpenTransactions()
        var open = 0
        var refused = 0
    }

    /// Keys that a listing names.
    private static let named = 5

    private let state = Mutex(State())

    var figures: GatewayStatus.Transactions {
        self.state.withLock { state in
            GatewayStatus.Transactions(
                now: state.open,
                refused: state.refused,
                busiest: state.counted.busiest(Self.named).map { place, open in
                    GatewayStatus.Transactions.Key(per: place.per.rawValue, key: place.key, now: open, limit: place.limit)
                }
            )
        }
    }

    fileprivate func begin(_ places: [OpenTransactionPlace]) -> OpenTransactionPlace? {
        self.state.withLock { state in
            let full = state.counted.take(places)
            if full == nil { state.open += 1 } else { state.refused += 1 }
            return full
        }
    }

    fileprivate func take(_ place: OpenTransactionPlace) -> OpenTransactionPlace? {
        self.state.withLock { state in
            let full = state.counted.take([place])
            if full != nil { state.refused += 1 }
            return full
        }
    }

    fileprivate func giveBack(_ places: Set<OpenTransactionPlace>) {
        self.state.withLock { $0.counted.giveBack(places) }
    }

    fileprivate func end(_ places: Set<OpenTransactionPlace>) {
        self.state.withLock { state in
            state.counted.giveBack(places)
            state.open -= 1
        }
    }
}

/// The places of one transaction, from MAIL to its end. They are given back when they are told to end, and at the latest when
/// nobody knows of the transaction any more: whatever way it ends, none is lost.
final class TransactionPlaces {
    private let gate: TransactionGate
    private let limits: OpenTransactionLimits
    private var held: Set<OpenTransactionPlace> = []
    private var isOpen = false

    init(_ gate: TransactionGate, limits: OpenTransactionLimits) {
        self.gate = gate
        self.limits = limits
    }

    deinit { self.end() }

    /// At MAIL.
    /// - Returns: the limit that is reached; nil: the transaction is open.
    func begin(sender: ReversePath) -> OpenTransactionPlace? {
        let places = self.limits.places(of: sender)
        if let full = self.gate.begin(places) { return full }
        self.isOpen = true
        self.held = Set(places)
        return nil
    }

    /// At RCPT.
    /// - Parameter new: the place is added to it when it is taken now, and not with an earlier recipient.
    /// - Returns: the limit that is reached; nil: the recipient may be added.
    func add(_ recipient: ForwardPath, new: inout Set<OpenTransactionPlace>) -> OpenTransactionPlace? {
        guard self.isOpen, let place = self.limits.place(of: recipient), !self.held.contains(place) else { return nil }
        if let full = self.gate.take(place) { return full }
        self.held.insert(place)
        new.insert(place)
        return nil
    }

    /// Of domains that were taken in with `recipients`, those stay that have one among them who was accepted.
    func settle(_ new: Set<OpenTransactionPlace>, _ recipients: some Sequence<ForwardPath>) {
        guard !new.isEmpty else { return }
        let unused = new.subtracting(recipients.compactMap(self.limits.place(of:))).intersection(self.held)
        self.held.subtract(unused)
        self.gate.giveBack(unused)
    }

    /// Once or more often.
    func end() {
        guard self.isOpen else { return }
        self.isOpen = false
        self.gate.end(self.held)
        self.held = []
    }
}
