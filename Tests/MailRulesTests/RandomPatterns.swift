/// A small generator with a fixed start, so that a failure comes again.
struct FixedGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return self.state ^ self.state >> 33
    }

    /// Once in `count` times.
    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    mutating func one<Element>(of elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &self)]
    }
}

/// Makes patterns of all constructs of PCRE2, each with texts that it is likely to match. Whether it does is for PCRE2 to say; some
/// are not even patterns.
struct RandomPatterns {
    struct Made {
        var source: String
        /// Texts of which each is made as the pattern says, as far as that is easy.
        var samples: [String]
    }

    /// Without what a pattern cannot keep when it becomes part of another: groups by number, verbs, recursion.
    let isPlain: Bool
    var generator: FixedGenerator
    private var names = 0
    private var groups = 0

    /// Samples of each pattern.
    private static let sampleCount = 4

    init(seed: UInt64, isPlain: Bool = false) {
        self.generator = FixedGenerator(seed: seed)
        self.isPlain = isPlain
    }

    mutating func next() -> Made {
        (self.names, self.groups) = (0, 0)
        var made = self.sequence(depth: 3)
        switch Int.random(in: 0..<10, using: &self.generator) {
        case 0: made.source = "(?i)" + made.source
        case 1: made.source = "(?x) " + made.source.map { $0 == " " ? "\\ " : "\($0)" }.joined() + " # all of it"
        case 2: made.source += "|" + self.sequence(depth: 2).source
        default: break
        }
        return made
    }

    private mutating func sequence(depth: Int) -> Made {
        var made = Made(source: "", samples: Array(repeating: "", count: Self.sampleCount))
        for _ in 0..<Int.random(in: 1...5, using: &self.generator) {
            let piece = self.quantified(self.atom(depth: depth))
            made.source += piece.source
            for index in made.samples.indices { made.samples[index] += piece.samples[index] }
        }
        return made
    }

    // MARK: - Atoms

    /// Letters that are rare in mail among some that are not: a pattern of the common ones alone has no clue that is worth it.
    private static let letters = ["q", "z", "x", "j", "Q", "Z", "e", "1", "-", "&"]

    private static let sets: [(String, [String])] = [
        ("\\d", ["1", "7"]), ("\\w", ["q", "_"]), ("\\W", ["-", "\u{1}"]), ("\\s", [" ", "\n"]), (".", ["z", "-"]),
        ("[qz]", ["q", "z"]), ("[^q]", ["x", "Q"]), ("[x-z]", ["x", "y"]), ("[[:upper:]]", ["Q", "q"]),
        ("[[:^alpha:]]", ["1", "-"]),
        ("[]q]", ["]", "q"]), ("[^]q]", ["z"]), ("[\\w-]", ["-", "z"]), ("\\x51", ["Q"]), ("\\x{7a}", ["z"]), ("\\172", ["z"]),
        ("\\R", ["\r\n", "\n"]), ("\\h", [" ", "\t"]), ("\\N", ["q"]), ("\\t", ["\t"]), ("[\\x80-\\xff]", ["\u{e9}"]),
        ("\\.", ["."]),
        ("\\Qz.*j\\E", ["z.*j"]), ("q#", ["q#"]), ("[#-&]", ["$", "&"]), ("z{,2}", ["z{,2}", "zz"]), ("z{q}", ["z{q}"]),
    ]

    private static let marks = [
        "^", "$", "\\b", "\\B", "\\A", "\\z", "\\K", "(?#with ] and [)", "(?i)", "(?-i)", "(?s)", "\\G", "\\E",
    ]

    private mutating func atom(depth: Int) -> Made {
        switch Int.random(in: 0..<(depth > 0 ? 14 : 6), using: &self.generator) {
        case 0...2: return self.literal()
        case 3, 4: return self.set()
        case 5: return self.generator.oneIn(3) ? self.mark() : self.literal()
        case 6, 7: return self.alternatives(depth: depth - 1)
        case 8, 9: return self.group(self.sequence(depth: depth - 1))
        case 10: return self.look(depth: depth - 1)
        case 11: return self.isPlain ? self.literal() : self.reference()
        case 12: return self.isPlain ? self.set() : self.condition(depth: depth - 1)
        default: return self.isPlain ? self.literal() : self.verb()
        }
    }

    private func fixed(_ source: String, _ sample: String) -> Made {
        Made(source: source, samples: Array(repeating: sample, count: Self.sampleCount))
    }

    private mutating func literal() -> Made {
        let text = (0..<Int.random(in: 1...4, using: &self.generator)).map { _ in self.generator.one(of: Self.letters) }.joined()
        return self.fixed(text, text)
    }

