/// Takes a message apart in one pass over its lines.
///
/// A stack holds the entities whose end is not yet seen. Each line is read in one of two states: as header of the entity on
/// top of the stack, or as body, where only delimiter lines matter. Delimiters are compared by hash, so the work for a line
/// is its length plus a step for each open multipart, of which there are at most `ParserLimits.depth`.
struct MIMETree {
    private let bytes: [UInt8]
    private let limits: ParserLimits
    private let lineParser: HeaderLineParser

    private(set) var parts: [MIMEPart] = []
    private(set) var anomalies = AnomalyList()
    /// Starts of body lines, and of continued header lines, that `AmbiguityScan` has to look at.
    private(set) var marked = MarkedLines()
    /// Octets looked at and comparisons made: the bound that tests hold against the message's size.
    private(set) var work = 0

    private var stack: [OpenEntity] = []
    private var openBoundaries = 0
    private var longestBoundary = 0
    private var readingHeader = true
    private var header = HeaderState()
    private var fieldCount = 0

    /// Lines that begin like a delimiter, a field of MIME or a file in text, marked in the parser's own pass so that none is
    /// needed for them.
    struct MarkedLines {
        /// Lines of each sort: a bound on memory. Text with more lines that begin with hyphens is a drawing.
        static let maximum = 100_000

        var body: [Int] = []
        var folded: [(part: Int, offset: Int)] = []

        mutating func noteBody(_ bytes: [UInt8], _ start: Int) {
            var start = start
            // Delimiters are looked for behind white space, too.
            while start < bytes.count, bytes[start].isBlank { start += 1 }
            guard start + 1 < bytes.count, self.body.count < Self.maximum else { return }
            let second = bytes[start + 1] | 0x20
            switch bytes[start] {
            case 0x2d where bytes[start + 1] == 0x2d, 0x62 where second == 0x65, 0x42 where second == 0x65,
                0x3d where second == 0x79, 0x28 where second == 0x74:
                self.body.append(start)
            default: break
            }
        }
    }

    private struct OpenEntity {
        var part: Int
        var boundary: Boundary?
        /// Parts without Content-Type are messages (RFC 2046 §5.1.5).
        var isDigest = false
        var isClosed = false
        var children = 0
        /// Prefix of its children's paths.
        var childPath = ""
    }

    private struct Boundary {
        var hash: UInt64
        var bytes: [UInt8]
    }

    private struct HeaderState {
        var start = 0
        var fields: [HeaderField] = []
        var isBeyondLimit = false
        var hasEightBit = false
        var hasNUL = false
        var hasReturn = false
        /// The line before was no field, so what continues it is none either.
        var isSkipping = false
    }

    private struct Line {
        var start: Int
        /// Before the line end.
        var end: Int
        /// Start of the next line.
        var next: Int
        var content: Range<Int> { self.start..<self.end }
    }

    init(_ bytes: [UInt8], limits: ParserLimits) {
        self.bytes = bytes
        self.limits = limits
        self.lineParser = HeaderLineParser(bytes: bytes)
        self.build()
    }

    private mutating func build() {
        self.openEntity(parent: nil, at: 0)
        var position = 0
        while position < self.bytes.count {
            let line = self.line(at: position)
            position = line.next
            if self.readingHeader {
                self.readHeaderLine(line)
            } else {
                self.readBodyLine(line)
            }
        }
        if self.readingHeader { self.endHeader(bodyStart: self.bytes.count) }
        self.closeEntities(downTo: 0, at: self.bytes.count, isEndOfMessage: true)
    }

    private mutating func line(at start: Int) -> Line {
        let count = self.bytes.count
        var index = self.bytes.firstIndex(of: .lineFeed, from: start) ?? count
        let next = min(index + 1, count)
        self.work += next - start
        if index > start, index < count, self.bytes[index - 1] == .carriageReturn { index -= 1 }
        return Line(start: start, end: index, next: next)
    }
}

// MARK: - Header sections

