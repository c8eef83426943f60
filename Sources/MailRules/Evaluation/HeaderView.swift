import MailMessage
import MailTypes

/// The text that header rules with one selector look at. A class: many rules look at one.
final class HeaderView: Sendable {
    let bytes: [UInt8]
    /// Where each value starts.
    private let starts: [Int]
    /// Values stand on lines that belong to none of them.
    private let hasSeparators: Bool

    static let none = HeaderView([])

    /// Values that end in a line feed stand as they are, others on lines of their own, the last without a line end.
    init(_ values: [[UInt8]]) {
        self.hasSeparators = values.first?.last != 0x0a
        guard values.count > 1 else {
            self.starts = values.isEmpty ? [] : [0]
            self.bytes = values.first ?? []
            return
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.reduce(0) { $0 + $1.count + 1 })
        var starts: [Int] = []
        for value in values {
            if self.hasSeparators, !starts.isEmpty { bytes.append(0x0a) }
            starts.append(bytes.count)
            bytes += value
        }
        self.bytes = bytes
        self.starts = starts
    }

    /// Whole fields, each on a line with its name; raw ones with the folds that they have.
    init(lines fields: [SubjectField], isRaw: Bool) {
        self.hasSeparators = false
        var bytes: [UInt8] = []
        bytes.reserveCapacity(fields.reduce(0) { $0 + $1.name.count + (isRaw ? $1.raw : $1.decoded).count + 3 })
        var starts: [Int] = []
        for field in fields {
            starts.append(bytes.count)
            bytes += field.name
            bytes.append(0x3a)
            if !isRaw { bytes.append(0x20) }
            bytes += isRaw ? field.raw : field.decoded
            bytes.append(0x0a)
        }
        self.bytes = bytes
        self.starts = starts
    }

    /// There is such a field.
    var exists: Bool { !self.starts.isEmpty }

    /// One for each field, address, host …, in order; those of whole fields end in a line feed.
    var values: [[UInt8]] { self.starts.indices.map(self.value) }

    var first: [UInt8]? { self.exists ? self.value(0) : nil }

    private func value(_ number: Int) -> [UInt8] {
        guard self.starts.count > 1 else { return self.bytes }
        let next = number + 1
        let end = next < self.starts.count ? self.starts[next] - (self.hasSeparators ? 1 : 0) : self.bytes.count
        return Array(self.bytes[self.starts[number]..<end])
    }

    /// The offset within the value that `offset` lies in.
    func offsetInField(_ offset: Int) -> Int {
        offset - (self.starts.last { $0 <= offset } ?? 0)
    }
}

extension HeaderSelector {
    /// Names under which lists and forwarders keep the message's own id.
    private static let messageIDFields: [HeaderName] = [
        "x-message-id", "resent-message-id", "x-original-message-id", "message-id",
    ]
    private static let recipientFields: [HeaderName] = ["to", "cc"]
    /// Octets of the header section, as `ALL` gives it, that are looked at (as in SpamAssassin).
    private static let maximumHeaderLength = 64 * 1024

    func view(of message: MessageViews) -> HeaderView {
        let subject = message.subject
        var values: [[UInt8]]
        switch self.source {
        case .all: return HeaderView(lines: self.allFields(of: subject), isRaw: self.isRaw)
        case .allOf(let side): return HeaderView(lines: self.fields(of: side, subject), isRaw: self.isRaw)
        case .envelopeFrom: values = message.envelopeSender.map { [$0] } ?? []
        case .relays(let side): values = [RelayPath.text(subject.relays.hops(of: side))]
        case .toCc: values = Self.recipientFields.flatMap { subject.fields(named: $0).map(self.lineOfKnownField) }
        case .messageID:
            values = Self.messageIDFields.flatMap { subject.fields(named: $0).map(self.lineOfKnownField) }
        case .field(let name):
            // Addresses and names are read before encoded words are decoded: those could make commas and brackets.
            let isRaw = self.isRaw || self.extract != .value
            values = subject.fields(named: name).map { (isRaw ? $0.raw : $0.decoded) + [0x0a] }
            if values.isEmpty, let value = subject.standIn(forField: name) { values = [value] }
        }
        // Most rules look at fields that most messages do not have.
        if values.isEmpty { return .none }
        switch self.choice {
        case .every: break
        case .first: values = Array(values.prefix(1))
        case .last: values = Array(values.suffix(1))
        }
        if self.extract == .value, self.detail == .whole { return HeaderView(values) }
        return HeaderView(values.flatMap { self.extracts(of: $0, subject) }.compactMap { self.detail(of: $0, subject) })
    }

