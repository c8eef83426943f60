/// The octets that stand side by side in a line, letters in either case, told with some that do not: shows at a glance that most
/// patterns cannot fit.
struct OctetPairs: Sendable {
    /// By place.
    private var isThere = [Bool](repeating: false, count: OctetPairs.placeCount)

    private static let placeCount = 1_024

    init(_ line: [UInt8]) {
        guard var last = line.first?.lowercased else { return }
        for index in line.indices.dropFirst() {
            let octet = line[index].lowercased
            self.isThere[OctetPairs.place(last, octet)] = true
            last = octet
        }
    }

    /// False: no line with these pairs fits.
    func mayHave(_ needed: Needed) -> Bool {
        for place in needed.places where !self.isThere[place] { return false }
        for branches in needed.choices where !branches.contains(where: self.mayHave) { return false }
        return true
    }

    /// Pairs that every line has which a pattern fits.
    struct Needed: Sendable {
        fileprivate var places: [Int] = []
        /// What one branch at least needs, for each choice.
        fileprivate var choices: [[Needed]] = []

        init(_ pieces: [ReceivedPattern]) {
            for piece in pieces {
                switch piece {
                case .text(let text), .caseless(let text):
                    self.places += zip(text, text.dropFirst()).map { OctetPairs.place($0.lowercased, $1.lowercased) }
                case .capture(_, let group):
                    let needed = Needed(group)
                    self.places += needed.places
                    self.choices += needed.choices
                case .oneOf(let groups): self.choices.append(groups.map { Needed($0) })
                case .words, .run, .ip, .loopback, .anything, .optional, .not, .boundary, .end: break
                }
            }
        }
    }

    /// - Parameters: in lower case.
    private static func place(_ first: UInt8, _ second: UInt8) -> Int { (Int(first) * 31 + Int(second)) & (self.placeCount - 1) }
}