extension MIMETree {
    private mutating func readHeaderLine(_ line: Line) {
        guard line.end > line.start else {
            self.endHeader(bodyStart: line.next)
            return
        }
        let first = self.bytes[line.start]
        if first.isBlank {
            self.continueField(line)
            return
        }
        if first == 0x2d, self.delimiter(line) != nil {
            self.endHeaderWithoutEmptyLine(line)
            return
        }
        if let field = self.lineParser.field(line.content) {
            self.header.isSkipping = false
            self.noteUnusualOctets(line)
            self.append(field, at: line.start)
            return
        }
        self.readLineThatIsNoField(line)
    }

    private mutating func continueField(_ line: Line) {
        self.noteUnusualOctets(line)
        var start = line.start
        while start < line.end, self.bytes[start].isBlank { start += 1 }
        if start == line.end { self.anomalies.report(.blankHeaderLine, part: self.top.part, offset: line.start) }
        if start < line.end, self.bytes[start] | 0x20 == 0x63, self.marked.folded.count < MarkedLines.maximum {
            self.marked.folded.append((self.top.part, start))
        }
        guard !self.header.isSkipping, !self.header.fields.isEmpty else { return }
        if self.isBeyondLimit(line.end) {
            self.header.isSkipping = true
            return
        }
        let last = self.header.fields.count - 1
        self.header.fields[last].value = self.header.fields[last].value.lowerBound..<line.end
    }

    private mutating func append(_ field: HeaderField, at offset: Int) {
        if self.isBeyondLimit(field.value.upperBound) || self.fieldCount >= self.limits.fields {
            if !self.header.isBeyondLimit {
                self.header.isBeyondLimit = true
                self.anomalies.report(.headerTooLong, part: self.top.part, offset: offset)
            }
            self.header.isSkipping = true
            return
        }
        self.fieldCount += 1
        self.header.fields.append(field)
    }

    private mutating func isBeyondLimit(_ end: Int) -> Bool {
        guard end - self.header.start > self.limits.headerSize else { return false }
        if !self.header.isBeyondLimit {
            self.header.isBeyondLimit = true
            self.anomalies.report(.headerTooLong, part: self.top.part, offset: self.header.start + self.limits.headerSize)
        }
        return true
    }

    /// A line of text among fields is passed over when a field follows it; otherwise the body has begun without an empty
    /// line, as mail transfer agents take it.
    private mutating func readLineThatIsNoField(_ line: Line) {
        let isFirst = line.start == self.header.start
        if isFirst, self.lineParser.isMailboxSeparator(line.content) {
            self.header.isSkipping = true
            return
        }
        let following = self.line(at: line.next)
        if line.next < self.bytes.count, self.lineParser.field(following.content) != nil {
            self.noteUnusualOctets(line)
            self.anomalies.report(.headerLineWithoutColon, part: self.top.part, offset: line.start)
            self.header.isSkipping = true
            return
        }
        self.endHeaderWithoutEmptyLine(line)
    }

    private mutating func endHeaderWithoutEmptyLine(_ line: Line) {
        self.anomalies.report(.missingHeaderEnd, part: self.top.part, offset: line.start)
        self.endHeader(bodyStart: line.start)
        if self.readingHeader {
            self.readHeaderLine(line)
        } else {
            self.readBodyLine(line)
        }
    }

    private mutating func noteUnusualOctets(_ line: Line) {
        guard !self.header.hasEightBit || !self.header.hasNUL || !self.header.hasReturn else { return }
        // Nearly all lines are done here.
        guard self.bytes[line.content].contains(where: { $0 >= 0x80 || $0 <= .carriageReturn }) else { return }
        for index in line.content {
            let octet = self.bytes[index]
            if octet >= 0x80, !self.header.hasEightBit {
                self.header.hasEightBit = true
                self.anomalies.report(.eightBitHeader, part: self.top.part, offset: index)
            } else if octet == 0, !self.header.hasNUL {
                self.header.hasNUL = true
                self.anomalies.report(.nulInHeader, part: self.top.part, offset: index)
            } else if octet == .carriageReturn, !self.header.hasReturn {
                self.header.hasReturn = true
                self.anomalies.report(.bareReturnInHeader, part: self.top.part, offset: index)
            }
        }
    }

