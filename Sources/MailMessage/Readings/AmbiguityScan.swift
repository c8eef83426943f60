/// Looks for places where readers of mail are known to differ, besides those that the parser itself meets. It costs one
/// pass over encoded bodies, and makes nothing: other readings are made only where it found something.
struct AmbiguityScan {
    private let message: ParsedMessage
    private let bytes: [UInt8]
    private(set) var anomalies = AnomalyList()

    init(_ message: ParsedMessage) {
        self.message = message
        self.bytes = message.bytes
        for part in message.parts {
            self.lookAtHeader(part)
            self.lookAtBody(part)
        }
        self.lookForHiddenFields()
        self.lookAtLines()
    }

    // MARK: - Headers

    private static let mimePrefix = [UInt8](ascii: "content-")
    private static let encodings = [
        "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue", "uue",
    ]
    .map { [UInt8](ascii: $0) }

    private mutating func lookAtHeader(_ part: MIMEPart) {
        var dispositions = 0
        for field in part.headerFields where self.bytes.hasPrefix(Self.mimePrefix, at: field.name.lowerBound) {
            let offset = field.name.lowerBound
            if field.value.lowerBound - 1 > field.name.upperBound {
                self.anomalies.report(.fieldNameSpace, part: part.index, offset: offset)
            }
            if self.bytes.matches(FieldName.contentType, in: field.name) {
                self.lookAtParameters(part, field, isType: true)
            } else if self.bytes.matches(FieldName.contentDisposition, in: field.name) {
                dispositions += 1
                if dispositions == 2 { self.anomalies.report(.duplicateDisposition, part: part.index, offset: offset) }
                self.lookAtParameters(part, field, isType: false)
            } else if self.bytes.matches(FieldName.contentTransferEncoding, in: field.name) {
                let value = Unfolding.unfold(self.bytes, field.value).lowercasedASCII()
                if !value.isEmpty, !Self.encodings.contains(value) {
                    self.anomalies.report(.oddTransferEncoding, part: part.index, offset: offset)
                }
            }
        }
        if let type = part.parameters["name"], let disposition = part.fileName, type != disposition {
            let isAlike = FieldSyntax.haveSameExtension(Array(type.utf8), Array(disposition.utf8))
            self.anomalies.report(isAlike ? .namesDiffer : .twoNames, part: part.index, offset: part.body.lowerBound)
        }
    }

    private mutating func lookAtParameters(_ part: MIMEPart, _ field: HeaderField, isType: Bool) {
        let value = Unfolding.unfold(self.bytes, field.value)
        let syntax = FieldSyntax(value, isType: isType)
        for kind in syntax.kinds { self.anomalies.report(kind, part: part.index, offset: field.value.lowerBound) }
        if isType, !part.isMultipart, !syntax.boundaries.isEmpty {
            self.anomalies.report(.boundaryWithoutMultipart, part: part.index, offset: field.value.lowerBound)
        }
    }

    /// Fields of MIME in lines that continue another field.
    private mutating func lookForHiddenFields() {
        for line in self.message.marked.folded where self.bytes.hasPrefix(Self.mimePrefix, at: line.offset) {
            if self.isField(line.offset, self.lineEnd(line.offset)) {
                self.anomalies.report(.hiddenField, part: line.part, offset: line.offset)
            }
        }
    }

    private func lineEnd(_ start: Int) -> Int {
        var end = start
        while end < self.bytes.count, self.bytes[end] != .lineFeed { end += 1 }
        return end
    }

    private static let dispositions = ["attachment", "inline"].map { [UInt8](ascii: $0) }

    /// `Content-Type: a/b`, an encoding or a disposition. Signatures list names of fields with colons between them, in
    /// continued lines: those are no fields.
    private func isField(_ start: Int, _ end: Int) -> Bool {
        var colon = start
        while colon < end, self.bytes[colon].isLetter || self.bytes[colon] == 0x2d { colon += 1 }
        guard colon < end, self.bytes[colon] == 0x3a else { return false }
        var first = colon + 1
        while first < end, self.bytes[first].isBlank { first += 1 }
        var last = first
        while last < end, !self.bytes[last].isSpace, self.bytes[last] != 0x3b { last += 1 }
        if self.bytes.matches(FieldName.contentTransferEncoding, in: start..<colon) {
            return Self.encodings.contains { self.bytes.matches($0, in: first..<last) }
        }
        if self.bytes.matches(FieldName.contentDisposition, in: start..<colon) {
            return Self.dispositions.contains { self.bytes.matches($0, in: first..<last) }
        }
        return self.bytes.matches(FieldName.contentType, in: start..<colon) && self.bytes[first..<last].contains(0x2f)
    }

    // MARK: - Bodies

