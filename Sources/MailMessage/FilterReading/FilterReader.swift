/// Takes a message apart for `FilterMessage`. Parts wait in a queue, so that they are met level by level; that order decides
/// about boundaries that are used twice.
struct FilterReader {
    private(set) var parts: [FilterPart] = []
    private(set) var flags: Set<FilterMessage.Flag> = []
    private(set) var bodyLength = 0
    /// Opened and not closed: 1.
    private(set) var boundaryStates: [[UInt8]: Int] = [:]
    /// A part was left whole that is made of parts, because it stands too deep or there are too many.
    private(set) var hasUnreadParts = false

    private var queue: [Waiting] = []

    /// Levels of parts that are taken apart, as in SpamAssassin.
    private static let maximumDepth = 20
    /// Parts of one multipart, as in SpamAssassin.
    private static let maximumChildren = 1_000
    /// Parts of a message, which SpamAssassin does not bound.
    private static let maximumParts = 10_000
    /// Octets of a line of a part; what is longer is cut into lines of this length.
    private static let maximumLine = 2_048

    private struct Waiting {
        var part: Int
        var type: FilterContentType
        /// Its own, or that of the multipart which it is in.
        var boundary: [UInt8]?
        var body: [UInt8]
        var levelsLeft: Int
    }

    private struct Headers {
        var fields: [FilterField] = []
        var contentType: [UInt8]?
        var contentDisposition: [UInt8]?
        var contentTransferEncoding: [UInt8]?
    }

    /// - Parameter text: lines end with LF.
    mutating func read(_ text: [UInt8]) {
        self.add(message: text.isEmpty ? [.lineFeed] : text, parent: nil, levelsLeft: Self.maximumDepth)
        var next = 0
        while next < self.queue.count {
            let waiting = self.queue[next]
            self.queue[next].body = []
            next += 1
            self.take(waiting)
        }
        self.queue = []
    }

    private mutating func take(_ waiting: Waiting) {
        let part = self.parts[waiting.part]
        if part.type.hasPrefix(Self.multipart, at: 0), waiting.boundary != nil {
            if waiting.levelsLeft > 0 { return self.readMultipart(waiting) }
            self.hasUnreadParts = true
        }
        self.readLeaf(waiting)
        guard Self.messages.contains(self.parts[waiting.part].type) else { return }
        guard waiting.levelsLeft > 0, self.parts.count < Self.maximumParts else {
            self.hasUnreadParts = true
            return
        }
        let content = self.parts[waiting.part].decoded()
        guard !content.isEmpty else { return }
        self.parts[waiting.part].raw = []
        self.parts[waiting.part].isLeaf = false
        // A message in base64 has its lines as they were sent.
        self.add(message: LineEnds.lineFeeds(content), parent: waiting.part, levelsLeft: waiting.levelsLeft - 1)
    }

    private static let multipart = [UInt8](ascii: "multipart/")
    private static let messages: Set<[UInt8]> = [[UInt8](ascii: "message/rfc822"), [UInt8](ascii: "message/global")]

    private mutating func addPart(parent: Int?, type: [UInt8], headers: Headers) -> Int {
        let index = self.parts.count
        var part = FilterPart(index: index, depth: parent.map { self.parts[$0].depth + 1 } ?? 0, type: type)
        part.fields = headers.fields
        part.contentType = headers.contentType
        part.contentDisposition = headers.contentDisposition
        part.contentTransferEncoding = headers.contentTransferEncoding
        self.parts.append(part)
        if let parent { self.parts[parent].children.append(index) }
        return index
    }

    private mutating func readLeaf(_ waiting: Waiting) {
        let type = waiting.type
        if !type.isMissing {
            let isOpen = type.type.hasPrefix(Self.multipart, at: 0) && waiting.boundary == nil
            self.parts[waiting.part].type = isOpen ? [UInt8](ascii: "text/plain") : type.type
        }
        self.parts[waiting.part].charset = type.charset
        let disposition = self.parts[waiting.part].contentDisposition ?? []
        if let name = Self.dispositionName(disposition) {
            self.parts[waiting.part].name = name
        } else if let name = type.name, !name.isEmpty {
            self.parts[waiting.part].name = name
        }
        self.parts[waiting.part].raw = waiting.body
    }

    /// What stands behind the first `name=` that has something behind it.
    private static func dispositionName(_ value: [UInt8]) -> [UInt8]? {
        let word = [UInt8](ascii: "name=")
        var index = 0
        while index < value.count {
            guard value.hasPrefix(word, at: index) else {
                index += 1
                continue
            }
            var start = index + word.count
            while start < value.count, value[start].isSpace { start += 1 }
            if start < value.count, value[start] == 0x22 { start += 1 }
            let end = value[start...].firstIndex { $0 == 0x22 || $0 == 0x3b } ?? value.count
            if end > start { return [UInt8](value[start..<end]) }
            index += 1
        }
        return nil
    }
}

