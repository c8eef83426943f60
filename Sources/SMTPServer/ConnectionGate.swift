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
        var figures = Figures()
        var byAddress: [IPAddress: Int] = [:]
        var byNetwork: [IPNetwork: Int] = [:]
    }

    /// For listings.
    package struct Figures: Hashable, Sendable {
        package var open = 0
        /// The most that were open at once.
        package var peak = 0
        package var limit = 0
        /// Since the start: taken, and turned away by one of the bounds.
        package var taken = 0
        package var refused = 0
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

    package var figures: Figures {
        self.state.withLock { state in
            var figures = state.figures
            figures.open = state.open
            figures.limit = state.total
            return figures
        }
    }

    /// Takes a place. Each call is paired with one of `leave`, also when it said no.
    func enter() -> Refusal? {
        self.state.withLock { state in
            state.open += 1
            guard state.open <= state.total else {
                state.figures.refused += 1
                return .total
            }
            state.figures.taken += 1
            state.figures.peak = max(state.figures.peak, state.open)
            return nil
        }
    }

    /// Counts the address. A refused one is not counted.
    func admit(_ address: IPAddress) -> Refusal? {
        self.state.withLock { state in
            let count = state.byAddress[address, default: 0]
            let network = address.customerNetwork
            let neighbours = state.byNetwork[network, default: 0]
            guard count < state.perAddress, neighbours < state.perNetwork else {
                state.figures.taken -= 1
                state.figures.refused += 1
                return count < state.perAddress ? .perNetwork : .perAddress
            }
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
