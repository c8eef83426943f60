import COutpostTerminal
import Foundation
import Glibc
import SystemKit

/// The terminal of this process: raw, on the alternate screen, and put back whatever happens.
package struct TerminalScreen {
    private var shown: [ScreenLine] = []

    /// Fails where standard input or output is no terminal.
    package init() throws(SystemError) {
        guard outpost_terminal_enter(STDIN_FILENO, STDOUT_FILENO) == 0 else { throw SystemError("use the terminal") }
    }

    package static func leave() { outpost_terminal_leave() }

    /// Columns of standard output, nil when that is no terminal.
    package static var outputWidth: Int? {
        guard isatty(STDOUT_FILENO) == 1, let size = Self.size else { return nil }
        return size.columns
    }

    /// Rows and columns; terminals that do not know say zero.
    package static var size: (rows: Int, columns: Int)? {
        var rows: Int32 = 0
        var columns: Int32 = 0
        guard outpost_terminal_size(STDOUT_FILENO, &rows, &columns) == 0, rows > 0, columns > 0 else { return nil }
        return (Int(rows), Int(columns))
    }

    /// Stops the process as Ctrl-Z does, and comes back on the alternate screen.
    package mutating func suspend() {
        outpost_terminal_suspend()
        self.forget()
    }

    /// The next drawing writes every line.
    package mutating func forget() { self.shown = [] }

    /// Writes the lines that differ from what is shown.
    package mutating func draw(_ lines: [ScreenLine]) {
        var text = ""
        if self.shown.isEmpty { text += "\u{1b}[2J" }
        for (row, line) in lines.enumerated() where !self.shown.indices.contains(row) || self.shown[row] != line {
            text += "\u{1b}[\(row + 1);1H"
            for span in line { text += span.style.sequence + span.text + "\u{1b}[0m" }
            // What a terminal counts as narrower than we do leaves no rest behind.
            text += "\u{1b}[K"
        }
        self.shown = lines
        if !text.isEmpty { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }
    }
}

extension Span.Style {
    /// Select Graphic Rendition (ECMA-48 §8.3.117).
    fileprivate var sequence: String {
        switch self {
        case .plain: ""
        case .bold: "\u{1b}[1m"
        case .dim: "\u{1b}[2m"
        case .warning: "\u{1b}[1;31m"
        case .bar: "\u{1b}[7m"
        }
    }
}

/// Keys and sizes of the terminal, read on a thread of its own because waiting for a person blocks.
enum TerminalInput {
    /// Milliseconds after which an Escape stands alone.
    private static let escapeTime: Int32 = 50
    /// Milliseconds between two looks whether anybody still listens.
    private static let idleTime: Int32 = 500

    static func start(into events: AsyncStream<ReviewEvent>.Continuation) {
        Thread.detachNewThread { self.read(into: events) }
    }

    private static func read(into events: AsyncStream<ReviewEvent>.Continuation) {
        var decoder = KeyDecoder()
        while true {
            let ready = outpost_terminal_wait(decoder.isWaiting ? self.escapeTime : self.idleTime)
            if ready < 0 || ready & OUTPOST_TERMINAL_CLOSED != 0 {
                events.yield(.closed)
                return
            }
            var keys: [Key] = []
            if ready & OUTPOST_TERMINAL_INPUT != 0 {
                keys = decoder.decode(FileHandle.standardInput.availableData)
            } else if decoder.isWaiting {
                keys = decoder.flush()
            }
            for key in keys { events.yield(.key(key)) }
            if ready & OUTPOST_TERMINAL_RESIZED != 0, let size = TerminalScreen.size {
                events.yield(.resized(rows: size.rows, columns: size.columns))
            }
        }
    }
}
