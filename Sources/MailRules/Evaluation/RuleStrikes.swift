import Synchronization

/// Rules that blow their limits on message after message, told by all threads. Such a rule costs much and says nothing, so it rests
/// for some messages, and is tried again: whoever can send a message that a rule cannot bear must not be able to switch it off for
/// good. A new rule set begins anew.
package final class RuleStrikes: Sendable {
    private struct State {
        /// Messages since the first strike.
        var messages = 0
        /// By rule: messages in a row on which it blew its limits.
        var inRow: [Int: Int] = [:]
        /// By rule: the message with which it is tried again.
        var restsUntil: [Int: Int] = [:]
    }

    private let state = Mutex(State())
    /// Nothing is in `state`; so it is nearly always, and costs no lock.
    private let isClear = Atomic(true)

    /// Messages in a row that make a rule rest: one or two of a kind are chance.
    static let limit = 20
    /// Messages that it rests for.
    static let rest = 1_000

    /// Rules that are to be left alone.
    var resting: [Int] {
        if self.isClear.load(ordering: .relaxed) { return [] }
        return self.state.withLock { Array($0.restsUntil.keys) }
    }

    /// The same, each with the number of messages that it still rests for.
    var rests: [(rule: Int, messages: Int)] {
        if self.isClear.load(ordering: .relaxed) { return [] }
        return self.state.withLock { state in
            state.restsUntil.map { ($0.key, max(0, $0.value - state.messages)) }.sorted { $0.0 < $1.0 }
        }
    }

    /// Takes a message's end into account.
    /// - Parameter blown: rules that blew their limits on it.
    func record(blown: [Int]) {
        if blown.isEmpty, self.isClear.load(ordering: .relaxed) { return }
        self.state.withLock { state in
            state.messages += 1
            state.restsUntil = state.restsUntil.filter { $0.value > state.messages }
            state.inRow = state.inRow.filter { blown.contains($0.key) }
            for rule in blown {
                state.inRow[rule, default: 0] += 1
                guard state.inRow[rule] == RuleStrikes.limit else { continue }
                state.inRow[rule] = nil
                state.restsUntil[rule] = state.messages + RuleStrikes.rest
            }
            self.isClear.store(state.inRow.isEmpty && state.restsUntil.isEmpty, ordering: .relaxed)
        }
    }
}