    private var top: OpenEntity { self.stack[self.stack.count - 1] }

    private mutating func endHeader(bodyStart: Int) {
        let entity = self.top
        let parent = self.stack.count > 1 ? self.stack[self.stack.count - 2] : nil
        self.readingHeader = false
        self.parts[entity.part].headerFields = self.header.fields
        var reader = EntityHeaderReader(bytes: self.bytes, fields: self.header.fields)
        reader.read(into: &self.parts[entity.part], defaultIsMessage: parent?.isDigest ?? false)
        for (kind, offset) in reader.anomalies { self.anomalies.report(kind, part: entity.part, offset: offset) }
        self.parts[entity.part].body = bodyStart..<bodyStart
        self.openContainer(reader.boundary, bodyStart: bodyStart)
    }
}

// MARK: - Containers

extension MIMETree {
    /// Opens the entity on top when it is a multipart or a message, and gives it its path.
    private mutating func openContainer(_ boundary: [UInt8]?, bodyStart: Int) {
        let index = self.top.part
        let part = self.parts[index]
        if part.isMultipart {
            self.setPath(isMultipart: boundary != nil)
            if part.encoding != .identity { self.anomalies.report(.encodedMultipart, part: index, offset: bodyStart) }
            guard let boundary else {
                self.anomalies.report(.missingBoundary, part: index, offset: bodyStart)
                return
            }
            guard self.mayGoDeeper(at: bodyStart) else { return }
            self.open(boundary, at: bodyStart)
        } else if part.type == "message", part.subtype == "rfc822" || part.subtype == "global" {
            self.setPath(isMultipart: false)
            guard part.encoding == .identity else {
                self.anomalies.report(.encodedMessage, part: index, offset: bodyStart)
                return
            }
            guard bodyStart < self.bytes.count, self.mayGoDeeper(at: bodyStart), self.mayAddPart(at: bodyStart) else { return }
            self.parts[index].isContainer = true
            self.openEntity(parent: index, at: bodyStart)
        } else {
            self.setPath(isMultipart: false)
        }
    }

    private mutating func open(_ boundary: [UInt8], at offset: Int) {
        let hash = Self.hash(boundary, 0..<boundary.count)
        if self.stack.contains(where: { $0.boundary?.hash == hash }) {
            self.anomalies.report(.duplicateBoundary, part: self.top.part, offset: offset)
        }
        let last = self.stack.count - 1
        self.stack[last].boundary = Boundary(hash: hash, bytes: boundary)
        self.stack[last].isDigest = self.parts[self.top.part].subtype == "digest"
        self.parts[self.top.part].isContainer = true
        self.parts[self.top.part].boundary = boundary
        self.openBoundaries += 1
        self.longestBoundary = max(self.longestBoundary, boundary.count)
    }

    private mutating func mayGoDeeper(at offset: Int) -> Bool {
        guard self.stack.count >= self.limits.depth else { return true }
        self.anomalies.report(.tooDeep, part: self.top.part, offset: offset)
        return false
    }

    private mutating func mayAddPart(at offset: Int) -> Bool {
        guard self.parts.count >= self.limits.parts else { return true }
        self.anomalies.report(.tooManyParts, part: self.top.part, offset: offset)
        return false
    }

    private mutating func openEntity(parent: Int?, at start: Int) {
        let index = self.parts.count
        self.parts.append(
            MIMEPart(
                index: index,
                parent: parent,
                path: "",
                headerFields: [],
                type: "text",
                subtype: "plain",
                parameters: [:],
                disposition: nil,
                fileName: nil,
                encoding: .identity,
                body: start..<start
            )
        )
        self.stack.append(OpenEntity(part: index))
        self.readingHeader = true
        self.header = HeaderState(start: start)
    }

