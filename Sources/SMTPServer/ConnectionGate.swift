import MailTypes
import Synchronization

/// Counts connections, in all and by client address, over all listeners. May be used from any thread.
///
/// A place is taken when a connection comes; the address joins it later, when a PROXY header has told it.
package final class ConnectionGate: Sendable {
    package enum Refusal: Hashable, Sendable {
        case total
        case perAddress
    }

    private struct State {
        var total: Int
        var perAddress: Int
        var open = 0
        var byAddress: [IPAddress: Int] = [:]
    }

    private let state: Mutex<State>

    package init(total: Int, perAddress: Int) {
        self.state = Mutex(State(total: total, perAddress: perAddress))
    }

    /// New bounds hold for connections that come from now on.
    package func update(total: Int, perAddress: Int) {
        self.state.withLock {
            $0.total = total
            $0.perAddress = perAddress
        }
    }

    package var open: Int { self.state.withLock { $0.open } }

    /// Takes a place. Each call is paired with one of `leave`, also when it said no.
    func enter() -> Refusal? {
        self.state.withLock { state in
            state.open += 1
            return state.open > state.total ? .total : nil
        }
    }

    /// Counts the address. A refused one is not counted.
    func admit(_ address: IPAddress) -> Refusal? {
        self.state.withLock { state in
            let count = state.byAddress[address, default: 0]
            guard count < state.perAddress else { return .perAddress }
            state.byAddress[address] = count + 1
            return nil
        }
    }

    /// - Parameter address: the one that was admitted, if any.
    func leave(_ address: IPAddress?) {
        self.state.withLock { state in
            state.open -= 1
            guard let address, let count = state.byAddress[address] else { return }
            state.byAddress[address] = count > 1 ? count - 1 : nil
        }
    }
}