// MARK: - Messages

extension FilterReader {
    /// Octets of a field's name and value that are kept, and of all fields together.
    private static let maximumName = 256
    private static let maximumValue = 8_192
    private static let maximumHeader = 65_536
    /// Lines that are no field are passed over in a header so many times.
    private static let toleratedMistakes = 3

    private mutating func add(message text: [UInt8], parent: Int?, levelsLeft: Int) {
        let isWhole = parent == nil
        var lines = LineCursor(text)
        lines.skipMailboxSeparator()
        var headers = Headers()
        let flags = Self.readHeader(&lines, &headers)
        let (body, rest) = Self.squashingEmptyLines(text, from: lines.position)
        if isWhole {
            self.flags.formUnion(flags)
            self.bodyLength = rest
        }
        let type = FilterContentType(headers.contentType)
        let part = self.addPart(parent: parent, type: type.type, headers: headers)
        var content = body
        if type.type.hasPrefix(Self.multipart, at: 0), Self.needsEmptyLine(body, type.boundary) {
            content.insert(.lineFeed, at: 0)
        }
        self.queue.append(Waiting(part: part, type: type, boundary: type.boundary, body: content, levelsLeft: levelsLeft))
    }

    /// A multipart's body of several lines that begins with text.
    private static func needsEmptyLine(_ body: [UInt8], _ boundary: [UInt8]?) -> Bool {
        guard let end = body.firstIndex(of: .lineFeed), end + 1 < body.count else { return false }
        guard body[..<end].contains(where: { !$0.isSpace }) else { return false }
        guard let boundary else { return true }
        return !(body.starts(with: [0x2d, 0x2d]) && body.dropFirst(2).starts(with: boundary))
    }

    private static func readHeader(_ lines: inout LineCursor, _ headers: inout Headers) -> Set<FilterMessage.Flag> {
        var flags: Set<FilterMessage.Flag> = []
        var field: Range<Int>?
        var mistakes = 0
        var total = 0
        while true {
            guard let line = lines.next() else {
                Self.end(field, lines.text, &headers, &flags, &total)
                flags.insert(.missingHeadBodySeparator)
                break
            }
            if lines.text[line.lowerBound].isBlank {
                field = (field?.lowerBound ?? line.lowerBound)..<line.upperBound
                continue
            }
            Self.end(field, lines.text, &headers, &flags, &total)
            field = nil
            if line.count == 1, lines.text[line.lowerBound] == .lineFeed { break }
            if line.count > 1, lines.text[line.lowerBound] == 0x2d, lines.text[line.lowerBound + 1] == 0x2d {
                flags.insert(.missingHeadBodySeparator)
                lines.position = line.lowerBound
                break
            }
            if Self.nameEnd(lines.text, line, allowsBlanks: true) == nil {
                mistakes += 1
                if mistakes > Self.toleratedMistakes {
                    flags.insert(.missingHeadBodySeparator)
                    lines.position = line.lowerBound
                    break
                }
            }
            field = line
        }
        if total > Self.maximumHeader { flags.insert(.truncatedHeader) }
        return flags
    }

    /// Stores a whole field when it has a colon.
    private static func end(
        _ field: Range<Int>?,
        _ text: [UInt8],
        _ headers: inout Headers,
        _ flags: inout Set<FilterMessage.Flag>,
        _ total: inout Int
    ) {
        guard let field, let colon = text[field].firstIndex(of: 0x3a) else { return }
        var nameEnd = colon
        while nameEnd > field.lowerBound, text[nameEnd - 1].isBlank { nameEnd -= 1 }
        let name = field.lowerBound..<min(nameEnd, field.lowerBound + Self.maximumName)
        let value = (colon + 1)..<min(field.upperBound, colon + 1 + Self.maximumValue)
        if nameEnd > name.upperBound || field.upperBound > value.upperBound { flags.insert(.truncatedHeader) }
        total += name.count + value.count + 2
        Self.store(text, name, value, &headers)
    }

    private static func store(_ text: [UInt8], _ name: Range<Int>, _ value: Range<Int>, _ headers: inout Headers) {
        let end = text[value].last == .lineFeed ? value.upperBound - 1 : value.upperBound
        let field = FilterField(name: Array(text[name]), raw: Array(text[value.lowerBound..<end]))
        headers.fields.append(field)
        if text.matches(FieldName.contentType, in: name) {
            headers.contentType = field.decoded
        } else if text.matches(FieldName.contentDisposition, in: name) {
            headers.contentDisposition = field.decoded
        } else if text.matches(FieldName.contentTransferEncoding, in: name) {
            headers.contentTransferEncoding = field.decoded
        }
    }

