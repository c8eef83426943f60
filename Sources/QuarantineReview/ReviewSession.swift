import ContentStorage
import MailStore
import MailTypes
import Synchronization
import SystemKit

/// The reviewer at work: the terminal's events go into the model, its actions to the store.
package struct ReviewSession: Sendable {
    /// Releases one message and says in a line how that went; throws when it did not.
    package typealias Release = @Sendable (TransactionID) async throws -> String

    private let store: QuarantineStore
    private let who: String
    private let release: Release
    /// Where exports go.
    private let directory: String
    private let loads = LoadCounter()

    package init(store: QuarantineStore, who: String, directory: String = ".", release: @escaping Release) {
        self.store = store
        self.who = who
        self.directory = directory
        self.release = release
    }

    /// Runs until the user quits or the terminal is gone.
    /// - Throws: `SystemError` where there is no terminal.
    package func run() async throws {
        var screen = try TerminalScreen()
        defer { TerminalScreen.leave() }
        let size = TerminalScreen.size ?? (rows: 24, columns: 80)
        var model = ReviewModel(rows: size.rows, columns: size.columns)
        let (events, input) = AsyncStream.makeStream(of: ReviewEvent.self)
        TerminalInput.start(into: input)
        for action in model.firstActions { self.start(action, input) }
        screen.draw(model.screen)
        for await event in events {
            for action in model.handle(event) {
                switch action {
                case .quit: return
                case .redraw: screen.forget()
                case .suspend: screen.suspend()
                default: self.start(action, input)
                }
            }
            screen.draw(model.screen)
        }
    }

    private func start(_ action: ReviewAction, _ events: AsyncStream<ReviewEvent>.Continuation) {
        if case .load(let filter) = action {
            self.load(filter, events)
            return
        }
        Task {
            do {
                try await self.perform(action, events)
            } catch {
                events.yield(.failed(nil, "\(error)"))
            }
        }
    }

    /// Reads the list anew. What an earlier reading finds after that is out of date and is dropped.
    private func load(_ filter: QuarantineFilter, _ events: AsyncStream<ReviewEvent>.Continuation) {
        let number = self.loads.next()
        Task {
            do {
                let total = try await self.store.count(filter)
                let list = try await self.store.list(filter, limit: ReviewModel.window)
                if self.loads.isLatest(number) { events.yield(.loaded(list, total: total)) }
            } catch {
                events.yield(.failed(nil, "\(error)"))
            }
        }
    }

    private func perform(_ action: ReviewAction, _ events: AsyncStream<ReviewEvent>.Continuation) async throws {
        switch action {
        case .preview(let id):
            events.yield(.previewed(id, try await self.report(id)))
        case .release(let ids):
            for id in ids {
                await self.tell(id, events) { "\(id): \(try await self.release(id))" }
            }
        case .delete(let ids):
            for id in ids {
                await self.tell(id, events) {
                    try await self.store.delete(id, by: self.who)
                    return "\(id): deleted"
                }
            }
        case .note(let id, let text):
            await self.tell(id, events) {
                try await self.store.mark(id, note: text, by: self.who)
                return "\(id): noted"
            }
        case .export(let id):
            await self.tell(id, events) {
                let path = "\(self.directory)/\(id).eml"
                try await self.store.export(id, to: path, by: self.who)
                return "\(id): written to \(path)"
            }
        case .load, .suspend, .redraw, .quit:
            break
        }
    }

    private func tell(
        _ id: TransactionID,
        _ events: AsyncStream<ReviewEvent>.Continuation,
        _ work: () async throws -> String
    ) async {
        do {
            events.yield(.done(id, try await work()))
        } catch {
            events.yield(.failed(id, "\(error)"))
        }
    }

    /// Reasons first: they are what a decision rests on.
    private func report(_ id: TransactionID) async throws -> [ReportLine] {
        let empty = ReportLine(.plain, "")
        let entry = try await self.store.record(id)
        let audit = try await self.store.audit(id)
        var lines = MessageReport.facts(entry) + [empty] + MessageReport.reasons(entry.record)
        if !audit.isEmpty { lines += [empty] + MessageReport.trail(audit) }
        lines.append(empty)
        do {
            lines += MessageReport.text(try await self.store.content(of: id).bytes())
        } catch {
            lines.append(ReportLine(.warning, HarmlessText.line("\(error)")))
        }
        return lines
    }
}

/// Tells the latest reading of the list from those before it.
private final class LoadCounter: Sendable {
    private let latest = Atomic(0)

    func next() -> Int { self.latest.wrappingAdd(1, ordering: .relaxed).newValue }

    func isLatest(_ number: Int) -> Bool { self.latest.load(ordering: .relaxed) == number }
}
