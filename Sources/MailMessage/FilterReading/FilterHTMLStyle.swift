/// How SpamAssassin takes text within an element to be shown.
struct FilterHTMLStyle {
    /// Index of the element's kind in `FilterHTMLElement.all`.
    var element = 0
    var foreground = FilterHTMLColor.black
    var background = FilterHTMLColor.white
    /// As in `<font size>`.
    var size = 3
    var isDisplayNone = false
    var isVisibilityHidden = false

    /// Reads a `style` attribute.
    /// - Parameter parent: the style around the element.
    mutating func apply(declarations: [UInt8], parent: FilterHTMLStyle) {
        for part in declarations.split(separator: 0x3b) {
            let range = declarations.trimmed(part.startIndex..<part.endIndex)
            guard let colon = declarations[range].firstIndex(of: 0x3a) else { continue }
            let name = range.lowerBound..<colon
            if colon + 1 == range.upperBound, range.upperBound < part.endIndex, declarations[range.upperBound] != .lineFeed {
                self.setBlank(declarations, name)
                continue
            }
            let value = declarations.trimmed((colon + 1)..<range.upperBound)
            // A value of two lines is none.
            guard !value.isEmpty, !declarations[value].contains(.lineFeed) else { continue }
            self.apply(declarations, name: name, value)
        }
        if self.background == .transparent { self.background = parent.background }
        if self.foreground == .transparent { self.foreground = self.background }
    }

    private enum Property {
        static let color = [UInt8](ascii: "color")
        static let backgroundColor = [UInt8](ascii: "background-color")
        static let background = [UInt8](ascii: "background")
        static let display = [UInt8](ascii: "display")
        static let visibility = [UInt8](ascii: "visibility")
        static let none = [UInt8](ascii: "none")
        static let hidden = [UInt8](ascii: "hidden")
    }

    /// A colour of nothing but a space is one that nobody can read.
    private mutating func setBlank(_ bytes: [UInt8], _ name: Range<Int>) {
        if bytes.matches(Property.color, in: name) { self.foreground = .invalid }
        if bytes.matches(Property.backgroundColor, in: name) { self.background = .invalid }
    }

    private mutating func apply(_ bytes: [UInt8], name: Range<Int>, _ value: Range<Int>) {
        if bytes.matches(Property.color, in: name) {
            if let color = FilterHTMLColor(declared: [UInt8](bytes[value])) { self.foreground = color }
        } else if bytes.matches(Property.backgroundColor, in: name) {
            if let color = FilterHTMLColor(declared: [UInt8](bytes[value])) { self.background = color }
        } else if bytes[name].elementsEqual(Property.background) {
            if let color = FilterHTMLColor(background: [UInt8](bytes[value]).lowercasedASCII()) { self.background = color }
        } else {
            // Other names may have white space before the colon, and are in lower case.
            let name = bytes[bytes.trimmed(name)]
            if name.elementsEqual(Property.display) { self.isDisplayNone = bytes.matches(Property.none, in: value) }
            if name.elementsEqual(Property.visibility) { self.isVisibilityHidden = bytes.matches(Property.hidden, in: value) }
        }
    }
}

/// A colour as SpamAssassin reads it; what it cannot read is a colour of its own.
struct FilterHTMLColor: Hashable {
    /// `0xrrggbb`, or one of the negative ones below.
    var value: Int32

    static let black = FilterHTMLColor(value: 0)
    static let white = FilterHTMLColor(value: 0xff_ffff)
    static let invalid = FilterHTMLColor(value: -1)
    static let transparent = FilterHTMLColor(value: -2)
    /// `#` without digits.
    static let none = FilterHTMLColor(value: -3)

    /// Weighted by how bright the eye sees each part: 0 for the same, 191 between black and white; nil where one is unknown.
    func distance(to other: FilterHTMLColor) -> Double? {
        guard self.value >= 0, other.value >= 0 else { return nil }
        let red = 0.2126 * Double((self.value >> 16) - (other.value >> 16))
        let green = 0.7152 * Double((self.value >> 8 & 0xff) - (other.value >> 8 & 0xff))
        let blue = 0.0722 * Double((self.value & 0xff) - (other.value & 0xff))
        return (red * red + green * green + blue * blue).squareRoot()
    }