    /// The end of a field's name, when the line is a field.
    private static func nameEnd(_ text: [UInt8], _ line: Range<Int>, allowsBlanks: Bool) -> Int? {
        var index = line.lowerBound
        while index < line.upperBound, text[index] > 0x20, text[index] < 0x7f, text[index] != 0x3a { index += 1 }
        let end = index
        guard end > line.lowerBound else { return nil }
        if allowsBlanks { while index < line.upperBound, text[index].isBlank { index += 1 } }
        return index < line.upperBound && text[index] == 0x3a ? end : nil
    }

    /// Of more than 20 empty lines in a row 20 stay; one more where the body begins with them.
    /// - Returns: the body, and its length before.
    private static func squashingEmptyLines(_ text: [UInt8], from start: Int) -> (body: [UInt8], length: Int) {
        var body: [UInt8] = []
        body.reserveCapacity(text.count - start)
        var copied = start
        var lines = LineCursor(text, at: start)
        // Empty lines in a row: the first two and the last ones, and how many were in between.
        var run: [Range<Int>] = []
        var passed = 0
        // What goes of them. A run at the start keeps one line more, and two lines at its start stay with it.
        let surplus = { (run: [Range<Int>], passed: Int) -> Range<Int>? in
            guard let first = run.first else { return nil }
            let (kept, before) = first.lowerBound == start ? (21, 2) : (20, 1)
            guard run.count + passed > kept else { return nil }
            return run[before - 1].upperBound..<run[run.count - (kept - before)].lowerBound
        }
        while true {
            let line = lines.next()
            if let line, text[line].allSatisfy(\.isSpace) {
                run.append(line)
                if run.count == 64 {
                    run.removeSubrange(2..<43)
                    passed += 41
                }
                continue
            }
            if let gone = surplus(run, passed) {
                body.append(contentsOf: text[copied..<gone.lowerBound])
                copied = gone.upperBound
            }
            guard line != nil else { break }
            run.removeAll(keepingCapacity: true)
            passed = 0
        }
        body.append(contentsOf: text[copied...])
        return (body, text.count - start)
    }
}

// MARK: - Multiparts

extension FilterReader {
    private struct OpenPart {
        var headers = Headers()
        /// The field that is being read; its end is not yet seen.
        var field: [UInt8] = []
        var isInBody = false
        var body: [UInt8]?
    }

    private mutating func readMultipart(_ waiting: Waiting) {
        guard let boundary = waiting.boundary else { return }
        self.parts[waiting.part].isLeaf = false
        var lines = LineCursor(waiting.body, at: self.skipPreamble(waiting.body, boundary))
        var open = OpenPart()
        var isNested = false
        var children = 0
        var sawEnd = false
        while let line = lines.next() {
            let isLast = lines.position >= waiting.body.count
            var delimiter = Self.delimiter(waiting.body, line, boundary)
            if delimiter != nil, isNested {
                if delimiter == .closing { isNested = false }
                delimiter = nil
            }
            guard isLast || delimiter != nil else {
                self.readLine(waiting.body, line, &open, boundary, &isNested)
                continue
            }
            if delimiter == nil {
                Self.append(waiting.body[line], to: &open.body)
            } else {
                Self.dropLineEnd(&open.body)
            }
            self.finish(open, in: waiting)
            if delimiter == .closing {
                self.boundaryStates[boundary, default: 0] -= 1
                sawEnd = true
                break
            }
            self.checkNextLine(lines)
            children += 1
            if children >= Self.maximumChildren || self.parts.count >= Self.maximumParts {
                self.flags.insert(.partLimitExceeded)
                return
            }
            open = OpenPart()
        }
        guard sawEnd else { return }
        if waiting.body[lines.position...].contains(where: { !$0.isSpace && $0 != 0x2e }) { self.flags.insert(.epilogueExists) }
    }

    private enum Delimiter {
        case opening
        case closing
    }

    /// To behind the first delimiter; to the start where there is none.
    private mutating func skipPreamble(_ body: [UInt8], _ boundary: [UInt8]) -> Int {
        var lines = LineCursor(body)
        while let line = lines.next() {
            guard Self.delimiter(body, line, boundary) == .opening else { continue }
            self.boundaryStates[boundary] = 1
            self.checkNextLine(lines)
            return lines.position
        }
        return 0
    }

