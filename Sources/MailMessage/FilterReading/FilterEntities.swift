/// Character references as Perl's HTML::Entities resolves them: those of HTML 4, and numbers as they are. Browsers know more
/// and read numbers of windows-1252 (`HTMLEntities`).
enum FilterEntities {
    /// Octets of the longest name.
    private static let maximumLength = 8

    /// Appends the text with references resolved.
    /// - Parameter inAttribute: only whole names count there; in text the longest start of a name that is one does, too.
    /// - Returns: whether a character beyond U+00FF came of a reference.
    @discardableResult
    static func decode(_ bytes: [UInt8], _ range: Range<Int>, inAttribute: Bool, into result: inout [UInt8]) -> Bool {
        var index = range.lowerBound
        var copied = index
        var isWide = false
        var highSurrogate: UInt32 = 0
        while let mark = self.reference(bytes, from: index, to: range.upperBound) {
            index = mark + 1
            let scalar: UInt32
            let next: Int
            if index < range.upperBound, bytes[index] == 0x23 {
                let number: UInt32?
                (number, next) = self.number(bytes, index + 1, range.upperBound)
                guard let number, number != 0, number != 0xfffe, number != 0xffff else {
                    index = next
                    continue
                }
                scalar = number
            } else {
                highSurrogate = 0
                guard let found = self.named(bytes, index, range.upperBound, inAttribute: inAttribute) else { continue }
                (scalar, next) = found
            }
            result.append(contentsOf: bytes[copied..<mark])
            index = next < range.upperBound && bytes[next] == 0x3b ? next + 1 : next
            copied = index
            if scalar > 0xff { isWide = true }
            self.append(scalar, &highSurrogate, to: &result)
            if index >= range.upperBound || bytes[index] != 0x26 { highSurrogate = 0 }
        }
        result.append(contentsOf: bytes[copied..<range.upperBound])
        return isWide
    }

    private static func reference(_ bytes: [UInt8], from start: Int, to end: Int) -> Int? {
        var index = start
        while index < end {
            if bytes[index] == 0x26 { return index }
            index += 1
        }
        return nil
    }

    /// Two halves of a surrogate pair side by side make their character.
    private static func append(_ scalar: UInt32, _ highSurrogate: inout UInt32, to result: inout [UInt8]) {
        switch scalar {
        case 0xd800..<0xdc00:
            highSurrogate = scalar
            result.append(contentsOf: Charset.replacement)
        case 0xdc00..<0xe000 where highSurrogate != 0:
            result.removeLast(Charset.replacement.count)
            Charset.append((highSurrogate - 0xd800) << 10 + (scalar - 0xdc00) + 0x10000, to: &result)
            highSurrogate = 0
        case 0xfdd0...0xfdef:
            result.append(contentsOf: Charset.replacement)
        default:
            if scalar < 0xd800 || scalar > 0xdfff { highSurrogate = 0 }
            Charset.append(scalar & 0xfffe == 0xfffe ? 0xfffd : scalar, to: &result)
        }
    }

    /// The number behind `#`, nil when there is none or it is too large, and where its digits end.
    private static func number(_ bytes: [UInt8], _ start: Int, _ end: Int) -> (UInt32?, Int) {
        let isHexadecimal = start < end && bytes[start].lowercased == 0x78
        var index = isHexadecimal ? start + 1 : start
        let first = index
        var value: UInt32 = 0
        while index < end, let digit = bytes[index].hexValue, isHexadecimal || digit < 10 {
            value = value * (isHexadecimal ? 16 : 10) + UInt32(digit)
            if value > 0x10_ffff { return (nil, index) }
            index += 1
        }
        return (index > first ? value : nil, index)
    }

    /// The character of a name, and where the name ends.
    private static func named(_ bytes: [UInt8], _ start: Int, _ end: Int, inAttribute: Bool) -> (UInt32, Int)? {
        var index = start
        let limit = min(end, start + self.maximumLength)
        while index < limit, bytes[index].isWord { index += 1 }
        let isWhole = index == end || !bytes[index].isWord
        if isWhole {
            let key = self.key(bytes, start..<index)
            if let scalar = self.loose[key] { return (scalar, index) }
            if index < end, bytes[index] == 0x3b, let scalar = self.strict[key] { return (scalar, index) }
        }
        guard !inAttribute else { return nil }
        if isWhole { index -= 1 }
        while index > start {
            if let scalar = self.loose[self.key(bytes, start..<index)] { return (scalar, index) }
            index -= 1
        }
        return nil
    }

    /// A name of up to eight octets in one word.
    private static func key(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        var key: UInt64 = 0
        for index in range { key = key << 8 | UInt64(bytes[index]) }
        return key
    }

