import OpenSSLKit

/// How much a message may change underway and still verify (RFC 6376 §3.4).
package enum Canonicalization: String, Hashable, Sendable {
    case simple
    case relaxed
}

/// The canonical form of header fields.
enum HeaderCanonicalization {
    /// A field with the CRLF that ends it.
    /// - Parameters:
    ///   - name: as it is written, with the white space before the colon if there is some.
    ///   - value: behind the colon, folded as it is, without the last line end.
    static func append(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>, _ form: Canonicalization, to result: inout [UInt8]) {
        switch form {
        case .simple:
            result += name
            result.append(UInt8(ascii: ":"))
            result += value
        case .relaxed:
            for octet in name where !octet.isTagSpace { result.append((0x41...0x5a).contains(octet) ? octet + 0x20 : octet) }
            result.append(UInt8(ascii: ":"))
            self.appendRelaxed(value, to: &result)
        }
        result.append(0x0d)
        result.append(0x0a)
    }

    /// Unfolded, runs of white space one space, none at the ends (§3.4.2).
    private static func appendRelaxed(_ value: ArraySlice<UInt8>, to result: inout [UInt8]) {
        var needsSpace = false
        var isEmpty = true
        for octet in value {
            if octet == 0x0d || octet == 0x0a { continue }
            if octet == 0x20 || octet == 0x09 {
                needsSpace = !isEmpty
                continue
            }
            if needsSpace { result.append(0x20) }
            needsSpace = false
            isEmpty = false
            result.append(octet)
        }
    }
}

/// The hash of a message's body in canonical form, taken while the octets pass by (RFC 6376 §3.7).
struct BodyHash {
    private let hasher = SHA256Hasher()
    private let form: Canonicalization
    /// Canonical octets that count (`l=`); nil: all.
    private let limit: UInt64?
    /// Canonical octets so far, those beyond the limit included.
    private(set) var length: UInt64 = 0
    private var pending: [UInt8] = []

    /// Octets that are gathered before they are hashed.
    private static let chunk = 8_192

    init(_ form: Canonicalization, limit: UInt64? = nil) {
        self.form = form
        self.limit = limit
        self.pending.reserveCapacity(Self.chunk + 1_024)
    }

    /// The digest, and the octets of the canonical body, those beyond the limit included.
    struct Outcome: Hashable, Sendable {
        var hash: [UInt8]
        var length: UInt64
    }

    static func hash(_ body: ArraySlice<UInt8>, _ form: Canonicalization, limit: UInt64? = nil) -> Outcome {
        var hash = BodyHash(form, limit: limit)
        hash.add(body)
        return hash.finish()
    }

    private mutating func add(_ body: ArraySlice<UInt8>) {
        var index = body.startIndex
        var emptyLines = 0
        while index < body.endIndex {
            let end = Self.lineEnd(body, from: index)
            if self.writeLine(body[index..<end.text], after: &emptyLines) { self.flushIfFull() }
            index = end.next
        }
        // Simple: a body without any octet is one line end (§3.4.3).
        if self.form == .simple, self.length == 0, self.pending.isEmpty { self.pending += [0x0d, 0x0a] }
    }

    /// Where a line's text ends, and where the next one starts. CRLF alone ends a line.
    private static func lineEnd(_ body: ArraySlice<UInt8>, from start: Int) -> (text: Int, next: Int) {
        var index = start
        while let found = body[index...].firstIndex(of: 0x0d) {
            if found + 1 < body.endIndex, body[found + 1] == 0x0a { return (found, found + 2) }
            index = found + 1
        }
        return (body.endIndex, body.endIndex)
    }

    /// Empty lines are kept back: they count only if text follows (§3.4.3, §3.4.4).
    /// - Returns: whether something was written.
    private mutating func writeLine(_ line: ArraySlice<UInt8>, after emptyLines: inout Int) -> Bool {
        var line = line
        if self.form == .relaxed {
            while let last = line.last, last == 0x20 || last == 0x09 { line.removeLast() }
        }
        guard !line.isEmpty else {
            emptyLines += 1
            return false
        }
        while emptyLines > 0 {
            self.pending += [0x0d, 0x0a]
            emptyLines -= 1
            self.flushIfFull()
        }
        if self.form == .simple || Self.isRelaxed(line) {
            self.pending += line
        } else {
            var isSpace = false
            for octet in line {
                if octet == 0x20 || octet == 0x09 {
                    isSpace = true
                    continue
                }
                if isSpace { self.pending.append(0x20) }
                isSpace = false
                self.pending.append(octet)
            }
        }
        self.pending += [0x0d, 0x0a]
        return true
    }

    /// Whether a line's white space is single spaces already, as in most lines of most mail: then it is copied in one piece.
    private static func isRelaxed(_ line: ArraySlice<UInt8>) -> Bool {
        let octets = line.span
        var wasSpace = false
        for index in octets.indices {
            let octet = octets[index]
            if octet == 0x09 { return false }
            let isSpace = octet == 0x20
            if isSpace, wasSpace { return false }
            wasSpace = isSpace
        }
        return true
    }

    private mutating func flushIfFull() {
        if self.pending.count >= Self.chunk { self.flush() }
    }

    private mutating func flush() {
        let before = self.length
        self.length += UInt64(self.pending.count)
        if let limit = self.limit, self.length > limit {
            if before < limit { self.hasher.update(Array(self.pending.prefix(Int(limit - before)))) }
        } else {
            self.hasher.update(self.pending)
        }
        self.pending.removeAll(keepingCapacity: true)
    }

    private mutating func finish() -> Outcome {
        self.flush()
        return Outcome(hash: self.hasher.finish(), length: self.length)
    }
}