    /// Behind a delimiter a field should follow.
    private mutating func checkNextLine(_ lines: LineCursor) {
        var ahead = lines
        guard let line = ahead.next() else { return }
        if Self.nameEnd(lines.text, line, allowsBlanks: false) == nil { self.flags.insert(.missingMIMEHeaders) }
    }

    private static func delimiter(_ body: [UInt8], _ line: Range<Int>, _ boundary: [UInt8]) -> Delimiter? {
        let start = line.lowerBound + 2
        guard line.count >= boundary.count + 2, body[line.lowerBound] == 0x2d, body[line.lowerBound + 1] == 0x2d else {
            return nil
        }
        guard body[start..<(start + boundary.count)].elementsEqual(boundary) else { return nil }
        let rest = body[(start + boundary.count)..<line.upperBound]
        if rest.starts(with: [0x2d, 0x2d]) { return rest.dropFirst(2).allSatisfy(\.isSpace) ? .closing : nil }
        return rest.allSatisfy(\.isSpace) ? .opening : nil
    }

    private mutating func readLine(
        _ text: [UInt8],
        _ line: Range<Int>,
        _ open: inout OpenPart,
        _ boundary: [UInt8],
        _ isNested: inout Bool
    ) {
        if !open.isInBody {
            if Self.nameEnd(text, line, allowsBlanks: true) != nil {
                Self.endField(&open)
                open.field = [UInt8](text[line])
                return
            }
            if text[line.lowerBound].isBlank, !open.field.isEmpty {
                open.field += text[line]
                return
            }
            if Self.endField(&open) == FieldName.contentType, FilterContentType(open.headers.contentType).boundary == boundary {
                isNested = true
            }
            open.isInBody = true
            let isEmpty = text[line].elementsEqual([.lineFeed]) || text[line].elementsEqual([.carriageReturn, .lineFeed])
            if isEmpty { return }
            self.flags.insert(.missingMIMEHeadBodySeparator)
        }
        Self.append(text[line], to: &open.body)
    }

    /// Stores the field that was read, if any.
    /// - Returns: its name in lower case. White space before the colon stays part of it, so that no one finds it.
    @discardableResult
    private static func endField(_ open: inout OpenPart) -> [UInt8]? {
        guard !open.field.isEmpty, let colon = open.field.firstIndex(of: 0x3a) else { return nil }
        let value = open.field[(colon + 1)...].firstIndex { !$0.isSpace } ?? open.field.count
        Self.store(open.field, 0..<colon, value..<open.field.count, &open.headers)
        defer { open.field = [] }
        return [UInt8](open.field[..<colon]).lowercasedASCII()
    }

    private static func append(_ line: ArraySlice<UInt8>, to body: inout [UInt8]?) {
        var rest = line
        var text = body ?? []
        body = nil
        while rest.count > Self.maximumLine {
            text += rest.prefix(Self.maximumLine)
            text.append(.lineFeed)
            rest = rest.dropFirst(Self.maximumLine)
        }
        text += rest
        body = text
    }

    /// The line end before a delimiter belongs to it.
    private static func dropLineEnd(_ body: inout [UInt8]?) {
        if body?.last == .lineFeed { body?.removeLast() }
    }

    private mutating func finish(_ open: OpenPart, in waiting: Waiting) {
        let type = FilterContentType(open.headers.contentType)
        let isDigest = self.parts[waiting.part].type == [UInt8](ascii: "multipart/digest")
        let isMessage = type.isMissing && isDigest
        let part = self.addPart(
            parent: waiting.part,
            type: isMessage ? [UInt8](ascii: "message/rfc822") : type.type,
            headers: open.headers
        )
        self.queue.append(
            Waiting(
                part: part,
                type: type,
                boundary: type.boundary ?? waiting.boundary,
                body: open.body ?? [],
                levelsLeft: waiting.levelsLeft - 1
            )
        )
    }
}

/// Lines of a text, each with its line feed.
private struct LineCursor {
    let text: [UInt8]
    var position: Int

    init(_ text: [UInt8], at position: Int = 0) {
        self.text = text
        self.position = position
    }

    mutating func next() -> Range<Int>? {
        guard self.position < self.text.count else { return nil }
        let end = self.text[self.position...].firstIndex(of: .lineFeed).map { $0 + 1 } ?? self.text.count
        defer { self.position = end }
        return self.position..<end
    }

    /// `From sender date`, as mailbox files have it before the header.
    mutating func skipMailboxSeparator() {
        guard self.text.starts(with: [UInt8](ascii: "From")) else { return }
        var index = 4
        while index < self.text.count, self.text[index].isSpace { index += 1 }
        guard index > 4, index < self.text.count, self.text[index] != 0x3a || index > 5 else { return }
        _ = self.next()
    }
}
