import MailMessage
import PatternKit

/// What the functions of `PDFInfo` compare with: read from the lines of the PDF files of a message, uncompressed objects
/// only, as SpamAssassin does it.
struct PDFFacts {
    private(set) var count = 0
    private(set) var imageCount = 0
    /// Square pixels of the last file that has images.
    private(set) var area: Double?
    /// Height and width as written, and for a file all together.
    private(set) var sizes: Set<String> = []
    private(set) var dimensions: [ImageSizeText] = []
    private(set) var names: Set<[UInt8]> = []
    private(set) var isEncrypted = false
    /// `author`, `creator`, `created`, `modified`, `producer`, `title`.
    private(set) var details: [String: Set<[UInt8]>] = [:]
    private(set) var checksums: Set<String> = []
    private(set) var fuzzyChecksums: Set<String> = []

    /// Values of one detail that are kept.
    private static let maximumDetails = 1_000
    /// Different sizes that are kept.
    private static let maximumSizes = 1_000

    struct ImageSizeText: Hashable {
        var height: Double
        var width: Double
    }

    init(_ message: FilterMessage, _ matcher: PatternMatcher) {
        for part in message.leaves where Self.types.contains(part.type) {
            let name = part.name ?? []
            let ending = name.suffix(4).map { $0 | 0x20 }
            let isNamed = ending == Array(".pdf".utf8) || ending == Array(".fdf".utf8)
            guard isNamed || part.type.suffix(4).elementsEqual("/pdf".utf8) else { continue }
            self.count += 1
            self.read(part.decoded(), name, matcher)
        }
    }

    private static let types = Set(
        ["image/pdf", "image/octet-stream", "application/pdf", "application/octet-stream"].map { Array($0.utf8) }
    )

    private mutating func read(_ content: [UInt8], _ name: [UInt8], _ matcher: PatternMatcher) {
        var data = content
        if data.starts(with: [0xef, 0xbb, 0xbf]) { data.removeFirst(3) }
        guard Self.hasHeader(data) else { return }
        if !name.isEmpty, name != [0x30] { self.names.insert(name) }
        var file = PDFLines(matcher)
        var start = 0
        while start < data.count {
            let end = data[start...].firstIndex(of: 0x0a) ?? data.count
            if end > start { file.add(Array(data[start..<end])) }
            start = end + 1
        }
        self.take(file)
        self.checksums.insert(MD5.hexadecimal(data))
        if !file.fuzzyText.isEmpty { self.fuzzyChecksums.insert(MD5.hexadecimal(file.fuzzyText)) }
        if !file.tags.isEmpty { self.fuzzyChecksums.insert(MD5.hexadecimal(file.tags)) }
    }

    /// `%PDF-1.4` within the first kilobyte.
    private static func hasHeader(_ data: [UInt8]) -> Bool {
        let mark = Array("%PDF-".utf8)
        var index = 0
        while let found = data.firstIndex(of: mark, from: index), found <= 1_024 {
            let digits = found + mark.count
            if digits + 3 <= data.count, data[digits].isDigitOctet, data[digits + 1] == 0x2e, data[digits + 2].isDigitOctet {
                return true
            }
            index = found + 1
        }
        return false
    }

    private mutating func take(_ file: PDFLines) {
        if file.isEncrypted { self.isEncrypted = true }
        self.imageCount += file.images.count
        for image in file.images.prefix(Self.maximumSizes) {
            self.add(size: image.text, Double(image.height) ?? 0, Double(image.width) ?? 0)
        }
        let height = file.images.reduce(0) { $0 + (Double($1.height) ?? 0) }
        let width = file.images.reduce(0) { $0 + (Double($1.width) ?? 0) }
        let area = file.images.reduce(0) { $0 + (Double($1.height) ?? 0) * (Double($1.width) ?? 0) }
        if height > 0, width > 0 { self.add(size: "\(Self.text(height))x\(Self.text(width))", height, width) }
        if area > 0 { self.area = area }
        for (detail, value) in file.details where self.details[detail, default: []].count < Self.maximumDetails {
            self.details[detail, default: []].insert(value)
        }
    }

