import COutpostSystem

/// The calling thread, and its claim to the processor.
package enum CurrentThread {
    /// The steps by which a thread gives way (nice(2)): one that does not gets nine times as much while both want to run, and this
    /// one never nothing.
    package static let niceness: Int32 = 10

    /// The kernel's number for it.
    package static var id: Int32 { outpost_thread_id() }

    /// The steps by which it gives way now; 0 for most.
    package static var steps: Int32 { outpost_thread_steps(outpost_thread_id()) }

    /// For the rest of the thread's life: only root could undo it. Where it cannot be had, the thread goes on as it is.
    package static func giveWay() { outpost_thread_gives_way(outpost_thread_id(), self.niceness) }

    /// As `giveWay`, for another thread of this process.
    /// - Parameter id: what the thread's own `id` is.
    package static func letGiveWay(_ id: Int32) { outpost_thread_gives_way(id, self.niceness) }
}
