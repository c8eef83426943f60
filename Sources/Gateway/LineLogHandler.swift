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

    /// Octets of a usual line, reserved at once.
    private static let usualLength = 768

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
        self.output.write(self.line(event, milliseconds: TransactionClock.milliseconds()))
    }

    /// One line with its end. Written octet by octet into one array: every message has a line, and strings that are put
    /// together of strings were a tenth of its cost.
    func line(_ event: LogEvent, milliseconds: Int) -> [UInt8] {
        var fields = event.metadata ?? [:]
        if !self.metadata.isEmpty { fields.merge(self.metadata) { own, _ in own } }
        var line: [UInt8] = []
        line.reserveCapacity(Self.usualLength)
        switch self.format {
        case .text:
            line.appendTimestamp(milliseconds: milliseconds)
            line.append(text: " ")
            line.append(text: event.level.rawValue)
            line.append(text: " ")
            line.append(quotedIfNeeded: event.message.description)
            Self.forEachField(fields) { key, value in
                line.append(text: " ")
                line.append(text: key)
                line.append(text: "=")
                line.append(textValue: value)
            }
        case .json:
            line.append(text: #"{"time":""#)
            line.appendTimestamp(milliseconds: milliseconds)
            line.append(text: #"","level":""#)
            line.append(text: event.level.rawValue)
            line.append(text: #"","message":"#)
            line.append(jsonString: event.message.description)
            Self.forEachField(fields) { key, value in
                line.append(text: ",")
                line.append(jsonString: key)
                line.append(text: ":")
                line.append(jsonValue: value)
            }
            line.append(text: "}")
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// The fields of `LogKey` in its order, then others by name.
    private static func forEachField(_ fields: Logger.Metadata, _ body: (String, Logger.Metadata.Value) -> Void) {
        var left = fields.count
        for key in LogKey.ordered {
            guard left > 0 else { return }
            guard let value = fields[key] else { continue }
            body(key, value)
            left -= 1
        }
        guard left > 0 else { return }
        for (key, value) in fields.filter({ LogKey(rawValue: $0.key) == nil }).sorted(by: { $0.key < $1.key }) {
            body(key, value)
        }
    }
}

// MARK: - Values

extension Array<UInt8> {
    fileprivate mutating func append(text: some StringProtocol) {
        self.append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(textValue value: Logger.Metadata.Value) {
        switch value {
        case .string(let text): self.append(quotedIfNeeded: text)
        case .stringConvertible(let number as Int): self.append(text: String(number))
        case .stringConvertible(let number as Double): self.append(text: TraceFields.score(number))
        case .stringConvertible(let other): self.append(quotedIfNeeded: other.description)
        case .array(let values): self.append(quotedIfNeeded: values.map { "\($0)" }.joined(separator: ","))
        case .dictionary: self.append(quotedIfNeeded: "\(value)")
        }
    }

    fileprivate mutating func append(jsonValue value: Logger.Metadata.Value) {
        switch value {
        case .string(let text): self.append(jsonString: text)
        case .stringConvertible(let number as Int): self.append(text: String(number))
        case .stringConvertible(let number as Double): self.append(text: TraceFields.score(number))
        case .stringConvertible(let other): self.append(jsonString: other.description)
        case .array(let values):
            self.append(text: "[")
            for (index, value) in values.enumerated() {
                if index > 0 { self.append(text: ",") }
                self.append(jsonValue: value)
            }
            self.append(text: "]")
        case .dictionary(let values):
            self.append(text: "{")
            for (index, (key, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { self.append(text: ",") }
                self.append(jsonString: key)
                self.append(text: ":")
                self.append(jsonValue: value)
            }
            self.append(text: "}")
        }
    }

    /// Quotes a value with white space, quotes or control characters in it: one event stays one line, whatever a client
    /// sent.
    fileprivate mutating func append(quotedIfNeeded text: String) {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy {
                // 0xc2 begins the controls from U+0080 on in UTF-8; U+0085 is a line end to some readers.
                $0 > 0x20 && $0 != 0x22 && $0 != 0x5c && $0 != 0x7f && $0 != 0x3d && $0 != 0xc2
            }
        if isPlain { self.append(text: text) } else { self.append(jsonString: text) }
    }

    /// A quoted JSON string (RFC 8259 §7); control characters are escaped, also those above ASCII (U+0080 to U+009F), which
    /// some terminals obey.
    mutating func append(jsonString text: String) {
        self.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: self.append(text: "\\\"")
            case 0x5c: self.append(text: "\\\\")
            case 0x0a: self.append(text: "\\n")
            case 0x0d: self.append(text: "\\r")
            case 0x09: self.append(text: "\\t")
            case 0x20..<0x7f: self.append(UInt8(truncatingIfNeeded: scalar.value))
            case 0..<0xa0:
                self.append(text: "\\u00")
                if scalar.value < 0x10 { self.append(UInt8(ascii: "0")) }
                self.append(text: String(scalar.value, radix: 16))
            default: self.append(contentsOf: UTF8.encode(scalar)!)
            }
        }
        self.append(UInt8(ascii: "\""))
    }

    /// RFC 3339, UTC, milliseconds.
    fileprivate mutating func appendTimestamp(milliseconds: Int) {
        var time = time_t(milliseconds / 1_000)
        var parts = tm()
        gmtime_r(&time, &parts)
        self.append(decimal: Int(parts.tm_year) + 1_900, digits: 4)
        self.append(UInt8(ascii: "-"))
        self.append(decimal: Int(parts.tm_mon) + 1, digits: 2)
        self.append(UInt8(ascii: "-"))
        self.append(decimal: Int(parts.tm_mday), digits: 2)
        self.append(UInt8(ascii: "T"))
        self.append(decimal: Int(parts.tm_hour), digits: 2)
        self.append(UInt8(ascii: ":"))
        self.append(decimal: Int(parts.tm_min), digits: 2)
        self.append(UInt8(ascii: ":"))
        self.append(decimal: Int(parts.tm_sec), digits: 2)
        self.append(UInt8(ascii: "."))
        self.append(decimal: milliseconds % 1_000, digits: 3)
        self.append(UInt8(ascii: "Z"))
    }

    private mutating func append(decimal value: Int, digits: Int) {
        if digits > 1 { self.append(decimal: value / 10, digits: digits - 1) }
        self.append(UInt8(ascii: "0") + UInt8(value % 10))
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