    private mutating func add(size: String, _ height: Double, _ width: Double) {
        guard self.sizes.count < Self.maximumSizes, self.sizes.insert(size).inserted else { return }
        self.dimensions.append(ImageSizeText(height: height, width: width))
    }

    private static func text(_ number: Double) -> String {
        number < 1e15 ? String(Int(number)) : String(number)
    }
}

/// Reads the lines of one PDF file.
private struct PDFLines {
    struct Image {
        var height: String
        var width: String
        var text: String { "\(self.height)x\(self.width)" }
    }

    private(set) var images: [Image] = []
    private(set) var isEncrypted = false
    private(set) var details: [(String, [UInt8])] = []
    /// The start of the file without what differs between copies.
    private(set) var fuzzyText: [UInt8] = []
    /// Names at the start of lines, one behind the other.
    private(set) var tags: [UInt8] = []

    private let matcher: PatternMatcher
    private var fuzzyLines = 0
    private var isFuzzyTextOver = false
    private var seesImage = false

    /// Lines that make the first fuzzy checksum.
    private static let maximumFuzzyLines = 69
    /// Values that are read of one file.
    private static let maximumDetails = 10_000
    /// Images that are counted of one file.
    private static let maximumImages = 100_000

    init(_ matcher: PatternMatcher) {
        self.matcher = matcher
    }

    mutating func add(_ whole: [UInt8]) {
        var line = whole
        if !self.isFuzzyTextOver { self.addFuzzy(&line) }
        if !self.seesImage, line.contains(Names.image) { self.seesImage = true }
        if !self.isEncrypted, line.starts(with: Names.encrypt) { self.isEncrypted = true }
        if self.seesImage { self.readSize(line) }
        guard let slash = line.firstIndex(of: 0x2f) else { return }
        if slash == 0 { self.tags += line[1...].prefix { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a } }
        guard self.details.count < Self.maximumDetails else { return }
        for detail in Names.details where line.firstIndex(of: detail.name, from: slash) != nil {
            guard let pattern = detail.pattern, case .match = self.matcher.search(pattern, in: line, from: slash),
                let range = self.matcher.capture(1)
            else { continue }
            self.details.append((detail.key, Self.string(Array(line[range]))))
        }
    }

    private mutating func addFuzzy(_ line: inout [UInt8]) {
        self.fuzzyLines += 1
        guard self.fuzzyLines <= Self.maximumFuzzyLines else { return }
        let isBox = Names.boxes.contains(where: line.starts)
        if line.first != 0x25, !isBox, !(Names.matrix.map { self.matcher.matches($0, line) } ?? false) {
            while let last = line.last, last.isSpaceOctet { line.removeLast() }
            self.fuzzyText += line
        }
        if line.contains(Names.stream) { self.isFuzzyTextOver = true }
    }

    /// `630 0 0 149 0 0 cm`, `…/Width 630/Height 149…`.
    private mutating func readSize(_ line: [UInt8]) {
        guard self.images.count < Self.maximumImages, let matrix = Names.matrixSize, let box = Names.boxSize else { return }
        let image: Image
        if case .match = self.matcher.search(matrix, in: line), let width = self.capture(1, line),
            let height = self.capture(2, line)
        {
            image = Image(height: height, width: width)
        } else if Names.single.contains(where: { self.hasNumber(line, behind: $0) }) {
            return
        } else if case .match = self.matcher.search(box, in: line), let width = self.capture(1, line),
            let height = self.capture(2, line)
        {
            image = Image(height: height, width: width)
        } else {
            return
        }
        guard image.width != "0", image.height != "0" else { return }
        self.isFuzzyTextOver = true
        self.images.append(image)
        self.seesImage = false
    }

    private func capture(_ group: Int, _ line: [UInt8]) -> String? {
        self.matcher.capture(group).map { String(decoding: line[$0], as: UTF8.self) }
    }

