/// What became of a message for a recipient, as far as its sender may want to hear of it.
package enum DeliveryEvent: String, Hashable, Sendable, CaseIterable {
    /// It will not be tried again.
    case failed
    /// It waits longer than its sender would expect, and goes on being tried.
    case delayed
    /// A server took it that sends no notifications itself (RFC 3461 §5.2.2). To a server that offers DSN the request is
    /// passed on instead (RFC 3461 §5.2.1), and there is no such event.
    case relayed
    /// It is in the recipient's mailbox.
    case delivered
}