    private mutating func lookAtBody(_ part: MIMEPart) {
        guard !part.isContainer else {
            // Some readers open what stands before the first delimiter.
            if part.boundary != nil, self.hasContentField(from: part.body.lowerBound) {
                self.anomalies.report(.undeclaredPart, part: part.index, offset: part.body.lowerBound)
            }
            return
        }
        switch part.encoding {
        case .base64:
            let oddities = Base64Dialect.oddities(self.bytes, part.body)
            let kinds: [(Base64Oddities, StructureAnomaly.Kind)] = [
                (.junk, .brokenBase64), (.padding, .base64Padding), (.gap, .base64Gap), (.lines, .base64Lines),
                (.end, .base64Lines),
            ]
            var seen: Set<StructureAnomaly.Kind> = []
            for (oddity, kind) in kinds where oddities.contains(oddity) && seen.insert(kind).inserted {
                self.anomalies.report(kind, part: part.index, offset: part.body.lowerBound)
            }
        case .quotedPrintable:
            let oddities = QuotedDialect.oddities(self.bytes, part.body)
            if oddities.isBroken {
                self.anomalies.report(.brokenQuotedPrintable, part: part.index, offset: part.body.lowerBound)
            }
            if oddities.hasSmallLetters {
                self.anomalies.report(.quotedSmallLetters, part: part.index, offset: part.body.lowerBound)
            }
            if part.type != "text", oddities.hasLineEnds {
                self.anomalies.report(.quotedLineEnds, part: part.index, offset: part.body.lowerBound)
            }
        case .uuencode: self.anomalies.report(.uuencodedFile, part: part.index, offset: part.body.lowerBound)
        case .identity: break
        }
    }

    // MARK: - Lines

    private static let contentField = [UInt8](ascii: "content-t")
    private static let uuBegin = [UInt8](ascii: "begin ")
    /// As `uuencode -m` of POSIX writes it.
    private static let uuBase64 = [UInt8](ascii: "begin-base64 ")

    /// Those that the parser has marked.
    private mutating func lookAtLines() {
        guard !self.message.marked.body.isEmpty else { return }
        let boundaries = self.message.parts.compactMap(\.boundary)
        for start in self.message.marked.body {
            switch self.bytes[start] {
            case 0x2d: self.lookAtDashes(start, boundaries)
            case 0x3d:
                if self.bytes.hasPrefix(InlineFile.yEncBegin, at: start) {
                    self.anomalies.report(.inlineFile, part: 0, offset: start)
                }
            case 0x28:
                if self.bytes.hasPrefix(InlineFile.binHexBegin, at: start) {
                    self.anomalies.report(.inlineFile, part: 0, offset: start)
                }
            default:
                if self.bytes.hasPrefix(Self.uuBase64, at: start) {
                    self.anomalies.report(.inlineFile, part: 0, offset: start)
                }
                if self.bytes.hasPrefix(Self.uuBegin, at: start), start + 9 < self.bytes.count,
                    self.bytes[(start + 6)..<(start + 9)].allSatisfy(\.isDigit)
                {
                    self.anomalies.report(.uuencodedFile, part: 0, offset: start)
                }
            }
        }
    }

    /// Lines in which a header may say what its part is.
    private static let headerLines = 16

    /// Whether a field of MIME stands before the first empty line, among the first lines.
    private func hasContentField(from start: Int) -> Bool {
        var start = start
        for _ in 0..<Self.headerLines {
            let end = self.lineEnd(start)
            // An empty line, or a delimiter: what follows begins something else.
            if self.bytes.trimmed(start..<end).isEmpty || self.bytes.hasPrefix([0x2d, 0x2d], at: start) { return false }
            var first = start
            // Lines may be folded, or end in LF CR.
            while first < end, self.bytes[first].isSpace { first += 1 }
            if self.bytes.hasPrefix(Self.mimePrefix, at: first), self.isField(first, end) { return true }
            start = end + 1
        }
        return false
    }

    /// Lines that begin like a delimiter: of no multipart, or with something behind its boundary.
    private mutating func lookAtDashes(_ start: Int, _ boundaries: [[UInt8]]) {
        guard start + 1 < self.bytes.count, self.bytes[start + 1] == 0x2d else { return }
        let end = self.lineEnd(start + 2)
        let next = end + 1
        var last = end
        while last > start + 2, self.bytes[last - 1].isSpace { last -= 1 }
        let text = self.bytes[(start + 2)..<last]
        var isPrefixed = false
        let isIndented = start > 0 && self.bytes[start - 1].isBlank
        for boundary in boundaries where text.starts(with: boundary) {
            let rest = text.dropFirst(boundary.count)
            if !isIndented, rest.isEmpty { return }
            if !isIndented, rest.elementsEqual([0x2d, 0x2d]) {
                // A part that begins right behind the end, for readers that take the end for one more delimiter.
                if self.hasContentField(from: next) { self.anomalies.report(.undeclaredPart, part: 0, offset: start) }
                return
            }
            isPrefixed = true
        }
        if isPrefixed {
            self.anomalies.report(.boundaryPrefix, part: 0, offset: start)
        } else if self.bytes.hasPrefix(Self.contentField, at: next) {
            self.anomalies.report(.undeclaredPart, part: 0, offset: start)
        }
    }
}