    /// Those that count without a semicolon, too.
    private static let loose = Self.read(looseTable)
    private static let strict = Self.read(strictTable)

    private static func read(_ table: String) -> [UInt64: UInt32] {
        var result: [UInt64: UInt32] = [:]
        let words = table.split(separator: " ")
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            let name = [UInt8](words[index].utf8)
            result[self.key(name, 0..<name.count)] = UInt32(words[index + 1], radix: 16)
        }
        return result
    }

    private static let looseTable = """
        AElig c6 Aacute c1 Acirc c2 Agrave c0 Aring c5 Atilde c3 Auml c4 Ccedil c7 ETH d0 Eacute c9 Ecirc ca Egrave c8 \
        Euml cb Iacute cd Icirc ce Igrave cc Iuml cf Ntilde d1 Oacute d3 Ocirc d4 Ograve d2 Oslash d8 Otilde d5 Ouml \
        d6 THORN de Uacute da Ucirc db Ugrave d9 Uuml dc Yacute dd aacute e1 acirc e2 acute b4 aelig e6 agrave e0 amp \
        26 apos 27 aring e5 atilde e3 auml e4 brvbar a6 ccedil e7 cedil b8 cent a2 copy a9 curren a4 deg b0 divide f7 \
        eacute e9 ecirc ea egrave e8 eth f0 euml eb frac12 bd frac14 bc frac34 be gt 3e iacute ed icirc ee iexcl a1 \
        igrave ec iquest bf iuml ef laquo ab lt 3c macr af micro b5 middot b7 nbsp a0 not ac ntilde f1 oacute f3 ocirc \
        f4 ograve f2 ordf aa ordm ba oslash f8 otilde f5 ouml f6 para b6 plusmn b1 pound a3 quot 22 raquo bb reg ae \
        sect a7 shy ad sup1 b9 sup2 b2 sup3 b3 szlig df thorn fe times d7 uacute fa ucirc fb ugrave f9 uml a8 uuml fc \
        yacute fd yen a5 yuml ff
        """
    private static let strictTable = """
        Alpha 391 Beta 392 Chi 3a7 Dagger 2021 Delta 394 Epsilon 395 Eta 397 Gamma 393 Iota 399 Kappa 39a Lambda 39b \
        Mu 39c Nu 39d OElig 152 Omega 3a9 Omicron 39f Phi 3a6 Pi 3a0 Prime 2033 Psi 3a8 Rho 3a1 Scaron 160 Sigma 3a3 \
        Tau 3a4 Theta 398 Upsilon 3a5 Xi 39e Yuml 178 Zeta 396 alefsym 2135 alpha 3b1 and 2227 ang 2220 asymp 2248 \
        bdquo 201e beta 3b2 bull 2022 cap 2229 chi 3c7 circ 2c6 clubs 2663 cong 2245 crarr 21b5 cup 222a dArr 21d3 \
        dagger 2020 darr 2193 delta 3b4 diams 2666 empty 2205 emsp 2003 ensp 2002 epsilon 3b5 equiv 2261 eta 3b7 euro \
        20ac exist 2203 fnof 192 forall 2200 frasl 2044 gamma 3b3 ge 2265 hArr 21d4 harr 2194 hearts 2665 hellip 2026 \
        image 2111 infin 221e int 222b iota 3b9 isin 2208 kappa 3ba lArr 21d0 lambda 3bb lang 2329 larr 2190 lceil \
        2308 ldquo 201c le 2264 lfloor 230a lowast 2217 loz 25ca lrm 200e lsaquo 2039 lsquo 2018 mdash 2014 minus 2212 \
        mu 3bc nabla 2207 ndash 2013 ne 2260 ni 220b notin 2209 nsub 2284 nu 3bd oelig 153 oline 203e omega 3c9 \
        omicron 3bf oplus 2295 or 2228 otimes 2297 part 2202 permil 2030 perp 22a5 phi 3c6 pi 3c0 piv 3d6 prime 2032 \
        prod 220f prop 221d psi 3c8 rArr 21d2 radic 221a rang 232a rarr 2192 rceil 2309 rdquo 201d real 211c rfloor \
        230b rho 3c1 rlm 200f rsaquo 203a rsquo 2019 sbquo 201a scaron 161 sdot 22c5 sigma 3c3 sigmaf 3c2 sim 223c \
        spades 2660 sub 2282 sube 2286 sum 2211 sup 2283 supe 2287 tau 3c4 there4 2234 theta 3b8 thetasym 3d1 thinsp \
        2009 tilde 2dc trade 2122 uArr 21d1 uarr 2191 upsih 3d2 upsilon 3c5 weierp 2118 xi 3be zeta 3b6 zwj 200d zwnj \
        200c
        """
}
