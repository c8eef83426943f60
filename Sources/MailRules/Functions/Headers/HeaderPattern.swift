import MailMessage
import PatternKit

/// A pattern that a function looks for; compiled once for all.
struct HeaderPattern: Sendable {
    fileprivate let pattern: Pattern

    init(_ text: String, _ options: PatternOptions = []) {
        do {
            self.pattern = try Pattern(Array(text.utf8), options: options)
        } catch {
            preconditionFailure("\(text): \(error)")
        }
    }

    /// An address, as it stands in Received fields.
    static let ip =
        #"(?:(?<![:\w])\d{1,3}(?:\.\d{1,3}){3}\b|(?:IPv6:|(?<![a-fA-F0-9:]))[a-fA-F0-9:]*:[a-fA-F0-9:]*[a-fA-F0-9:.](?![a-fA-F0-9:]))"#
}

extension EvalContext {
    /// The text of a selector; empty when there is none.
    func text(of selector: String) -> [UInt8] { self.header(selector) ?? [] }

    func finds(_ pattern: HeaderPattern, in text: [UInt8]) -> Bool { self.place(of: pattern, in: text) != nil }

    func place(of pattern: HeaderPattern, in text: [UInt8]) -> Range<Int>? {
        guard case .match(let range) = self.matcher.search(pattern.pattern, in: text) else { return nil }
        return range
    }

    /// What the groups of a pattern took.
    func groups(_ pattern: HeaderPattern, in text: [UInt8]) -> [[UInt8]]? {
        guard self.place(of: pattern, in: text) != nil else { return nil }
        return (1...max(pattern.pattern.captureCount, 1)).map { number in
            self.matcher.capture(number).map { Array(text[$0]) } ?? []
        }
    }
}

extension [UInt8] {
    /// White space run together.
    var singleSpaced: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(self.count)
        var isBehindBlank = false
        for octet in self {
            if !octet.isBlank {
                result.append(octet)
            } else if !isBehindBlank {
                result.append(0x20)
            }
            isBehindBlank = octet.isBlank
        }
        return result
    }

    /// The first lines, without line feeds, empty ones left out.
    func lines(upTo limit: Int = .max) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        while start < self.count, lines.count < limit {
            let end = self[start...].firstIndex(of: 0x0a) ?? self.count
            if end > start { lines.append(self[start..<end]) }
            start = end + 1
        }
        return lines
    }

    var lowercasedASCII: [UInt8] { self.map(\.lowercased) }

    /// Where a text stands first.
    func place(of text: some Collection<UInt8>, from start: Int = 0) -> Int? {
        guard let first = text.first else { return start }
        let count = text.count
        var index = start
        while index + count <= self.count {
            if self[index] == first, self[index..<(index + count)].elementsEqual(text) { return index }
            index += 1
        }
        return nil
    }

    func contains(_ text: String) -> Bool { self.place(of: text.utf8) != nil }
}
