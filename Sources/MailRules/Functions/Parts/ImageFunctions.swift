import MailMessage
import PatternKit

/// Tests of the images of a message: how many, how large, and of which names. Only images in base64 count.
enum ImageFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("image_count", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let type = try arguments.required(0, "the kind of image")
            let range = try Range(arguments, 1)
            return { EvalOutcome(range.contains(Double(facts($0).count(type)))) }
        },
        EvalFunction("pixel_coverage", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let type = try arguments.required(0, "the kind of image")
            let range = try Range(arguments, 1)
            return { EvalOutcome(range.contains(facts($0).area(type))) }
        },
        EvalFunction("image_to_text_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let type = try arguments.required(0, "the kind of image")
            let range = try Range(arguments, 1)
            let kind = arguments.kind
            return { context in
                let octets = context.segments(for: kind).reduce(0) { $0 + $1.bytes.count }
                let area = facts(context).area(type)
                guard octets > 0, area > 0 else { return false }
                let ratio = Double(octets) / area
                return EvalOutcome(range.contains(ratio) && ratio != range.maximum)
            }
        },
        EvalFunction("image_size_exact", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let type = try arguments.required(0, "the kind of image")
            let size = ImageSize(
                width: Int(try arguments.required(2, "the width")) ?? -1,
                height: Int(try arguments.required(1, "the height")) ?? -1
            )
            return { EvalOutcome(facts($0).sizes(type).contains(size)) }
        },
        EvalFunction("image_size_range", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let type = try arguments.required(0, "the kind of image")
            let bounds = try ImageSizeBounds(arguments, 1)
            return { EvalOutcome(facts($0).sizes(type).contains(where: bounds.contains)) }
        },
        EvalFunction("image_named", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let name = Array(try arguments.required(0, "the name").utf8)
            return { EvalOutcome(facts($0).names.contains(name)) }
        },
        EvalFunction("image_name_regex", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let pattern = try arguments.pattern(0)
            return { context in EvalOutcome(facts(context).names.contains { context.matcher.matches(pattern, $0) }) }
        },
    ]

    private static let plugin = "ImageInfo"

    private static func facts(_ context: EvalContext) -> ImageFacts {
        context.facts { ImageFacts($0.filterMessage) }
    }

    /// Both ends belong to it.
    struct Range: Sendable {
        var minimum: Double
        var maximum: Double?

        init(_ arguments: EvalArguments, _ first: Int) throws(EvalArguments.Failure) {
            _ = try arguments.required(first, "the least number")
            self.minimum = try arguments.number(first) ?? 0
            self.maximum = try arguments.number(first + 1)
        }

        func contains(_ value: Double) -> Bool {
            value >= self.minimum && self.maximum.map { value <= $0 } ?? true
        }
    }
}

/// In pixels.
struct ImageSize: Hashable, Sendable {
    var width: Int
    var height: Int

    var area: Double { Double(self.width) * Double(self.height) }
}

/// Least height and width, and most, as arguments give them.
struct ImageSizeBounds: Sendable {
    private var minimumHeight: Double
    private var minimumWidth: Double
    private var maximumHeight: Double?
    private var maximumWidth: Double?

    init(_ arguments: EvalArguments, _ first: Int) throws(EvalArguments.Failure) {
        _ = try arguments.required(first, "the least height")
        _ = try arguments.required(first + 1, "the least width")
        self.minimumHeight = try arguments.number(first) ?? 0
        self.minimumWidth = try arguments.number(first + 1) ?? 0
        self.maximumHeight = try arguments.number(first + 2)
        self.maximumWidth = try arguments.number(first + 3)
    }

    func contains(_ size: ImageSize) -> Bool {
        self.contains(height: Double(size.height), width: Double(size.width))
    }

    func contains(height: Double, width: Double) -> Bool {
        guard height >= self.minimumHeight, width >= self.minimumWidth else { return false }
        return self.maximumHeight.map { height <= $0 } ?? true && self.maximumWidth.map { width <= $0 } ?? true
    }
}

extension EvalArguments {
    /// A regular expression, with or without delimiters: `^\w+\.gif$`, `/\.gif$/i`.
    func pattern(_ index: Int) throws(Failure) -> Pattern {
        let text = try self.required(index, "a regular expression")
        let hasDelimiters = ["/", "m{", "m,", "m(", "qr"].contains(where: text.hasPrefix)
        let source = hasDelimiters ? text : "m{\(text)}"
        do {
            return try PatternLiteral(Array(source.utf8)[...]).compile().pattern
        } catch {
            throw Failure(argument: index, message: error.message, hint: error.hint)
        }
    }
}

