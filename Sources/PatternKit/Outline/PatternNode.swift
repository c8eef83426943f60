/// A pattern taken apart, as far as it matters for what a match is made of.
indirect enum PatternNode: Sendable {
    /// One octet.
    case octet(OctetSet)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    /// - Parameter most: nil for any number.
    case repeated(PatternNode, least: Int, most: Int?)
    /// Stands in the text, but not within the match (lookahead, lookbehind).
    case besides(PatternNode)
    /// A named group, called from elsewhere.
    case call([UInt8])
    /// Any text: what is not known until there is a match.
    case anything

    static let nothing = PatternNode.sequence([])
}
