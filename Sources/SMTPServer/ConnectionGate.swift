import MailTypes
import Synchronization

/// Counts connections, in all, by client address and by client network, over all listeners. May be used from any thread.
///
/// A place is taken when a connection comes; the address joins it later, when a PROXY header has told it.
package final class ConnectionGate: Sendable {
    package enum Refusal: Hashable, Sendable {
        case total
        case perAddress
        case perNetwork
    }

    private struct State {
        var total: Int
        var perAddress: Int
        var perNetwork: Int
        var open = 0
        var byAddress: [IPAddress: Int] = [:]
        var byNetwork: [IPNetwork: Int] = [:]
    }

    private let state: Mutex<State>

    /// - Parameter perNetwork: connections of one /24 of IPv4 or /64 of IPv6.
    package init(total: Int, perAddress: Int, perNetwork: Int = .max) {
        self.state = Mutex(State(total: total, perAddress: perAddress, perNetwork: perNetwork))
    }

    /// New bounds hold for connections that come from now on.
    package func update(total: Int, perAddress: Int, perNetwork: Int = .max) {
        self.state.withLock {
            $0.total = total
            $0.perAddress = perAddress
            $0.perNetwork = perNetwork
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
            let network = address.customerNetwork
            let neighbours = state.byNetwork[network, default: 0]
            guard neighbours < state.perNetwork else { return .perNetwork }
            state.byAddress[address] = count + 1
            state.byNetwork[network] = neighbours + 1
            return nil
        }
    }

    /// - Parameter address: the one that was admitted, if any.
    func leave(_ address: IPAddress?) {
        self.state.withLock { state in
            state.open -= 1
            guard let address, let count = state.byAddress[address] else { return }
            state.byAddress[address] = count > 1 ? count - 1 : nil
            let network = address.customerNetwork
            if let neighbours = state.byNetwork[network] { state.byNetwork[network] = neighbours > 1 ? neighbours - 1 : nil }
        }
    }
}
