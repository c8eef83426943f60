/// Patterns of signature names: `*` stands for any characters, also none; letters match in either case.
enum SignaturePattern {
    /// Takes time in proportion to the product of both lengths at worst: no pattern can blow it up.
    static func matches(_ pattern: String, _ name: String) -> Bool {
        let pattern = Array(pattern.lowercased().utf8)
        let name = Array(name.lowercased().utf8)
        let star = UInt8(ascii: "*")
        var p = 0
        var n = 0
        /// Where to go on when the text behind the last star does not fit.
        var retry: (pattern: Int, name: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == star {
                retry = (p + 1, n)
                p += 1
            } else if p < pattern.count, pattern[p] == name[n] {
                p += 1
                n += 1
            } else if let last = retry {
                retry = (last.pattern, last.name + 1)
                p = last.pattern
                n = last.name + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == star }
    }
}
