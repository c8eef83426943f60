/// What the dates of a message say.
struct DateFacts {
    /// Seconds by which the message's own date is ahead of the Received field that is closest to it; 0 when either is missing.
    let difference: Int

    init(_ context: EvalContext) {
        let own = ["Resent-Date", "Date"].lazy.flatMap { context.headers($0) }.compactMap(MailDate.seconds).first
        let received = DateFacts.received(context)
        guard let own, !received.isEmpty else {
            self.difference = 0
            return
        }
        var differences = received.map { own - $0 }
        // The first hop often takes over the date of the message: that says nothing.
        if differences.count > 1, differences.last == 0 { differences.removeLast() }
        self.difference = differences.min { abs($0) < abs($1) } ?? 0
    }

    private static let local = HeaderPattern(
        #"\bfrom (?:localhost\s|(?:\S+ ){1,2}\S*\b127\.0\.0\.1\b)|qmail \d+ invoked by uid \d+"#
    )
    private static let fetched = HeaderPattern(#"\bby localhost with \w+ \(fetchmail-[\d.]+"#)
    private static let date = HeaderPattern(#"\s.?\d+ \S\S\S \d+ \d+:\d+:\d+ \S+"#)

    /// The times of Received fields, newest first, without those of a program that fetched the mail.
    private static func received(_ context: EvalContext) -> [Int] {
        var fields = context.text(of: "Received").lines().filter { $0.contains { !$0.isBlank } }.map(Array.init)
        guard let first = fields.first else { return [] }
        let isLocal = context.finds(self.local, in: first)
        let next = isLocal ? fields.dropFirst().first : first
        if let next, context.finds(self.fetched, in: next) { fields.removeFirst(isLocal ? 2 : 1) }
        return fields.compactMap { field in
            context.place(of: self.date, in: field).flatMap { MailDate.seconds(Array(field[$0])) }
        }
    }
}
