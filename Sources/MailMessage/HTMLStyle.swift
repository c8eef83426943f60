/// How text within an element is shown, as far as it decides whether a person can see it.
struct HTMLStyle {
    var foreground = HTMLColor.black
    var background = HTMLColor.white
    /// Of `<font size>`, 1 to 7.
    var fontSize = 3
    /// `display: none`, `visibility: hidden`, a font size of nothing, and their like.
    var isHidden = false

    /// Text that nobody sees: hidden, tiny, or in the colour of its background.
    var isInvisible: Bool {
        self.isHidden || self.fontSize <= 1 || self.foreground.distance(to: self.background) < Self.legibleDistance
    }

    /// Below it text cannot be read; SpamAssassin's measure and limit.
    private static let legibleDistance = 12.0

    private enum Property {
        static let color = [UInt8](ascii: "color")
        static let backgroundColor = [UInt8](ascii: "background-color")
        static let background = [UInt8](ascii: "background")
        static let display = [UInt8](ascii: "display")
        static let visibility = [UInt8](ascii: "visibility")
        static let fontSize = [UInt8](ascii: "font-size")
        static let opacity = [UInt8](ascii: "opacity")
        /// Those that are looked at; the most frequent first.
        static let all = [color, fontSize, display, background, backgroundColor, visibility, opacity]
        static let none = [UInt8](ascii: "none")
        static let hidden = [UInt8](ascii: "hidden")
        static let visible = [UInt8](ascii: "visible")
        static let important = [UInt8](ascii: "!important")
    }

    /// Reads a `style` attribute.
    mutating func apply(declarations: [UInt8]) {
        let declarations = declarations.lowercasedASCII()
        for declaration in declarations.split(separator: 0x3b) {
            guard let colon = declaration.firstIndex(of: 0x3a) else { continue }
            let nameRange = declarations.trimmed(declaration.startIndex..<colon)
            guard let name = Property.all.first(where: { declarations[nameRange].elementsEqual($0) }) else { continue }
            var value = [UInt8](declarations[declarations.trimmed((colon + 1)..<declaration.endIndex)])
            if value.count > Property.important.count, value.suffix(Property.important.count).elementsEqual(Property.important) {
                value = [UInt8](value.dropLast(Property.important.count)).trimmed()
            }
            self.apply(name, value)
        }
    }

    private mutating func apply(_ name: [UInt8], _ value: [UInt8]) {
        switch name {
        case Property.color:
            if let color = HTMLColor(value) { self.foreground = color }
        case Property.backgroundColor:
            if let color = HTMLColor(value) { self.background = color }
        case Property.background:
            for word in value.split(whereSeparator: \.isSpace) {
                if let color = HTMLColor([UInt8](word)) { self.background = color }
            }
        case Property.display:
            if value == Property.none { self.isHidden = true }
        case Property.visibility:
            if value == Property.hidden { self.isHidden = true }
        case Property.fontSize, Property.opacity:
            if Self.isZero(value, below: name == Property.fontSize ? 1 : 0) { self.isHidden = true }
        default:
            break
        }
    }

    /// Whether a number with a unit is 0, or with `px` or `pt` no more than `limit`.
    private static func isZero(_ value: [UInt8], below limit: Int) -> Bool {
        var digits = 0
        var whole = 0
        var hasFraction = false
        var index = 0
        while index < value.count, value[index].isDigit || value[index] == 0x2e {
            if value[index] == 0x2e {
                hasFraction = true
            } else {
                digits += 1
                if hasFraction {
                    if value[index] != 0x30 { return false }
                } else {
                    whole = min(whole * 10 + Int(value[index] - 0x30), 1_000)
                }
            }
            index += 1
        }
        guard digits > 0 else { return false }
        if whole == 0 { return true }
        let unit = value[index...]
        return whole <= limit && (unit.elementsEqual([0x70, 0x78]) || unit.elementsEqual([0x70, 0x74]))
    }
}