    private init(value: Int32) {
        self.value = value
    }

    private static let rgb = [UInt8](ascii: "rgb")
    private static let rgbOpen = [UInt8](ascii: "rgb(")
    private static let important = [UInt8](ascii: "important")
    private static let inherit = [UInt8](ascii: "inherit")
    private static let transparentName = [UInt8](ascii: "transparent")

    /// The value of `color` or `background-color`, without white space around it; nil for `inherit`.
    init?(declared value: [UInt8]) {
        var value = value.lowercasedASCII()
        if value.suffix(Self.important.count).elementsEqual(Self.important) {
            let rest = [UInt8](value.dropLast(Self.important.count)).trimmed()
            if rest.last == 0x21 { value = [UInt8](rest.dropLast()).trimmed() }
        }
        if Self.contains(Self.rgb, in: value) {
            let numbers = value.filter { $0.isDigit || $0 == 0x2c }.split(separator: 0x2c, omittingEmptySubsequences: false)
            let parts = (0..<3).map { $0 < numbers.count ? Self.number(numbers[$0]) : 0 }
            self.init(value: Int32(parts[0] << 16 | parts[1] << 8 | parts[2]))
        } else if value == Self.inherit {
            return nil
        } else if value == Self.transparentName {
            self = .transparent
        } else {
            self.init(name: value)
        }
    }

    /// The first colour of the lowest layer of a `background`, in lower case; nil when there is none.
    init?(background: [UInt8]) {
        for word in Self.lowestLayer(of: background) {
            let color = FilterHTMLColor(name: word)
            if color != .invalid {
                self = color
                return
            }
        }
        return nil
    }

    /// Decimal digits up to 255.
    private static func number(_ digits: some Sequence<UInt8>) -> Int {
        digits.reduce(0) { min($0 * 10 + Int($1 - 0x30), 255) }
    }

    private static func contains(_ word: [UInt8], in text: [UInt8]) -> Bool {
        text.indices.contains { text.hasPrefix(word, at: $0) }
    }

    /// A name of CSS 3, `#` and hexadecimal digits, or `rgb(r, g, b)` in numbers or percents; else `.invalid`.
    init(name: [UInt8]) {
        let value = name.trimmed().lowercasedASCII()
        if value.count <= Self.longestName, let color = Self.names[value.text] {
            self.init(value: color)
        } else if let numbers = Self.triple(value) {
            self.init(
                digits: numbers.flatMap { number -> [UInt8] in
                    let text = [UInt8](ascii: String(number, radix: 16))
                    return text.count == 1 ? [0x30] + text : text
                }
            )
        } else if value.first == 0x23, value.allSatisfy({ $0 == 0x23 || $0.hexValue != nil }) {
            self.init(digits: value.filter { $0 != 0x23 })
        } else {
            self = .invalid
        }
    }

    /// Hexadecimal digits, too many or too few of them.
    private init(digits: [UInt8]) {
        var digits = digits
        if digits.count > 6 { digits.removeLast(digits.count - 6) }
        if digits.count == 4 || digits.count == 5 { digits.removeLast(digits.count - 3) }
        while digits.count % 3 != 0 { digits.append(0x30) }
        if digits.count == 3 { digits = digits.flatMap { [$0, $0] } }
        guard !digits.isEmpty else {
            self = .none
            return
        }
        self.init(value: digits.reduce(0) { $0 << 4 | Int32($1.hexValue ?? 0) })
    }

