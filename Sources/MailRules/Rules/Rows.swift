/// Lists, one for each number, that lie one behind the other in memory: made once, and walked through for every message. A class, so
/// that looking at one retains nothing of it.
final class Rows<Element: Sendable>: Sendable {
    /// Where each list starts, and behind the last where all end.
    private let starts: [Int]
    private let elements: [Element]

    init(_ lists: [[Element]]) {
        self.starts = lists.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        self.elements = Array(lists.joined())
    }

    /// Places of a list's elements.
    func indices(of number: Int) -> Range<Int> { self.starts[number]..<self.starts[number + 1] }

    /// - Parameter place: one of `indices`.
    subscript(place: Int) -> Element { self.elements[place] }
}
