import GRDB

/// A database of the data directory beside those of quarantine and spool. None of them holds a message.
package struct SmallDatabase: Sendable {
    /// The file, without `.sqlite`.
    package let name: String
    /// Makes its tables where there are none.
    let schema: @Sendable (DatabaseQueue) throws -> Void
    /// Tables whose rows are taken over from a damaged one, and by what they are ordered.
    let tables: [(name: String, order: String)]
    /// What it means that rows are lost, for whoever repairs it.
    let loss: String

    /// All there are.
    package static let all = [
        SmallDatabase(
            "lists",
            ListStore.makeTables,
            [("entries", "id")],
            loss: "entries that could not be read must be added again"
        ),
        SmallDatabase(
            "ledger",
            LedgerStore.makeTables,
            [("entries", "number")],
            loss: "a client that did not hear the reply to its message may have it delivered twice"
        ),
        SmallDatabase(
            "greylist",
            GreylistDatabase.makeTables,
            [("records", "id")],
            loss: "senders that were known are asked to come again"
        ),
        SmallDatabase(
            "rates",
            RateDatabase.makeTables,
            [("buckets", "key"), ("resets", "id")],
            loss: "who had used up a limit may begin anew"
        ),
        SmallDatabase(
            "dmarc",
            DMARCStore.makeTables,
            [("domains", "day"), ("rows", "day"), ("deliveries", "day")],
            loss: "reports lack mail, or one is sent twice"
        ),
        SmallDatabase("rule-hits", RuleHitStore.makeTables, [("hits", "rule")], loss: "the counts of hits are too small"),
    ]

    init(
        _ name: String,
        _ schema: @escaping @Sendable (DatabaseQueue) throws -> Void,
        _ tables: [(name: String, order: String)],
        loss: String
    ) {
        self.name = name
        self.schema = schema
        self.tables = tables
        self.loss = loss
    }
}
