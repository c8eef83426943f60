import NIOCore

/// Which hosts did not answer lately, so that not every message waits for them.
package struct HostAvailability<Host: Hashable & Sendable>: Sendable {
    /// After a failure a host is left alone for this long when there is another: long enough that a dead host costs few
    /// messages a connection attempt, short enough that it is found soon when it is back.
    package static var backOff: TimeAmount { .seconds(15) }

    private struct Absence: Sendable {
        var since: NIODeadline
        /// Until when it is left alone.
        var until: NIODeadline
    }

    private var absences: [Host: Absence] = [:]

    package init() {}

    /// The hosts to try, in the given order, without those that are away; when all are away, all of them.
    package func candidates(_ hosts: [Host], now: NIODeadline) -> [Host] {
        let present = hosts.filter { !self.isAway($0, now: now) }
        return present.isEmpty ? hosts : present
    }

    package func isAway(_ host: Host, now: NIODeadline) -> Bool {
        self.absences[host].map { $0.until > now } ?? false
    }

    /// Since when every attempt has failed; nil: the last one did not, or there was none.
    package func awaySince(_ host: Host) -> NIODeadline? { self.absences[host]?.since }

    package mutating func failed(_ host: Host, now: NIODeadline) {
        self.absences[host] = Absence(since: self.absences[host]?.since ?? now, until: now + Self.backOff)
    }

    package mutating func answered(_ host: Host) {
        self.absences[host] = nil
    }
}
