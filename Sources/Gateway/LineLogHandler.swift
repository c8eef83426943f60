import Glibc
import Logging
import Synchronization
import SystemKit

/// Writes one line for each event, `key=value` or JSON, to a descriptor (standard error in service).
package struct LineLogHandler: LogHandler {
    package enum Format: Sendable {
        case text
        case json
    }

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let format: Format
    private let output: LogOutput
    private static let order = Dictionary(
        uniqueKeysWithValues: LogKey.allCases.enumerated().map { ($0.element.rawValue, $0.offset) }
    )

    package init(format: Format, level: Logger.Level, output: LogOutput) {
        self.format = format
        self.logLevel = level
        self.output = output
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = self.metadata
        if let more = event.metadata { fields.merge(more) { $1 } }
        let sorted = fields.sorted {
            (Self.order[$0.key] ?? .max, $0.key) < (Self.order[$1.key] ?? .max, $1.key)
        }
        let time = Self.timestamp(milliseconds: TransactionClock.milliseconds())
        var line: [UInt8] = []
        line.reserveCapacity(512)
        switch self.format {
        case .text:
            line += "\(time) \(event.level) \(Self.quotedIfNeeded(event.message.description))".utf8
            for (key, value) in sorted {
                line += " \(key)=\(Self.text(value))".utf8
            }
        case .json:
            line += #"{"time":"\#(time)","level":"\#(event.level)","message":\#(JSONText.string(event.message.description))"#.utf8
            for (key, value) in sorted {
                line += ",\(JSONText.string(key)):\(Self.json(value))".utf8
            }
            line.append(UInt8(ascii: "}"))
        }
        line.append(UInt8(ascii: "\n"))
        self.output.write(line)
    }

    /// Quotes a value with white space, quotes or control characters in it: one event stays one line, whatever a client
    /// sent.
    private static func quotedIfNeeded(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                // Controls are those of C1, too: U+0085 is a line end to some readers.
                scalar.value > 0x20 && !(0x7f...0x9f).contains(scalar.value) && scalar != "\"" && scalar != "\\" && scalar != "="
            }
        return isPlain ? text : JSONText.string(text)
    }

    private static func text(_ value: Logger.Metadata.Value) -> String {
        switch value {
        case .string(let text):
            self.quotedIfNeeded(text)
        case .stringConvertible(let number as Double):
            TraceFields.score(number)
        case .stringConvertible(let other):
            self.quotedIfNeeded(other.description)
        case .array(let values):
            self.quotedIfNeeded(values.map { "\($0)" }.joined(separator: ","))
        case .dictionary:
            self.quotedIfNeeded("\(value)")
        }
    }

    private static func json(_ value: Logger.Metadata.Value) -> String {
        switch value {
        case .string(let text):
            JSONText.string(text)
        case .stringConvertible(let number as Int):
            "\(number)"
        case .stringConvertible(let number as Double):
            TraceFields.score(number)
        case .stringConvertible(let other):
            JSONText.string(other.description)
        case .array(let values):
            "[" + values.map(self.json).joined(separator: ",") + "]"
        case .dictionary(let values):
            "{"
                + values.sorted { $0.key < $1.key }.map { "\(JSONText.string($0.key)):\(self.json($0.value))" }.joined(
                    separator: ","
                ) + "}"
        }
    }

    /// RFC 3339, UTC, milliseconds.
    private static func timestamp(milliseconds: Int) -> String {
        var time = time_t(milliseconds / 1_000)
        var parts = tm()
        gmtime_r(&time, &parts)
        func digits(_ value: Int, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "\(digits(Int(parts.tm_year) + 1_900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
            + "T\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
            + ".\(digits(milliseconds % 1_000, 3))Z"
    }
}

/// Where log lines go, whole lines at a time.
package final class LogOutput: Sendable {
    private let descriptor: Int32
    private let turn = Mutex(())

    package init(descriptor: Int32 = Descriptor.standardError) {
        self.descriptor = descriptor
    }

    func write(_ line: [UInt8]) {
        self.turn.withLock { _ in
            // Where this fails there is nowhere to complain to; mail goes on.
            try? Descriptor.writeAll(line, to: self.descriptor)
        }
    }
}

/// The little JSON that is written by hand, where a line must be cheap and its keys in order.
package enum JSONText {
    /// A quoted JSON string (RFC 8259 §7).
    package static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f || (0x80...0x9f).contains(scalar.value):
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
