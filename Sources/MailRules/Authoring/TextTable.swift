/// Columns of text for a terminal.
package struct TextTable: Sendable {
    package enum Alignment: Sendable {
        case left
        case right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    package init(_ columns: [(String, Alignment)]) {
        self.columns = columns.map { ($0.0, $0.1) }
    }

    package mutating func add(_ row: [String]) {
        precondition(row.count == self.columns.count, "a row has one cell for each column")
        self.rows.append(row)
    }

    /// Heading and rows, without spaces at the ends of lines.
    package var lines: [String] {
        let widths = self.columns.indices.map { column in
            self.rows.reduce(self.columns[column].title.count) { max($0, $1[column].count) }
        }
        return ([self.columns.map(\.title)] + self.rows).map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? "" : "  ") + (self.columns[column].alignment == .right ? gap + cell : cell + gap)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// `12.35`: a number with a fixed count of decimals.
package func decimal(_ value: Double, _ places: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "–" : value < 0 ? "-∞" : "∞" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let digits = String(Int64(scaled))
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    let sign = value < 0 && scaled > 0 ? "-" : ""
    return places == 0 ? sign + padded : sign + padded.dropLast(places) + "." + padded.suffix(places)
}

/// `1.25%`
package func percent(_ rate: Double) -> String { decimal(rate * 100, rate * 100 < 1 ? 3 : 2) + "%" }

/// A line that shows how far a long work has come.
package struct ProgressLine: Sendable {
    /// Letters of the bar itself.
    private static let barWidth = 30

    /// `[#####-----] 50% 1200/2400, 12 s left`
    package static func text(_ what: String, done: Int, of total: Int, seconds: Double) -> String {
        let share = total == 0 ? 1 : Double(done) / Double(total)
        let filled = Int(share * Double(self.barWidth))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: self.barWidth - filled)
        var line = "\(what) [\(bar)] \(Int(share * 100))% \(done)/\(total)"
        // The first moments say nothing about the rest.
        if done > 0, done < total, seconds >= 1 {
            line += ", \(Int((seconds / share * (1 - share)).rounded(.up))) s left"
        }
        return line
    }
}