    /// Folds are undone in these, raw or not.
    private func lineOfKnownField(_ field: SubjectField) -> [UInt8] {
        self.isRaw ? HeaderSelector.unfolded(field.raw) + [0x0a] : field.decoded + [0x0a]
    }

    static func unfolded(_ raw: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < raw.count {
            guard raw[index] == 0x0a else {
                result.append(raw[index])
                index += 1
                continue
            }
            index += 1
            let end = raw[index...].firstIndex { !$0.isBlank } ?? raw.count
            if end > index { result.append(0x20) }
            index = end
        }
        return result
    }

    // MARK: - The whole header section

    /// Raw all of it; else what fits into the limit, fields of one name together, in the order of the names.
    private func allFields(of subject: some RuleSubject) -> [SubjectField] {
        let fields = subject.allFields()
        guard !self.isRaw, fields.reduce(0, { $0 + $1.name.count + $1.decoded.count + 3 }) > Self.maximumHeaderLength else {
            return fields
        }
        var order: [[UInt8]: Int] = [:]
        let names = fields.map { $0.name.map(\.lowercased) }
        for name in names where order[name] == nil { order[name] = order.count }
        var size = 0
        var chosen: Set<Int> = []
        let sorted = fields.indices.sorted { (order[names[$0]] ?? 0, $0) < (order[names[$1]] ?? 0, $1) }
        for index in sorted {
            size += fields[index].name.count + fields[index].decoded.count + 3
            if size > Self.maximumHeaderLength { break }
            chosen.insert(index)
        }
        return fields.indices.filter(chosen.contains).map { fields[$0] }
    }

    /// A host writes its Received field on top of what it got: its own fields stand above that, and those of the host before
    /// below. The field of the first host that is not trusted was still written by one that is.
    private func fields(of side: RelaySide, _ subject: some RuleSubject) -> [SubjectField] {
        let relays = subject.relays
        let isTrust = side == .trusted || side == .untrusted
        let boundary = (isTrust ? relays.lastTrustedField : relays.lastInternalField) + 1
        let isBelow = side == .untrusted || side == .external
        // The hop to us counts as a field, though it stands nowhere.
        var current = relays.beginsWithConnection ? 0 : -1
        var fields: [SubjectField] = []
        for field in self.allFields(of: subject) {
            if field.isNamed(.received) { current += 1 }
            if isBelow {
                if current >= boundary { fields.append(field) }
            } else if current <= boundary {
                fields.append(field)
                if current == boundary { break }
            }
        }
        return fields
    }

    // MARK: - Addresses and names

    private func extracts(of value: [UInt8], _ subject: some RuleSubject) -> [[UInt8]] {
        switch self.extract {
        case .value: [value]
        case .addresses: HeaderAddress.list(value).compactMap(\.address)
        case .names:
            HeaderAddress.list(value).compactMap(\.name).map {
                self.isRaw ? $0 : HeaderSelector.tidy(subject.decodingWords($0))
            }
        }
    }

    /// White space run together, and a pair of single quotes around the whole taken off; white space alone stays.
    private static func tidy(_ name: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in name {
            if !byte.isBlank {
                result.append(byte)
            } else if let last = result.last, last != 0x20 {
                result.append(0x20)
            }
        }
        if result.isEmpty { return name }
        if result.last == 0x20 { result.removeLast() }
        let quote = UInt8(ascii: "'")
        if result.count >= 2, result.first == quote, result.last == quote { return Array(result.dropFirst().dropLast()) }
        return result
    }

    // MARK: - Hosts and addresses

    private func detail(of value: [UInt8], _ subject: some RuleSubject) -> [UInt8]? {
        switch self.detail {
        case .whole: return value
        case .ip: return AddressText.firstWhole(in: value).map { Array(value[$0]) }
        case .reversedIP: return AddressText.firstWhole(in: value).flatMap { AddressText.reversed(Array(value[$0])) }
        case .host, .domain:
            let boundaries = subject.registrars
            let host = self.extract == .addresses ? HostText.behindAt(value) : HostText.first(in: value, boundaries)
            guard let host else { return nil }
            return self.detail == .domain ? boundaries.registeredDomain(of: host) : host
        }
    }
}

extension RelayPath {
    func hops(of side: HeaderSelector.RelaySide) -> [Relay] {
        switch side {
        case .trusted: self.trusted
        case .untrusted: self.untrusted
        case .internal: self.internal
        case .external: self.external
        }
    }
}