    private func hasNumber(_ line: [UInt8], behind name: [UInt8]) -> Bool {
        guard line.starts(with: name), line.count >= name.count + 2 else { return false }
        return line[name.count].isSpaceOctet && line[name.count + 1].isDigitOctet
    }

    private enum Names {
        static let image = Array("/Image".utf8)
        static let encrypt = Array("/Encrypt".utf8)
        static let stream = Array("stream".utf8)
        static let boxes = ["/Height", "/Width", "/MediaBox", "/CropBox"].map { Array($0.utf8) }
        static let single = ["/Width", "/Height"].map { Array($0.utf8) }
        static let matrix = try? Pattern(#"^\d+\s+\d+\s+\d+\s+\d+\s+\d+\s+\d+\s+cm$"#)
        static let matrixSize = try? Pattern(#"^(\d+)\s+\d+\s+\d+\s+(\d+)\s+\d+\s+\d+\s+cm$"#)
        static let boxSize = try? Pattern(#"/Width\s(\d+)/Height\s(\d+)"#)
        static let details: [(name: [UInt8], key: String, pattern: Pattern?)] = [
            ("Author", "author", text), ("Creator", "creator", text), ("CreationDate", "created", date),
            ("ModDate", "modified", date), ("Producer", "producer", text), ("Title", "title", text),
        ].map { name, key, rest in (Array("/\(name)".utf8), key, try? Pattern("/\(name)\(rest)")) }
        private static let text = #"\s{0,2}(\(.*?(?<!\\)\)|<[^>]*>)"#
        private static let date = #"\s{0,2}\(D:(\d+)"#
    }

    /// A string object (PDF 1.7, §7.3.4) in parentheses or hexadecimal; of UTF-16 the zeros are dropped.
    private static func string(_ written: [UInt8]) -> [UInt8] {
        var text = written
        if written.first == 0x3c {
            text = self.hexadecimal(written)
            self.dropZeros(&text)
        } else {
            if text.first == 0x28 { text.removeFirst() }
            if text.last == 0x29 { text.removeLast() }
            text = self.undoingOctal(text)
            self.dropZeros(&text)
            text = self.undoingEscapes(text)
        }
        return Array(text.prefix(self.maximumString))
    }

    /// Octets of a value that are kept.
    private static let maximumString = 256

    private static func hexadecimal(_ written: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index + 1 < written.count, result.count <= 2 * self.maximumString {
            if let high = written[index].hexadecimalValue, let low = written[index + 1].hexadecimalValue {
                result.append(high << 4 | low)
                index += 2
            } else {
                index += 1
            }
        }
        return result
    }

    private static func dropZeros(_ text: inout [UInt8]) {
        guard text.starts(with: [0xfe, 0xff]) || text.starts(with: [0xff, 0xfe]) else { return }
        text.removeFirst(2)
        text.removeAll { $0 == 0 }
    }

    /// `\376`, unless the backslash is itself escaped.
    private static func undoingOctal(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            let isEscape = text[index] == 0x5c && index + 3 < text.count && (index == 0 || text[index - 1] != 0x5c)
            if isEscape, (0x30...0x33).contains(text[index + 1]), (0x30...0x37).contains(text[index + 2]),
                (0x30...0x37).contains(text[index + 3])
            {
                result.append((text[index + 1] - 0x30) << 6 | (text[index + 2] - 0x30) << 3 | (text[index + 3] - 0x30))
                index += 4
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }

    private static func undoingEscapes(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == 0x5c, index + 1 < text.count, [0x28, 0x29, 0x5c].contains(text[index + 1]) { index += 1 }
            result.append(text[index])
            index += 1
        }
        return result
    }
}

extension UInt8 {
    var isDigitOctet: Bool { self >= 0x30 && self <= 0x39 }

    var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x37
        case 0x61...0x66: self - 0x57
        default: nil
        }
    }
}