    /// The three numbers of `rgb(…)`, all in percent or none.
    private static func triple(_ value: [UInt8]) -> [Int]? {
        guard let start = value.indices.first(where: { value.hasPrefix(self.rgbOpen, at: $0) }) else { return nil }
        guard let close = value[start...].firstIndex(of: 0x29) else { return nil }
        let parts = value[(start + self.rgbOpen.count)..<close].split(separator: 0x2c, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        var numbers: [Int] = []
        var percents = 0
        for (index, part) in parts.enumerated() {
            var part = part
            // White space may stand before the later ones and behind the last.
            if index > 0 { part = part.drop { $0 == .space } }
            if index == 2 { while part.last == .space { part.removeLast() } }
            if part.last == 0x25 {
                percents += 1
                part.removeLast()
            }
            guard !part.isEmpty, part.count < 9, part.allSatisfy(\.isDigit) else { return nil }
            numbers.append(part.reduce(0) { $0 * 10 + Int($1 - 0x30) })
        }
        if percents == 3 { return numbers.map { $0 * 255 / 100 } }
        return percents == 0 ? numbers : nil
    }

    /// The words of the last layer: apart by spaces, with what stands in parentheses or quotes kept whole.
    private static func lowestLayer(of background: [UInt8]) -> [[UInt8]] {
        var layers: [[UInt8]] = []
        var last: [[UInt8]]?
        var word: [UInt8] = []
        var stack: [UInt8] = []
        for octet in background {
            guard let closing = stack.last else {
                switch octet {
                case 0x20, 0x2c:
                    if !word.isEmpty { layers.append(word) }
                    word = []
                    if octet == 0x2c { (last, layers) = (layers, []) }
                    continue
                case 0x28: stack.append(0x29)
                case 0x22, 0x27: stack.append(octet)
                default: break
                }
                word.append(octet)
                continue
            }
            word.append(octet)
            if octet == closing {
                stack.removeLast()
                if octet == 0x29 {
                    layers.append(word)
                    word = []
                }
            } else if closing == 0x29, octet == 0x22 || octet == 0x27 {
                stack.append(octet)
            }
        }
        if !word.isEmpty { layers.append(word) }
        return layers.isEmpty ? last ?? [] : layers
    }

    private static let longestName = 20
    private static let names: [String: Int32] = {
        var result: [String: Int32] = [:]
        let words = table.split(separator: " ")
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            result[String(words[index])] = Int32(words[index + 1], radix: 16)
        }
        return result
    }()

    private static let table = """
        aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc bisque ffe4c4 \
        black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a burlywood deb887 cadetblue \
        5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue 6495ed cornsilk fff8dc crimson dc143c \
        cyan 00ffff darkblue 00008b darkcyan 008b8b darkgoldenrod b8860b darkgray a9a9a9 darkgreen 006400 darkgrey \
        a9a9a9 darkkhaki bdb76b darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00 darkorchid 9932cc darkred \
        8b0000 darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f darkslategrey 2f4f4f \
        darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff dimgray 696969 dimgrey 696969 \
        dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0 forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc \
        ghostwhite f8f8ff gold ffd700 goldenrod daa520 gray 808080 green 008000 greenyellow adff2f grey 808080 \
        honeydew f0fff0 hotpink ff69b4 indianred cd5c5c indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa \
        lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080 lightcyan e0ffff \
        lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90 lightgrey d3d3d3 lightpink ffb6c1 lightsalmon \
        ffa07a lightseagreen 20b2aa lightskyblue 87cefa lightslategray 778899 lightslategrey 778899 lightsteelblue \
        b0c4de lightyellow ffffe0 lime 00ff00 limegreen 32cd32 linen faf0e6 magenta ff00ff maroon 800000 \
        mediumaquamarine 66cdaa mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371 \
        mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585 midnightblue \
        191970 mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead navy 000080 oldlace fdf5e6 olive \
        808000 olivedrab 6b8e23 orange ffa500 orangered ff4500 orchid da70d6 palegoldenrod eee8aa palegreen 98fb98 \
        paleturquoise afeeee palevioletred db7093 papayawhip ffefd5 peachpuff ffdab9 peru cd853f pink ffc0cb plum \
        dda0dd powderblue b0e0e6 purple 800080 red ff0000 rosybrown bc8f8f royalblue 4169e1 saddlebrown 8b4513 salmon \
        fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna a0522d silver c0c0c0 skyblue 87ceeb slateblue \
        6a5acd slategray 708090 slategrey 708090 snow fffafa springgreen 00ff7f steelblue 4682b4 tan d2b48c teal \
        008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 violet ee82ee wheat f5deb3 white ffffff whitesmoke f5f5f5 \
        yellow ffff00 yellowgreen 9acd32
        """
}
