/// Something in the quarantine, the spool or a small database that does not fit together.
package struct StoreProblem: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The database cannot be read as a whole.
        case databaseDamaged = "database-damaged"
        /// A table is not as this version, or an earlier one, makes it.
        case schemaUnknown = "schema-unknown"
        /// There are messages, and nothing that says whose.
        case databaseMissing = "database-missing"
        /// A row that belongs to a message which is not there.
        case strayRow = "stray-row"
        /// A message's row that this version cannot make sense of.
        case rowUnreadable = "row-unreadable"
        /// The spool does not know of each recipient whether it waits.
        case recipients = "recipients-wrong"
        case fileMissing = "file-missing"
        case wrongLength = "length-wrong"
        /// As long as it should be, and not what was stored.
        case wrongContent = "content-wrong"
        /// A file that no row owns: nobody was promised it, or it is delivered or deleted.
        case fileWithoutRow = "file-without-row"
        /// A file whose writing was never finished.
        case unfinishedFile = "file-unfinished"
        /// Others may read it, or the gateway may not.
        case permissions
        /// The sums by which room is given are not those of the messages.
        case room = "room-wrong"
    }

    package enum Remedy: Hashable, Sendable {
        case none
        /// Younger than any message on its way: no problem, unless it is there much later.
        case mayBeOnItsWay
        case done(String)
        /// The message is no longer in the store; what is left of it is in `damaged/`, for a person to look at.
        case putAside(String)
    }

    /// `quarantine`, `spool`, or the database's name.
    package var store: String
    package var kind: Kind
    /// The message's id, or the file's path; empty for what concerns the whole.
    package var name: String
    package var detail: String
    package var remedy: Remedy

    /// Something is left to do for somebody.
    package var isOpen: Bool {
        switch self.remedy {
        case .none, .putAside: true
        case .mayBeOnItsWay, .done: false
        }
    }
}

extension StoreProblem {
    static func of(_ store: String, _ kind: Kind, _ name: String = "", detail: String) -> StoreProblem {
        StoreProblem(store: store, kind: kind, name: name, detail: detail, remedy: .none)
    }

    static func of(_ store: StoreCheck.Store, _ kind: Kind, _ name: String = "", detail: String) -> StoreProblem {
        .of(store.rawValue, kind, name, detail: detail)
    }

    func with(_ remedy: Remedy) -> StoreProblem {
        var problem = self
        problem.remedy = remedy
        return problem
    }
}