/// The images of a message.
struct ImageFacts {
    private var counts: [ImageDimensions.Kind: Int] = [:]
    private var areas: [ImageDimensions.Kind: Double] = [:]
    private var found: [ImageDimensions.Kind: Set<ImageSize>] = [:]
    /// Of images whose size is known.
    private(set) var names: Set<[UInt8]> = []

    init(_ message: FilterMessage) {
        let base64 = Array("base64".utf8)
        for part in message.leaves {
            guard let kind = ImageDimensions.Kind(mediaType: part.type), part.encoding == base64 else { continue }
            self.counts[kind, default: 0] += 1
            guard let size = ImageDimensions.read(part.decoded(), kind), size.width > 0, size.height > 0 else { continue }
            self.areas[kind, default: 0] += size.area
            self.found[kind, default: []].insert(size)
            if let name = part.name, name != [0x30] { self.names.insert(name) }
        }
    }

    /// - Parameter type: `gif`, `png`, `jpeg` or `all`.
    func count(_ type: String) -> Int {
        type == "all" ? self.counts.values.reduce(0, +) : ImageDimensions.Kind(rawValue: type).flatMap { self.counts[$0] } ?? 0
    }

    /// Square pixels.
    func area(_ type: String) -> Double {
        type == "all" ? self.areas.values.reduce(0, +) : ImageDimensions.Kind(rawValue: type).flatMap { self.areas[$0] } ?? 0
    }

    func sizes(_ type: String) -> Set<ImageSize> {
        type == "all"
            ? self.found.values.reduce([]) { $0.union($1) }
            : ImageDimensions.Kind(rawValue: type).flatMap { self.found[$0] } ?? []
    }
}

/// Reads how large an image is.
enum ImageDimensions {
    enum Kind: String, Hashable, Sendable {
        case gif, png, jpeg

        init?(mediaType: [UInt8]) {
            switch String(decoding: mediaType, as: UTF8.self) {
            case "image/gif": self = .gif
            case "image/png": self = .png
            case "image/jpg", "image/jpeg": self = .jpeg
            default: return nil
            }
        }
    }

    static func read(_ bytes: [UInt8], _ kind: Kind) -> ImageSize? {
        switch kind {
        case .gif: self.gif(bytes)
        case .png: self.png(bytes)
        case .jpeg: self.jpeg(bytes)
        }
    }

    /// GIF89a, §18: the logical screen.
    private static func gif(_ bytes: [UInt8]) -> ImageSize? {
        guard bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8), bytes.count >= 10 else { return nil }
        return ImageSize(width: Int(bytes[6]) | Int(bytes[7]) << 8, height: Int(bytes[8]) | Int(bytes[9]) << 8)
    }

    /// PNG, §11.2.2: the header's chunk, looked for at every eighth octet as SpamAssassin does.
    private static func png(_ bytes: [UInt8]) -> ImageSize? {
        guard bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) else { return nil }
        var position = 8
        while position + 8 <= bytes.count {
            let type = bytes[(position + 4)..<(position + 8)]
            let length = self.number(bytes, position, octets: 4)
            position += 8
            if type.elementsEqual("IEND".utf8) { return nil }
            guard type.elementsEqual("IHDR".utf8), length == 13 else { continue }
            // The last four octets are its checksum.
            guard min(bytes.count - position, 17) - 4 >= 8 else { return nil }
            return ImageSize(width: self.number(bytes, position, octets: 4), height: self.number(bytes, position + 4, octets: 4))
        }
        return nil
    }

    /// ITU T.81, B.2.2: the first frame's header.
    private static func jpeg(_ bytes: [UInt8]) -> ImageSize? {
        guard bytes.starts(with: [0xff, 0xd8]) else { return nil }
        var position = 2
        while position + 4 <= bytes.count, bytes[position] == 0xff {
            let mark = bytes[position + 1]
            let length = self.number(bytes, position + 2, octets: 2)
            guard mark != 0xda, mark != 0xd9, length >= 2 else { return nil }
            position += 4
            let isFrame = (0xc0...0xcf).contains(mark) && mark != 0xc4 && mark != 0xc8 && mark != 0xcc
            if isFrame {
                guard length - 2 >= 5, position + 5 <= bytes.count else { return nil }
                return ImageSize(
                    width: self.number(bytes, position + 3, octets: 2),
                    height: self.number(bytes, position + 1, octets: 2)
                )
            }
            position += length - 2
        }
        return nil
    }

    /// Big endian.
    private static func number(_ bytes: [UInt8], _ position: Int, octets: Int) -> Int {
        bytes[position..<(position + octets)].reduce(0) { $0 << 8 | Int($1) }
    }
}