    /// Numbers as in IMAP: a multipart that is the message itself (or a nested message itself) has no number of its own.
    private mutating func setPath(isMultipart: Bool) {
        let last = self.stack.count - 1
        let index = self.stack[last].part
        guard last > 0 else {
            self.parts[index].path = isMultipart ? "" : "1"
            self.stack[last].childPath = isMultipart ? "" : "1."
            return
        }
        let parentIsMessage = self.stack[last - 1].boundary == nil
        if parentIsMessage, isMultipart {
            self.parts[index].path = String(self.stack[last - 1].childPath.dropLast())
            self.stack[last].childPath = self.stack[last - 1].childPath
            return
        }
        self.stack[last - 1].children += 1
        let path = "\(self.stack[last - 1].childPath)\(self.stack[last - 1].children)"
        self.parts[index].path = path
        self.stack[last].childPath = path + "."
    }
}

// MARK: - Bodies

extension MIMETree {
    private mutating func readBodyLine(_ line: Line) {
        self.marked.noteBody(self.bytes, line.start)
        guard self.openBoundaries > 0, line.end - line.start >= 2, self.bytes[line.start] == 0x2d else { return }
        guard let match = self.delimiter(line) else { return }
        self.closeEntities(downTo: match.level + 1, at: line.start, isEndOfMessage: false)
        if match.isClose {
            self.stack[match.level].isClosed = true
            return
        }
        guard !self.stack[match.level].isClosed else {
            self.anomalies.report(.partAfterClose, part: self.stack[match.level].part, offset: line.start)
            return
        }
        guard self.mayAddPart(at: line.start) else { return }
        self.openEntity(parent: self.stack[match.level].part, at: line.next)
    }

    /// `delimiter` or `close-delimiter` of an open multipart (RFC 2046 §5.1.1), the innermost first.
    private mutating func delimiter(_ line: Line) -> (level: Int, isClose: Bool)? {
        guard self.openBoundaries > 0, line.end - line.start >= 2, self.bytes[line.start + 1] == 0x2d else { return nil }
        let start = line.start + 2
        var end = line.end
        // transport-padding
        while end > start, self.bytes[end - 1].isSpace { end -= 1 }
        self.work += line.end - end
        guard end - start <= self.longestBoundary + 2 else { return nil }
        self.work += end - start
        let whole = Self.hash(self.bytes, start..<end)
        let isClosing = end - start >= 2 && self.bytes[end - 1] == 0x2d && self.bytes[end - 2] == 0x2d
        let closing = isClosing ? Self.hash(self.bytes, start..<(end - 2)) : 0
        // A closed multipart gives way to one around it with the same boundary.
        var closed: (level: Int, isClose: Bool)?
        for level in self.stack.indices.reversed() {
            self.work += 1
            guard let boundary = self.stack[level].boundary else { continue }
            let match: (level: Int, isClose: Bool)
            if boundary.hash == whole, boundary.bytes.elementsEqual(self.bytes[start..<end]) {
                match = (level, false)
            } else if isClosing, boundary.hash == closing, boundary.bytes.elementsEqual(self.bytes[start..<(end - 2)]) {
                match = (level, true)
            } else {
                continue
            }
            if !self.stack[level].isClosed { return match }
            if closed == nil { closed = match }
        }
        return closed
    }

    /// FNV-1a; a match is confirmed octet by octet.
    private static func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in range { value = (value ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
        return value
    }

    /// Ends the entities above `level`; the line end before a delimiter belongs to the delimiter.
    private mutating func closeEntities(downTo level: Int, at position: Int, isEndOfMessage: Bool) {
        guard self.stack.count > level else { return }
        var end = position
        if !isEndOfMessage, end > 0, self.bytes[end - 1] == .lineFeed {
            end -= 1
            if end > 0, self.bytes[end - 1] == .carriageReturn { end -= 1 }
        }
        while self.stack.count > level {
            let entity = self.stack.removeLast()
            if entity.boundary != nil {
                self.openBoundaries -= 1
                if !entity.isClosed {
                    // One that never comes may be written otherwise in the body.
                    let kind: StructureAnomaly.Kind = entity.children == 0 ? .missingBoundary : .unclosedMultipart
                    self.anomalies.report(kind, part: entity.part, offset: end)
                }
            }
            let start = self.parts[entity.part].body.lowerBound
            self.parts[entity.part].body = start..<max(start, end)
        }
    }
}
