import MailTypes

/// Which of the messages that may go to a destination goes next.
///
/// Sender domains take turns, so that one that left ten thousand messages does not keep the single message of another
/// waiting; within a domain the oldest is first. Only so many are under way at a time.
package struct FlushOrder<ID: Hashable & Sendable>: Sendable {
    /// Messages under way to one destination: enough to keep a busy server busy, and few for one that has just come back.
    package static var usualLimit: Int { 20 }

    /// How many may be under way.
    package let limit: Int
    package private(set) var inFlight: Set<ID> = []

    private struct Waiting: Hashable, Sendable {
        var sender: String
        var queuedAt: Int
        /// Tells an entry that is in force from one that was removed.
        var number: Int
    }

    private var waiting: [ID: Waiting] = [:]
    private var queues: [String: OldestFirst<ID>] = [:]
    /// Senders with something in their queue, the one whose turn it is first.
    private var turns = Turns()
    private var added = 0
    /// Entries in queues that were removed.
    private var stale = 0
    /// So many may lie about: fewer are not worth the work of clearing them out.
    private static var toleratedStale: Int { 64 }

    package init(limit: Int = FlushOrder.usualLimit) {
        self.limit = max(1, limit)
    }

    /// Messages that wait for their turn.
    package var waitingCount: Int { self.waiting.count }
    package var isEmpty: Bool { self.waiting.isEmpty && self.inFlight.isEmpty }

    /// The message is due. One that waits already, or is under way, stays what it is.
    /// - Parameters:
    ///   - sender: from `senderKey`.
    ///   - queuedAt: seconds since 1970; among equals the one that was added first goes first.
    package mutating func add(_ id: ID, sender: String, queuedAt: Int) {
        guard self.waiting[id] == nil, !self.inFlight.contains(id) else { return }
        self.added += 1
        self.waiting[id] = Waiting(sender: sender, queuedAt: queuedAt, number: self.added)
        if self.queues[sender] == nil { self.turns.append(sender) }
        self.queues[sender, default: OldestFirst()].insert(.init(queuedAt: queuedAt, number: self.added, id: id))
    }

    /// The message that goes now; it is under way from here on. Nil when as many are as may be, or none waits.
    package mutating func next() -> ID? {
        guard self.inFlight.count < self.limit else { return nil }
        while let sender = self.turns.popFirst() {
            let found = self.popOldest(of: sender)
            if self.queues[sender]?.isEmpty ?? true {
                self.queues[sender] = nil
            } else {
                self.turns.append(sender)
            }
            if let found {
                self.waiting[found] = nil
                self.inFlight.insert(found)
                return found
            }
        }
        return nil
    }

    /// The message is not under way any longer; if it is to be tried again, `add` it when it is due.
    package mutating func finished(_ id: ID) {
        self.inFlight.remove(id)
    }

    /// The message is not due any more: withdrawn, expired, or its destination went away. One that is under way stays so
    /// until it is `finished`.
    package mutating func remove(_ id: ID) {
        guard self.waiting.removeValue(forKey: id) != nil else { return }
        self.stale += 1
        if self.stale > self.waiting.count + Self.toleratedStale { self.clearStale() }
    }

    /// Nothing is due any more. What is under way stays so.
    package mutating func removeAll() {
        self.waiting = [:]
        self.queues = [:]
        self.turns = Turns()
        self.stale = 0
    }

    private mutating func clearStale() {
        self.queues = [:]
        for (id, entry) in self.waiting {
            self.queues[entry.sender, default: OldestFirst()]
                .insert(.init(queuedAt: entry.queuedAt, number: entry.number, id: id))
        }
        var turns = Turns()
        while let sender = self.turns.popFirst() {
            if self.queues[sender] != nil { turns.append(sender) }
        }
        self.turns = turns
        self.stale = 0
    }

    private mutating func popOldest(of sender: String) -> ID? {
        while let entry = self.queues[sender]?.popFirst() {
            if self.waiting[entry.id]?.number == entry.number { return entry.id }
            self.stale -= 1
        }
        return nil
    }
}

extension FlushOrder {
    /// Who takes turns with others: the domain of the reverse path; notices, which have none, are a sender of their own.
    package static func senderKey(_ reversePath: ReversePath) -> String {
        reversePath.address?.domain ?? ""
    }
}

/// Senders in the order of their turns.
private struct Turns: Sendable {
    private var senders: [String] = []
    private var first = 0

    mutating func append(_ sender: String) {
        self.senders.append(sender)
    }

    mutating func popFirst() -> String? {
        guard self.first < self.senders.count else { return nil }
        let sender = self.senders[self.first]
        self.first += 1
        // What has had its turn is cut off when it is half of all: each sender is moved once on average.
        if self.first * 2 > self.senders.count {
            self.senders.removeFirst(self.first)
            self.first = 0
        }
        return sender
    }
}

/// A heap with the oldest entry on top.
private struct OldestFirst<ID: Sendable>: Sendable {
    struct Entry: Sendable {
        var queuedAt: Int
        var number: Int
        var id: ID

        func isBefore(_ other: Entry) -> Bool {
            (self.queuedAt, self.number) < (other.queuedAt, other.number)
        }
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { self.entries.isEmpty }

    mutating func insert(_ entry: Entry) {
        self.entries.append(entry)
        var child = self.entries.count - 1
        while child > 0, self.entries[child].isBefore(self.entries[(child - 1) / 2]) {
            self.entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popFirst() -> Entry? {
        guard let first = self.entries.first, let last = self.entries.popLast() else { return nil }
        guard !self.entries.isEmpty else { return first }
        self.entries[0] = last
        var parent = 0
        while true {
            let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < self.entries.count }
            guard let child = children.min(by: { self.entries[$0].isBefore(self.entries[$1]) }),
                self.entries[child].isBefore(self.entries[parent])
            else { return first }
            self.entries.swapAt(parent, child)
            parent = child
        }
    }
}