struct HTMLColor: Hashable {
    var red: Int
    var green: Int
    var blue: Int

    static let black = HTMLColor(red: 0, green: 0, blue: 0)
    static let white = HTMLColor(red: 255, green: 255, blue: 255)

    init(red: Int, green: Int, blue: Int) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    private static let names: [String: UInt32] = [
        "black": 0x000000, "silver": 0xc0c0c0, "gray": 0x808080, "grey": 0x808080, "white": 0xffffff, "maroon": 0x800000,
        "red": 0xff0000, "purple": 0x800080, "fuchsia": 0xff00ff, "magenta": 0xff00ff, "green": 0x008000, "lime": 0x00ff00,
        "olive": 0x808000, "yellow": 0xffff00, "navy": 0x000080, "blue": 0x0000ff, "teal": 0x008080, "aqua": 0x00ffff,
        "cyan": 0x00ffff, "orange": 0xffa500, "pink": 0xffc0cb, "brown": 0xa52a2a, "gold": 0xffd700, "ivory": 0xfffff0,
        "beige": 0xf5f5dc, "snow": 0xfffafa, "whitesmoke": 0xf5f5f5, "ghostwhite": 0xf8f8ff, "floralwhite": 0xfffaf0,
        "aliceblue": 0xf0f8ff, "azure": 0xf0ffff, "mintcream": 0xf5fffa, "honeydew": 0xf0fff0, "seashell": 0xfff5ee,
        "linen": 0xfaf0e6, "lightgray": 0xd3d3d3, "lightgrey": 0xd3d3d3, "gainsboro": 0xdcdcdc, "darkgray": 0xa9a9a9,
        "darkgrey": 0xa9a9a9, "dimgray": 0x696969, "lightyellow": 0xffffe0, "lightblue": 0xadd8e6, "darkblue": 0x00008b,
        "darkred": 0x8b0000, "darkgreen": 0x006400, "skyblue": 0x87ceeb, "steelblue": 0x4682b4, "royalblue": 0x4169e1,
        "crimson": 0xdc143c, "tomato": 0xff6347, "coral": 0xff7f50, "indigo": 0x4b0082, "violet": 0xee82ee, "tan": 0xd2b48c,
    ]

    /// `#rgb`, `#rrggbb` with or without `#`, `rgb(r, g, b)`, or a name; nil for all else, `inherit` and `transparent` too.
    /// - Parameter value: lower case, without white space around it.
    init?(_ value: [UInt8]) {
        if value.starts(with: [0x72, 0x67, 0x62]) {
            let numbers = value.split(whereSeparator: { !$0.isDigit }).prefix(3).map { digits in
                digits.prefix(4).reduce(0) { $0 * 10 + Int($1 - 0x30) }
            }
            guard numbers.count == 3 else { return nil }
            self.init(red: min(numbers[0], 255), green: min(numbers[1], 255), blue: min(numbers[2], 255))
            return
        }
        if value.count <= 16, let number = Self.names[value.text] {
            self.init(red: Int(number >> 16), green: Int(number >> 8 & 0xff), blue: Int(number & 0xff))
            return
        }
        let digits = (value.first == 0x23 ? value.dropFirst() : value[...]).map { $0.hexValue.map(Int.init) ?? -1 }
        guard digits.count == 3 || digits.count == 6, !digits.contains(-1) else { return nil }
        let pairs = digits.count == 3 ? digits.map { $0 * 17 } : [0, 2, 4].map { digits[$0] * 16 + digits[$0 + 1] }
        self.init(red: pairs[0], green: pairs[1], blue: pairs[2])
    }

    /// Distance weighted by how bright the eye sees each part: 0 for the same, 191 between black and white.
    func distance(to other: HTMLColor) -> Double {
        let red = 0.2126 * Double(self.red - other.red)
        let green = 0.7152 * Double(self.green - other.green)
        let blue = 0.0722 * Double(self.blue - other.blue)
        return (red * red + green * green + blue * blue).squareRoot()
    }
}
