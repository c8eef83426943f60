/// Octets of a match that a listing shows.
private let maximumExcerpt = 60

/// The start of a match, fit for a terminal: no control characters, valid UTF-8.
func printable(_ bytes: ArraySlice<UInt8>) -> String {
    var cut = bytes.prefix(maximumExcerpt)
    if cut.count < bytes.count {
        // Not into the middle of a UTF-8 sequence.
        while let last = cut.last, last & 0xc0 == 0x80 { cut.removeLast() }
        if let last = cut.last, last >= 0xc0 { cut.removeLast() }
    }
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: cut, as: UTF8.self).unicodeScalars {
        let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        // Controls of direction could make a listing lie.
        let isBidirectional = (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
        text.append(isControl || isBidirectional ? " " : scalar)
    }
    return String(text) + (cut.count < bytes.count ? "…" : "")
}
