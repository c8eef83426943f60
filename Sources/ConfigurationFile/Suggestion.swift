/// Finds the name that was probably meant.
enum Suggestion {
    /// The nearest of the names, if it is near enough to be a slip of the keys.
    static func nearest(to name: String, among names: [String]) -> String? {
        let target = Array(name.lowercased().utf8)
        // A third of the letters may be wrong; more is another word.
        let limit = max(1, min(4, (target.count + 1) / 3))
        let ranked = names.map { (distance: self.distance(target, Array($0.lowercased().utf8)), name: $0) }
        return ranked.filter { $0.distance <= limit }.min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
    }

    /// Letters put in, left out, changed or swapped with their neighbour.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for i in left.indices {
            var current = [i + 1]
            for j in right.indices {
                let change = last[j] + (left[i] == right[j] ? 0 : 1)
                var cost = min(change, last[j + 1] + 1, current[j] + 1)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { cost = min(cost, beforeLast[j - 1] + 1) }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