    private mutating func set() -> Made {
        let (source, members) = self.generator.one(of: Self.sets)
        return Made(source: source, samples: (0..<Self.sampleCount).map { _ in self.generator.one(of: members) })
    }

    private mutating func mark() -> Made { self.fixed(self.generator.one(of: Self.marks), "") }

    /// Sometimes one of them is empty.
    private mutating func alternatives(depth: Int) -> Made {
        var branches = (0..<Int.random(in: 2...4, using: &self.generator)).map { _ in self.sequence(depth: depth) }
        if self.generator.oneIn(4) { branches[Int.random(in: branches.indices, using: &self.generator)] = self.fixed("", "") }
        let samples = (0..<Self.sampleCount).map { self.generator.one(of: branches).samples[$0] }
        return self.group(Made(source: branches.map(\.source).joined(separator: "|"), samples: samples))
    }

    private mutating func group(_ content: Made) -> Made {
        let open: String
        switch Int.random(in: 0..<9, using: &self.generator) {
        case 0, 1: (open, self.groups) = ("(", self.groups + 1)
        case 2: (open, self.groups, self.names) = ("(?<n\(self.names + 1)>", self.groups + 1, self.names + 1)
        case 3: open = "(?>"
        case 4: open = "(?i:"
        case 5: open = "(?-i:"
        case 6: open = "(?|"
        default: open = "(?:"
        }
        return Made(source: open + content.source + ")", samples: content.samples)
    }

    private mutating func look(depth: Int) -> Made {
        let content = self.sequence(depth: depth)
        switch Int.random(in: 0..<4, using: &self.generator) {
        // What is ahead is also what follows, so that some of these match.
        case 0: return Made(source: "(?=\(content.source))" + content.source, samples: content.samples)
        case 1: return Made(source: "(?=.*\(content.source))", samples: content.samples)
        case 2: return self.fixed("(?!\(content.source))", "")
        default:
            let before = self.literal()
            return Made(
                source: before.source + "(?<=\(before.source))" + content.source,
                samples: zip(before.samples, content.samples).map(+)
            )
        }
    }

    private mutating func reference() -> Made {
        guard self.groups > 0 else { return self.literal() }
        var references = ["\\1", "\\g{1}", "\\g{-1}", "(?1)", "(?-1)", "\\g<1>", "(?:q(?R))?"]
        if self.names > 0 { references += ["\\k<n1>", "(?P=n1)", "(?&n1)", "(?P>n1)"] }
        return self.fixed(self.generator.one(of: references), self.generator.one(of: Self.letters))
    }

    private mutating func condition(depth: Int) -> Made {
        let (yes, no) = (self.sequence(depth: depth), self.sequence(depth: depth))
        let samples = (0..<Self.sampleCount).map { Bool.random(using: &self.generator) ? yes.samples[$0] : no.samples[$0] }
        if self.generator.oneIn(3) {
            self.names += 1
            self.groups += 1
            return Made(source: "(?(DEFINE)(?<n\(self.names)>\(no.source)))(?&n\(self.names))", samples: no.samples)
        }
        let test = self.generator.one(of: ["(?=[qQz])", "(?!q)", "(1)", "(R)"])
        return Made(source: "(?\(test)\(yes.source)|\(no.source))", samples: samples)
    }

    private mutating func verb() -> Made {
        guard self.generator.oneIn(3) else { return self.set() }
        return self.fixed(self.generator.one(of: ["(*SKIP)", "(*PRUNE)", "(*COMMIT)", "(*THEN)", "(*ACCEPT)", "(*FAIL)"]), "")
    }

    // MARK: - Quantifiers

    private static let quantifiers: [(String, ClosedRange<Int>)] = [
        ("?", 0...1), ("*", 0...3), ("+", 1...3), ("{2}", 2...2), ("{0,}", 0...2), ("{0}", 0...0), ("{1,3}", 1...3),
        ("{2,}", 2...4),
        ("{0,2}", 0...2), ("{9}", 9...9), ("{3,12}", 3...12), ("{2}{2}", 4...4),
    ]

    private mutating func quantified(_ atom: Made) -> Made {
        guard self.generator.oneIn(3) else { return atom }
        let (quantifier, counts) = self.generator.one(of: Self.quantifiers)
        let manner = self.generator.one(of: ["", "", "?", "+"])
        // Behind several octets only the last is repeated, which the sample need not know: some match all the same.
        let isWhole = self.generator.oneIn(2)
        let source = isWhole ? "(?:\(atom.source))\(quantifier)\(manner)" : atom.source + quantifier + manner
        return Made(
            source: source,
            samples: atom.samples.map { sample in
                let count = Int.random(in: counts, using: &self.generator)
                if isWhole { return String(repeating: sample, count: count) }
                return sample.dropLast() + String(repeating: String(sample.suffix(1)), count: count)
            }
        )
    }
}
