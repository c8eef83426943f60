import MailTypes

/// The allow and deny lists, answered as early as the session knows enough. An allow-list hit always wins.
package struct SenderGate: Sendable {
    package let allow: SenderList
    package let deny: SenderList

    package init(allow: [String] = [], deny: [String] = []) {
        self.allow = SenderList(allow)
        self.deny = SenderList(deny)
    }

    /// Before the greeting: nil lets the client in. Where the allow list names senders, a denied network is let in too, as
    /// one of those may come from it; `mailVerdict` decides then.
    package func connectionVerdict(client: IPAddress) -> SMTPReply? {
        guard self.deny.match(client: client) != nil, self.allow.match(client: client) == nil, !self.allow.namesSenders else {
            return nil
        }
        return .permanent(.transactionFailed, (7, 1), "This host is not accepted here")
    }

    /// At MAIL: nil lets the sender go on.
    package func mailVerdict(client: IPAddress, reversePath: ReversePath) -> SMTPReply? {
        guard self.deny.match(client: client, reversePath: reversePath) != nil,
            self.allow.match(client: client, reversePath: reversePath) == nil
        else { return nil }
        return .permanent(.mailboxUnavailable, (7, 1), "This sender is not accepted here")
    }

    /// For `PolicyDecider`, when the header is known too. The header's From proves nothing: it counts for denying, not for
    /// allowing.
    package func matches(
        client: IPAddress,
        reversePath: ReversePath,
        headerFrom: [MailAddress]
    ) -> (allowed: SenderList.Match?, denied: SenderList.Match?) {
        (
            self.allow.match(client: client, reversePath: reversePath),
            self.deny.match(client: client, reversePath: reversePath, headerFrom: headerFrom)
        )
    }
}
